"""Running the command inside the test, on an engine that follows a script."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

from dockerproto_cli.command import main
from tests.testbed.scripted import ScriptedEngine


def stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


class Endless(io.RawIOBase):
    """Standard input from /dev/zero; reading much more than the command may keep is an error."""

    _LIMIT = 64 * 2**20

    def __init__(self) -> None:
        self._read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)
        self._read += len(view)
        assert self._read < self._LIMIT, "standard input is read without a limit"
        view[:] = bytes(len(view))
        return len(view)


def endless_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Endless())))


class Run:
    """Runs the command against the scripted engine."""

    def __init__(self, engine: ScriptedEngine, capsys: pytest.CaptureFixture[str]) -> None:
        self.engine = engine
        self._capsys = capsys
        self.errors = ""

    def __call__(self, *arguments: str, status: int = 0) -> list[str]:
        assert main(["-H", self.engine.url, *arguments]) == status
        captured = self._capsys.readouterr()
        self.errors = captured.err
        return captured.out.splitlines()

    @property
    def query(self) -> dict[str, list[str]]:
        """Return the query of the last request."""
        return self.engine.requests[-1].query
