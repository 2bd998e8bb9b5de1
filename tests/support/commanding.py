"""Running the command inside the test, on an engine that follows a script."""

from __future__ import annotations

import io
import sys

import pytest

from dockerproto_cli.command import main
from tests.testbed.scripted import ScriptedEngine


def stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


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
