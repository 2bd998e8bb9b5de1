"""HTTP over a unix socket with nothing but the standard library: the requests of the testbed itself."""

import http.client
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class UnixConnection(http.client.HTTPConnection):
    """An `HTTPConnection` to a unix socket."""

    def __init__(self, path: Path, *, timeout: float = 60) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the unix socket."""
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(self.timeout)
            connection.connect(str(self._path))
        except BaseException:
            connection.close()
            raise
        self.sock = connection

    def ask(
        self, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] = _NO_HEADERS
    ) -> Answer:
        """Send a request and read its response; the connection stays open."""
        self.request(method, target, body, dict(headers))
        with self.getresponse() as response:
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())


def ask(
    path: Path, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] = _NO_HEADERS
) -> Answer:
    """Send one request on a connection of its own."""
    connection = UnixConnection(path)
    try:
        return connection.ask(method, target, body, headers)
    finally:
        connection.close()


def answers(path: Path) -> bool:
    """Return whether an engine answers `GET /_ping` at a socket."""
    try:
        return ask(path, "GET", "/_ping").status == 200
    except (OSError, http.client.HTTPException):
        return False
