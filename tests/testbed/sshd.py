"""A private ssh server on a loopback port, and an `ssh` that knows it: OpenSSH's, with keys of their own."""

import os
import pwd
import re
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Self

from .processes import Child, environment, free_port, short_directory


class Sshd:
    """An ssh server that runs inside the `with`, for the user who runs it.

    `bin` is a directory with an `ssh` that uses the keys of this server's user and knows its host key;
    `config` is the configuration that it reads, for a test to change.
    """

    port: int
    bin: Path
    config: Path

    def __enter__(self) -> Self:
        self._directory = short_directory()
        self._directory.chmod(0o755)
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        self.port = free_port()
        for key in ("host", "user", "stranger"):
            self._key(key)
        self._write("authorized_keys", (self._directory / "user.pub").read_text())
        self._write("known_hosts", f"[127.0.0.1]:{self.port} {(self._directory / 'host.pub').read_text()}")
        self.config = self._write("config", self.configuration())
        self.bin = self._directory / "bin"
        self.bin.mkdir()
        wrapper = self._write("bin/ssh", f'#!/bin/sh\nexec {_binary("ssh")} -F {self.config} "$@"\n')
        wrapper.chmod(0o755)
        self._start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._child.stop()
        shutil.rmtree(self._directory)

    def configuration(self, *, key: str = "user", known_hosts: str = "known_hosts") -> str:
        """Return the configuration of an ssh that uses one of the keys and trusts a file of hosts."""
        return (
            f"IdentityFile {self._directory / key}\nIdentitiesOnly yes\nIdentityAgent none\n"
            f"UserKnownHostsFile {self._directory / known_hosts}\nGlobalKnownHostsFile /dev/null\n"
            "StrictHostKeyChecking yes\nBatchMode yes\nLogLevel ERROR\n"
        )

    def distrust(self) -> str:
        """Return a configuration that expects another host key."""
        other = (self._directory / "stranger.pub").read_text()
        self._write("other_hosts", f"[127.0.0.1]:{self.port} {other}")
        return self.configuration(known_hosts="other_hosts")

    def _start(self) -> None:
        path = self._write(
            "sshd_config",
            f"ListenAddress 127.0.0.1\nPort {self.port}\nHostKey {self._directory / 'host'}\n"
            f"AuthorizedKeysFile {self._directory / 'authorized_keys'}\nStrictModes no\nUsePAM no\n"
            f"PasswordAuthentication no\nPermitRootLogin yes\nPidFile none\n"
            f"SetEnv PATH={environment()['PATH']}\n{_without_penalties()}",
        )
        Path("/run/sshd").mkdir(exist_ok=True)  # where the server locks itself in, on Debian
        self._child = Child((_binary("sshd"), "-D", "-e", "-f", str(path)), self._directory / "sshd.log")
        self._child.start(self._answers)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def _key(self, name: str) -> None:
        path = str(self._directory / name)
        command = [_binary("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", path]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)

    def _write(self, name: str, text: str) -> Path:
        path = self._directory / name
        path.write_text(text)
        path.chmod(0o600)
        return path


def available() -> str | None:
    """Return None if an ssh server can be started here, else the reason."""
    missing = [
        name
        for name in ("sshd", "ssh", "ssh-keygen", "docker")
        if shutil.which(name, path=environment()["PATH"]) is None
    ]
    return f"not installed: {', '.join(missing)}" if missing else None


def _without_penalties() -> str:
    """Return the setting that lets clients fail as often as they like, if this sshd has it: from 9.8 on."""
    version = subprocess.run((_binary("ssh"), "-V"), check=True, capture_output=True, text=True).stderr
    numbers = [int(number) for number in re.findall(r"\d+", version)[:2]]
    return "PerSourcePenalties no\n" if numbers >= [9, 8] else ""


def _binary(name: str) -> str:
    return shutil.which(name, path=environment()["PATH"]) or name
