"""Files of `docker login` on a machine: config.json and helpers; and a client's view of them."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

from tests.testbed.scripted import ScriptedEngine

USER, PASSWORD = "anna", "s3cret+/pass:word"  # characters that tell the alphabets of base64 apart
OTHER = "r.example:5000"
ENTRY = {"auth": base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}
ME = {"username": USER, "password": PASSWORD}
PULL, PUSH = ("POST", "/images/create"), ("POST", f"/images/{OTHER}/a/push")

HELPER = """#!{python}
import sys, time
from pathlib import Path
told = sys.stdin.read()
with Path({log!r}).open("a") as log:
    log.write(f"{{sys.argv[1]}} {{told}}\\n")
print({secret!r}, file=sys.stderr)
{does}
"""
NOT_FOUND = 'print("credentials not found in native keychain"); sys.exit(1)'


class Machine:
    """A machine after `docker login`: config.json, and helpers on the PATH."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory / "asked"

    def write(self, document: object) -> None:
        text = document if isinstance(document, str) else json.dumps(document)
        (self.directory / "config.json").write_text(text)

    def read(self) -> Any:
        return json.loads((self.directory / "config.json").read_text())

    def helper(self, name: str, does: str = "", **answer: str) -> None:
        """Put a helper on the PATH, that prints an answer or does what a program says."""
        does = f"{does}\nprint({json.dumps(answer)!r})" if answer else does
        text = HELPER.format(python=sys.executable, log=str(self.log), secret=PASSWORD, does=does)
        self._write_helper(name, text)

    def shell_helper(self, name: str, script: str) -> None:
        """Put a helper on the PATH that is a shell script, which starts in 2 ms, where Python takes 50."""
        self._write_helper(name, f"#!/bin/sh\n{script}\n")

    def _write_helper(self, name: str, text: str) -> None:
        program = self.directory / f"docker-credential-{name}"
        program.write_text(text)
        program.chmod(0o755)

    @property
    def asked(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


def sent(scripted: ScriptedEngine, header: str = "x-registry-auth") -> Any:
    """Return the credentials of the last request, None if it has no header for them."""
    value = scripted.requests[-1].headers.get(header)
    return None if value is None else json.loads(base64.urlsafe_b64decode(value))


def rendered(error: BaseException | None) -> str:
    text = ""
    while error is not None:
        text += f"{error!r} {error} {vars(error)}"
        error = error.__cause__ or error.__context__
    return text
