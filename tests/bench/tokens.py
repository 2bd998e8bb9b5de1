"""A registry that wants bearer tokens, and the server that gives them for a name and a password."""

import base64
import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from .registry import Registry

_ISSUER, _SERVICE = "issuer", "service"
_YEAR = timedelta(days=365)


class TokenServer:
    """Gives tokens inside the `with`; `realm` is its address, `asked` the scopes that it gave tokens for.

    `certificate` is the file by which a registry knows them.
    """

    def __init__(self, directory: Path, user: str, password: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.certificate = directory / "tokens.pem"
        self.asked: list[str] = []
        self._authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._der = self._signed_certificate()

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.realm = f"http://127.0.0.1:{self._server.server_port}/token"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def token(self, scopes: list[str]) -> str:
        """Give a token for scopes, ``repository:NAME:ACTIONS``."""
        now = int(datetime.now(UTC).timestamp())
        access = [
            {"type": kind, "name": name, "actions": actions.split(",")}
            for kind, rest in (scope.split(":", 1) for scope in scopes)
            for name, _, actions in (rest.rpartition(":"),)
        ]
        header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(self._der).decode()]}
        claims = {"iss": _ISSUER, "aud": _SERVICE, "sub": "", "iat": now, "nbf": now - 10, "exp": now + 300}
        signed = ".".join(_part(json.dumps(each).encode()) for each in (header, claims | {"access": access}))
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_part(signature)}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                allowed = self.headers.get("Authorization") == server._authorization
                scopes = parse_qs(urlsplit(self.path).query).get("scope", [])
                if allowed:
                    server.asked.extend(scopes)
                body = json.dumps({"token": server.token(scopes)} if allowed else {}).encode()
                self.send_response(200 if allowed else 401)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def _signed_certificate(self) -> bytes:
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, _ISSUER)])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder(name, name, self._key.public_key(), x509.random_serial_number())
            .not_valid_before(now - _YEAR)
            .not_valid_after(now + _YEAR)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
        return certificate.public_bytes(Encoding.DER)


class TokenRegistry(Registry):
    """A registry that takes the tokens of a server."""

    def __init__(self, directory: Path, server: TokenServer) -> None:
        super().__init__(directory)
        self.auth = {
            "token": {
                "realm": server.realm,
                "service": _SERVICE,
                "issuer": _ISSUER,
                "rootcertbundle": str(server.certificate),
            }
        }


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
