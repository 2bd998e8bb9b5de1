"""A registry on a loopback port that responds to everything with 429: too many requests."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

_BODY = json.dumps(
    {"errors": [{"code": "TOOMANYREQUESTS", "message": "You have reached your pull rate limit."}]}
).encode()


class LimitedRegistry:
    """A registry that limits requests inside the `with`; `host` is "127.0.0.1:PORT"."""

    host: str

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.host = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    # Engines try TLS first, and do without it if the response to that begins with "HTTP/".
    default_request_version = "HTTP/1.0"

    def do_GET(self) -> None:
        # Engines first ask whether this is a registry.
        status, body = (200, b"{}") if self.path == "/v2/" else (429, _BODY)
        self.send_response(status)
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815  # the name that http.server calls

    def log_message(self, format: str, *args: object) -> None:
        """Keep silent."""
