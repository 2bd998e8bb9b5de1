"""A server of bearer tokens for a registry, on a loopback port.

It speaks the protocol at https://distribution.github.io/distribution/spec/auth/token/, and that of OAuth 2
at the same address. Anybody may pull what is below `public/`; one user may do everything.
"""

import base64
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import trustme
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate

from .http_server import LoopbackServer

_NAME = "bench"
_SECONDS = 300
_PUBLIC = "public/"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question for a token: by whom, None for anybody; for what; whether a token was given."""

    user: str | None
    scopes: tuple[str, ...]
    given: bool


class TokenServer(LoopbackServer):
    """A server that gives tokens inside the `with`.

    `asked` lists what it was asked, `identity` is a token that stands for the user and the password.
    """

    def __init__(self, directory: Path, *, user: str, password: str) -> None:
        authority = trustme.CA()
        leaf = authority.issue_cert("tokens.example")
        key = load_pem_private_key(leaf.private_key_pem.bytes(), None)
        assert isinstance(key, EllipticCurvePrivateKey)
        self._key = key
        self._chain = [_der(each.bytes()) for each in leaf.cert_chain_pems]
        self._user = user
        self._password = password
        self._bundle = directory / "tokens.pem"
        directory.mkdir(parents=True, exist_ok=True)
        authority.cert_pem.write_to_path(str(self._bundle))
        self.identity = secrets.token_hex()
        self.asked: list[Asked] = []

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """Return the class that gives tokens."""
        return _handler(self)

    @property
    def config(self) -> Mapping[str, str]:
        """Return what a registry has to be told, to trust in the tokens."""
        return {
            "realm": f"http://{self.host}/token",
            "service": _NAME,
            "issuer": _NAME,
            "rootcertbundle": str(self._bundle),
        }

    def answer(self, login: tuple[str, str] | None, scopes: tuple[str, ...]) -> str | None:
        """Return a token for what of the scopes is allowed, None if the login is wrong."""
        right = login in (None, (self._user, self._password), ("", self.identity))
        user = None if login is None else login[0] or self._user
        self.asked.append(Asked(user, scopes, right))
        return (
            self._token(user, [_access(each, known=user is not None) for each in scopes]) if right else None
        )

    def _token(self, user: str | None, access: list[dict[str, object]]) -> str:
        now = int(time.time())
        claims = {
            "iss": _NAME,
            "sub": user or "",
            "aud": _NAME,
            "jti": secrets.token_hex(8),
            "iat": now,
            "nbf": now - 10,  # clocks differ
            "exp": now + _SECONDS,
            "access": access,
        }
        signed = f"{_part({'typ': 'JWT', 'alg': 'ES256', 'x5c': self._chain})}.{_part(claims)}"
        numbers = decode_dss_signature(self._key.sign(signed.encode(), ECDSA(SHA256())))
        return f"{signed}.{_base64(b''.join(each.to_bytes(32) for each in numbers))}"


def _handler(server: TokenServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Serve the registries' own protocol, with basic authentication."""
            scopes = parse_qs(urlsplit(self.path).query).get("scope", [])
            self._reply(server.answer(_basic(self.headers["Authorization"]), _split(scopes)))

        def do_POST(self) -> None:
            """Serve OAuth 2, with the credentials in a form."""
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            login = form.get("username", ""), form.get("password") or form.get("refresh_token", "")
            self._reply(server.answer(login, _split([form.get("scope", "")])))

        def _reply(self, token: str | None) -> None:
            document = {"token": token, "access_token": token, "expires_in": _SECONDS}
            data = json.dumps(document if token else {"details": "who are you?"}).encode()
            self.send_response(200 if token else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: what was asked is in `asked`."""

    return Handler


def _access(scope: str, *, known: bool) -> dict[str, object]:
    """Return what of a scope, `repository:NAME:ACTION,…`, somebody may do."""
    kind, _, rest = scope.partition(":")
    name, _, actions = rest.rpartition(":")
    anybody = {"pull"} if name.startswith(_PUBLIC) else set[str]()
    allowed = [each for each in actions.split(",") if known or each in anybody]
    return {"type": kind, "name": name, "actions": allowed}


def _split(scopes: list[str]) -> tuple[str, ...]:
    """Split scopes, which may also come in one text."""
    return tuple(each for scope in scopes for each in scope.split())


def _basic(header: str | None) -> tuple[str, str] | None:
    if header is None:
        return None
    user, _, password = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
    return user, password


def _der(certificate: bytes) -> str:
    return base64.b64encode(load_pem_x509_certificate(certificate).public_bytes(Encoding.DER)).decode()


def _part(document: object) -> str:
    return _base64(json.dumps(document).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
