"""A private image registry on a loopback port: Debian's `docker-registry`."""

import http.client
import json
import shutil
import subprocess
from pathlib import Path
from typing import Self

from .processes import Child, ChildError, environment, free_port
from .token_server import TokenServer

_ATTEMPTS = 3


class Registry:
    """A registry that runs inside the `with`.

    With a user, it asks for basic authentication; with a server of tokens, for one of its tokens.

    `host` is "127.0.0.1:PORT", the first part of the references of its images.
    """

    host: str

    def __init__(
        self,
        directory: Path,
        *,
        user: str | None = None,
        password: str | None = None,
        tokens: TokenServer | None = None,
    ) -> None:
        self._directory = directory
        self._user = user
        self._password = password or ""
        self._tokens = tokens
        self._child: Child | None = None

    def __enter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        for attempt in range(_ATTEMPTS):
            self.host = f"127.0.0.1:{free_port()}"
            self._child = Child(
                (_binary(), "serve", str(self._configure())), self._directory / "registry.log"
            )
            try:
                self._child.start(self._answers)
                break
            except ChildError:  # somebody else may have taken the port in between
                if attempt + 1 == _ATTEMPTS:
                    raise
        return self

    def __exit__(self, *exception: object) -> None:
        if self._child is not None:
            self._child.stop()
        shutil.rmtree(self._storage, ignore_errors=True)

    @property
    def _storage(self) -> Path:
        return self._directory / "registry"

    def _configure(self) -> Path:
        config: dict[str, object] = {
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": str(self._storage)}, "delete": {"enabled": True}},
            "http": {"addr": self.host},
        }
        if self._user is not None:
            passwords = self._directory / "htpasswd"
            passwords.write_bytes(_password_file(self._user, self._password))
            config["auth"] = {"htpasswd": {"realm": "bench", "path": str(passwords)}}
        if self._tokens is not None:
            config["auth"] = {"token": self._tokens.config}
        path = self._directory / "registry.yml"
        path.write_text(json.dumps(config))  # JSON is YAML
        return path

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(self.host, timeout=5)
        try:
            connection.request("GET", "/v2/")
            with connection.getresponse() as response:
                return response.status in (200, 401)
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def available() -> str | None:
    """Return None if a registry can be started here, else the reason."""
    path = environment()["PATH"]
    missing = [name for name in ("docker-registry", "htpasswd") if shutil.which(name, path=path) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


def _binary() -> str:
    return shutil.which("docker-registry", path=environment()["PATH"]) or "docker-registry"


def _password_file(user: str, password: str) -> bytes:
    command = ("htpasswd", "-Bbn", user, password)
    return subprocess.run(command, check=True, capture_output=True, env=environment()).stdout
