"""A registry on a loopback port that responds to everything with 429: too many requests."""

import json
from http.server import BaseHTTPRequestHandler

from .http_server import LoopbackServer

_BODY = json.dumps(
    {"errors": [{"code": "TOOMANYREQUESTS", "message": "You have reached your pull rate limit."}]}
).encode()


class LimitedRegistry(LoopbackServer):
    """A registry that limits requests inside the `with`."""

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """Return the class that limits."""
        return _Handler


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
