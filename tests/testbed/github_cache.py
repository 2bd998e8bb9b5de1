"""A server of GitHub's cache for actions, on a loopback port, with the first version of its protocol.

That of github.com is documented only by its clients, such as https://github.com/tonistiigi/go-actions-cache.
"""

from __future__ import annotations

import base64
import json
import time
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from .http_server import LoopbackServer

_PREFIX = "/_apis/artifactcache"
_SECONDS = 3600
_READ_AND_WRITE = 3


class GitHubCacheServer(LoopbackServer):
    """A server of a cache inside the `with`.

    `entries` has the complete entries by key, `url` is the address for clients, `token` the only one that it
    accepts.
    """

    def __init__(self) -> None:
        self.token = _token()
        self.entries: dict[str, bytes] = {}
        self._reserved: dict[int, tuple[str, bytearray]] = {}

    @property
    def url(self) -> str:
        """Return the address for clients."""
        return f"http://{self.host}/"

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """Return the class that handles a connection."""

        class Handler(_Handler):
            cache = self

        return Handler

    def find(self, keys: str) -> str | None:
        """Return the newest key that begins with one of some keys, separated by commas."""
        found = [each for key in keys.split(",") for each in self.entries if each.startswith(key)]
        return found[-1] if found else None

    def reserve(self, key: str) -> int:
        """Begin an entry, and return its number."""
        number = len(self._reserved) + 1
        self._reserved[number] = (key, bytearray())
        return number

    def write(self, number: int, offset: int, data: bytes) -> None:
        """Write a part of an entry."""
        content = self._reserved[number][1]
        content.extend(bytes(max(0, offset + len(data) - len(content))))
        content[offset : offset + len(data)] = data

    def commit(self, number: int) -> None:
        """Complete an entry."""
        key, content = self._reserved[number]
        self.entries[key] = bytes(content)


def _token() -> str:
    """Return a token as GitHub gives one to a job; clients do not verify its signature."""
    now = int(time.time())
    scopes = json.dumps([{"Scope": "refs/heads/main", "Permission": _READ_AND_WRITE}])
    claims = {"ac": scopes, "nbf": now - 10, "exp": now + _SECONDS}
    parts = [json.dumps(each).encode() for each in ({"typ": "JWT", "alg": "HS256"}, claims)]
    return ".".join(base64.urlsafe_b64encode(each).decode().rstrip("=") for each in (*parts, b"signature"))


class _Handler(BaseHTTPRequestHandler):
    """Handler of a connection."""

    cache: GitHubCacheServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Find an entry, or send one."""
        url = urlsplit(self.path)
        if url.path.startswith("/entries/"):
            self._send(self.cache.entries[url.path.removeprefix("/entries/").replace("%23", "#")])
            return
        if not self._is_authorized():
            return
        key = self.cache.find(parse_qs(url.query)["keys"][0])
        if key is None:
            self._reply(204)
        else:
            location = f"{self.cache.url}entries/{key.replace('#', '%23')}"
            self._reply(200, {"cacheKey": key, "scope": "refs/heads/main", "archiveLocation": location})

    def do_POST(self) -> None:
        """Begin an entry, or complete one."""
        body = self._body()
        if not self._is_authorized():
            return
        number = self.path.removeprefix(f"{_PREFIX}/caches").strip("/")
        if number:
            self.cache.commit(int(number))
            self._reply(204)
        else:
            self._reply(201, {"cacheId": self.cache.reserve(json.loads(body)["key"])})

    def do_PATCH(self) -> None:
        """Write a part of an entry."""
        body = self._body()
        if self._is_authorized():
            offset = self.headers["Content-Range"].removeprefix("bytes ").partition("-")[0]
            self.cache.write(int(self.path.rpartition("/")[2]), int(offset), body)
            self._reply(204)

    def _is_authorized(self) -> bool:
        authorized = self.headers["Authorization"] == f"Bearer {self.cache.token}"
        if not authorized:
            self._reply(401, {"message": "wrong token"})
        return authorized

    def _body(self) -> bytes:
        if self.headers["Transfer-Encoding"] is None:
            return self.rfile.read(int(self.headers["Content-Length"] or 0))
        chunks: list[bytes] = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _send(self, content: bytes) -> None:
        """Send an entry, from the offset in the header Range on."""
        offset = int((self.headers["Range"] or "bytes=0-").removeprefix("bytes=").partition("-")[0])
        self.send_response(206 if offset else 200)
        self.send_header("Content-Range", f"bytes {offset}-{len(content) - 1}/{len(content)}")
        self._finish(content[offset:])

    def _reply(self, status: int, document: object = None) -> None:
        self.send_response(status)
        self._finish(b"" if document is None else json.dumps(document).encode())

    def _finish(self, data: bytes) -> None:
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""
