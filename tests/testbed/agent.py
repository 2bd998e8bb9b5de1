"""A private ssh agent with one key, and the programs that speak to it, with all that they need to run."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Self

from .processes import Child, environment, short_directory


class Agent:
    """OpenSSH's agent, inside the `with`: `socket` is where it listens, `public` its public key file."""

    def __enter__(self) -> Self:
        self._directory = short_directory()
        self.socket = self._directory / "agent"
        key = self._directory / "key"
        self._run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(key))
        self.public = key.with_suffix(".pub")
        command = (_found("ssh-agent"), "-D", "-a", str(self.socket))
        self._child = Child(command, self._directory / "agent.log")
        self._child.start(self.socket.exists)
        self._run("ssh-add", "-q", str(key))
        return self

    def __exit__(self, *exception: object) -> None:
        self._child.stop()
        shutil.rmtree(self._directory)

    def keys(self) -> str:
        """List the keys that it has."""
        return self._run("ssh-add", "-l")

    def _run(self, *command: str) -> str:
        variables = {**environment(), "SSH_AUTH_SOCK": str(self.socket)}
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=variables)
        return done.stdout


def programs(directory: Path) -> None:
    """Copy ssh-add and ssh-keygen to a directory, as a root file system with their libraries."""
    files = {Path(_found(name)) for name in ("ssh-add", "ssh-keygen")}
    listed = subprocess.run(("ldd", *map(str, files)), check=True, capture_output=True, text=True).stdout
    files |= {Path(each) for each in re.findall(r"(/\S+) \(", listed)}
    for file in files:
        there = directory / file.relative_to("/")
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(os.path.realpath(file), there)
    (directory / "etc").mkdir()
    (directory / "etc" / "passwd").write_text("root:x:0:0:root:/:/bin/sh\n")


def _found(name: str) -> str:
    return shutil.which(name, path=environment()["PATH"]) or name
