"""A registry on a loopback port that follows a script, for faults that a real one does not have.

with ScriptedRegistry() as registry:
    registry.script("GET", "/v2/a/manifests/1", response(429, b"", {"Retry-After": "0"}), response(200, ...))
"""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Self, TypeAlias
from urllib.parse import urlsplit

from dockerproto_testing.replies import response

from .http_server import LoopbackServer

Reply: TypeAlias = bytes | Callable[["Request"], bytes] | tuple[bytes, bytes]
"""A response; a function that makes one; or the beginning of one, and what follows without an end."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that the registry got."""

    method: str
    target: str
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def path(self) -> str:
        """Return the target without its query."""
        return urlsplit(self.target).path


class ScriptedRegistry(LoopbackServer):
    """A registry that runs inside the `with`; what is not scripted gets a 404.

    Replies are used one per request, the last one for all that follow.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.scripts: dict[tuple[str, str], deque[Reply]] = {}
        self.requests: list[Request] = []

    def script(self, method: str, path: str, *replies: Reply) -> None:
        """Set the replies to a method and a path, which has no query."""
        self.scripts[method, path] = deque(replies)

    def asked(self) -> list[str]:
        """Return the methods and paths of all requests."""
        return [f"{each.method} {each.path}" for each in self.requests]

    def reply(self, request: Request) -> Reply:
        """Record a request, and return its reply."""
        self.requests.append(request)
        replies = self.scripts.get((request.method, request.path))
        if not replies:
            return response(404)
        return replies.popleft() if len(replies) > 1 else replies[0]

    def __enter__(self) -> Self:
        super().__enter__()
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        return self

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """Return the class that follows the script."""
        return _handler(self)


def _handler(registry: ScriptedRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle(self) -> None:
            with suppress(OSError):  # the client is gone
                super().handle()

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, self.path, headers, body)
            reply = registry.reply(request)
            reply = reply(request) if callable(reply) else reply
            begin, rest = reply if isinstance(reply, tuple) else (reply, b"")
            self.wfile.write(
                begin.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if self.command == "HEAD" else begin
            )
            while rest:
                self.wfile.write(rest)
            self.close_connection |= b"\r\nConnection: close\r\n" in begin

        do_GET = do_HEAD = do_POST = do_PUT = _serve  # noqa: N815  # the names that http.server calls

        def log_message(self, format: str, *args: object) -> None:
            """Keep silent."""

    return Handler
