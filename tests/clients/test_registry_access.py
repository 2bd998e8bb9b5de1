"""Access to registries, on each transport: credentials go where they belong, and nowhere else."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from dockerproto import (
    TLS,
    ConnectionFailed,
    CredentialsError,
    DockerError,
    ProtocolViolated,
    ServerError,
    Unauthorized,
)
from tests.support.registries import (
    BASIC,
    ENDLESS,
    IMAGE,
    LAYER,
    OK,
    TAG,
    OpenRegistry,
    accept,
    me,
    open_registries,
    other_server,
    scripted_image,
    serve,
    serving_registry,
)
from tests.support.stored import PASSWORD, USER, rendered
from tests.testbed.certificates import Certificates
from tests.testbed.scripted import json_response, response
from tests.testbed.scripted_registry import Request, ScriptedRegistry

pytestmark = pytest.mark.anyio

open_client = pytest.fixture(open_registries)
scripted_registry = pytest.fixture(serving_registry)
elsewhere = pytest.fixture(other_server)
name = pytest.fixture(scripted_image)


def wants_tokens(tokens: ScriptedRegistry, *more: tuple[str, str]) -> bytes:
    realm = f'Bearer realm="http://{tokens.host}/token",service="r"'
    lines = [f"{name}: {value}" for name, value in (("WWW-Authenticate", realm), *more)]
    return "\r\n".join(["HTTP/1.1 401 Unauthorized", *lines, "Content-Length: 0", "", ""]).encode()


class TestAccess:
    async def test_basic_authentication(
        self, open_client: OpenRegistry, scripted_registry: ScriptedRegistry, name: str
    ) -> None:
        scripted_registry.script("HEAD", TAG, BASIC, OK)
        async with open_client(**me(scripted_registry)) as registry:
            await registry.resolve(name)
            await registry.manifest(name)
        asked = [
            each.headers.get("authorization", "").partition(" ")[0] for each in scripted_registry.requests
        ]
        assert asked == ["", "Basic", "Basic"]

    async def test_tokens(
        self,
        open_client: OpenRegistry,
        scripted_registry: ScriptedRegistry,
        elsewhere: ScriptedRegistry,
        name: str,
    ) -> None:
        scripted_registry.script("HEAD", TAG, wants_tokens(elsewhere, ("WWW-Authenticate", "Basic")), OK)
        elsewhere.script("GET", "/token", json_response({"token": "secret-token"}))
        async with open_client(**me(scripted_registry)) as registry:
            await registry.resolve(name)
            await registry.manifest(name)
        assert len(elsewhere.requests) == 1
        asked = [each.headers.get("authorization") for each in scripted_registry.requests]
        assert asked == [None, "Bearer secret-token", "Bearer secret-token"]

    @pytest.mark.parametrize(
        ("reply", "error", "message"),
        [
            (response(401, b'{"details": "wrong"}'), Unauthorized, "wrong; .* needs other credentials"),
            (response(302, b"", {"Location": "https://r.example/"}), ProtocolViolated, "302 Found"),
            (json_response({}), ProtocolViolated, "has no valid token"),
            (json_response({"token": "a\r\nb"}), ProtocolViolated, "has no valid token"),
            (ENDLESS, ProtocolViolated, "longer than the limit of 65536 bytes"),
            (response(500, b"", {"Retry-After": "0"}), ServerError, "500 Internal Server Error"),
        ],
        ids=["refused", "redirect", "empty", "injection", "endless", "failure"],
    )
    async def test_a_failing_server_of_tokens(  # noqa: PLR0917  # fixtures and parameters
        self,
        open_client: OpenRegistry,
        scripted_registry: ScriptedRegistry,
        elsewhere: ScriptedRegistry,
        name: str,
        reply: Any,
        error: type[DockerError],
        message: str,
    ) -> None:
        scripted_registry.script("HEAD", TAG, wants_tokens(elsewhere))
        elsewhere.script("GET", "/token", reply)
        async with open_client(**me(scripted_registry)) as registry:
            with pytest.raises(error, match=message) as raised:
                await registry.resolve(name)
        assert PASSWORD not in rendered(raised.value)

    @pytest.mark.parametrize(
        ("challenge", "error", "message"),
        [
            ({}, Unauthorized, "but none"),
            ({"WWW-Authenticate": "Digest"}, Unauthorized, "but digest"),
            ({"WWW-Authenticate": 'Bearer realm="http://r.example/t"'}, CredentialsError, "not encrypted"),
            (
                {"WWW-Authenticate": 'Bearer realm="gopher://r.example/t"'},
                ProtocolViolated,
                "no valid server",
            ),
            ({"WWW-Authenticate": f'Bearer realm="{"x" * 9000}"'}, Unauthorized, "but none"),
            ({"WWW-Authenticate": 'Bearer realm="' + "\\" * 4000}, ProtocolViolated, "no valid server"),
        ],
        ids=["missing", "unknown", "plain", "scheme", "long", "unterminated"],
    )
    async def test_a_hostile_challenge(  # noqa: PLR0917  # fixtures and parameters
        self,
        open_client: OpenRegistry,
        scripted_registry: ScriptedRegistry,
        name: str,
        challenge: dict[str, str],
        error: type[DockerError],
        message: str,
    ) -> None:
        scripted_registry.script("HEAD", TAG, response(401, b"", challenge))
        async with open_client(**me(scripted_registry)) as registry:
            with pytest.raises(error, match=message):
                await registry.resolve(name)
        assert len(scripted_registry.requests) == 1

    @pytest.mark.parametrize(
        ("options", "hint"),
        [({}, "needs credentials: pass"), ({"wrong": 1}, "needs other credentials: pass")],
    )
    async def test_a_refusal_says_what_to_do(
        self,
        open_client: OpenRegistry,
        scripted_registry: ScriptedRegistry,
        name: str,
        options: dict[str, int],
        hint: str,
    ) -> None:
        scripted_registry.script("HEAD", TAG, BASIC)
        async with open_client(**me(scripted_registry) if options else {}) as registry:
            with pytest.raises(Unauthorized) as raised:
                await registry.resolve(name)
        assert hint in raised.value.hint
        assert len(scripted_registry.requests) == (2 if options else 1)
        assert USER not in rendered(raised.value)


class TestRedirects:
    """Blobs are redirected, and credentials stay behind."""

    @pytest.fixture
    def closed(self, scripted_registry: ScriptedRegistry) -> ScriptedRegistry:
        """Let the registry want credentials for everything."""
        for method, path in list(scripted_registry.scripts):
            (reply,) = scripted_registry.scripts[method, path]
            scripted_registry.script(method, path, guarded(reply))
        accept(scripted_registry, "b", "1")
        return scripted_registry

    async def copy(
        self, open_client: OpenRegistry, source: ScriptedRegistry, target: ScriptedRegistry
    ) -> None:
        accept(target, "b", "1")
        async with open_client(**me(source)) as registry:
            await registry.copy(f"{source.host}/a:1", f"{target.host}/b:1")

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_credentials_do_not_follow_to_another_port(
        self, open_client: OpenRegistry, closed: ScriptedRegistry, elsewhere: ScriptedRegistry, status: int
    ) -> None:
        place = {"Location": f"http://{elsewhere.host}/signed?key=1"}
        closed.script("GET", f"/v2/a/blobs/{LAYER}", guarded(response(status, b"", place)))
        elsewhere.script("GET", "/signed", response(200, IMAGE.layer))
        await self.copy(open_client, closed, elsewhere)
        (signed,) = [each for each in elsewhere.requests if each.path == "/signed"]
        assert signed.target == "/signed?key=1"
        assert "authorization" not in signed.headers
        assert any("authorization" in each.headers for each in closed.requests)

    async def test_credentials_follow_to_the_same_origin(
        self, open_client: OpenRegistry, closed: ScriptedRegistry, elsewhere: ScriptedRegistry
    ) -> None:
        place = {"Location": f"http://{closed.host}/mirror"}
        closed.script("GET", f"/v2/a/blobs/{LAYER}", guarded(response(307, b"", place)))
        closed.script("GET", "/mirror", guarded(response(200, IMAGE.layer)))
        await self.copy(open_client, closed, elsewhere)

    async def test_a_challenge_elsewhere_gets_no_credentials(
        self, open_client: OpenRegistry, closed: ScriptedRegistry, elsewhere: ScriptedRegistry
    ) -> None:
        place = {"Location": f"http://{elsewhere.host}/signed"}
        closed.script("GET", f"/v2/a/blobs/{LAYER}", guarded(response(307, b"", place)))
        elsewhere.script("GET", "/signed", BASIC)
        with pytest.raises(Unauthorized):
            await self.copy(open_client, closed, elsewhere)
        assert not any("authorization" in each.headers for each in elsewhere.requests)

    @pytest.mark.parametrize(
        ("location", "message"),
        [
            ({}, "a missing or malformed Location"),
            ({"Location": "//r.example/x"}, "a missing or malformed Location"),
            ({"Location": "file:///etc/passwd"}, "a missing or malformed Location"),
            ({"Location": f"/v2/a/blobs/{LAYER}"}, "more than 5 redirects"),
        ],
        ids=["missing", "relative", "file", "loop"],
    )
    async def test_a_hostile_redirect(
        self,
        open_client: OpenRegistry,
        scripted_registry: ScriptedRegistry,
        elsewhere: ScriptedRegistry,
        location: dict[str, str],
        message: str,
    ) -> None:
        scripted_registry.script("GET", f"/v2/a/blobs/{LAYER}", response(307, b"", location))
        with pytest.raises(ProtocolViolated, match=message):
            await self.copy(open_client, scripted_registry, elsewhere)
        assert scripted_registry.asked().count(f"GET /v2/a/blobs/{LAYER}") <= 6

    async def test_credentials_do_not_follow_an_upload_to_another_port(
        self, open_client: OpenRegistry, closed: ScriptedRegistry, elsewhere: ScriptedRegistry
    ) -> None:
        place = {"Location": f"http://{elsewhere.host}/upload"}
        closed.script("POST", "/v2/b/blobs/uploads/", guarded(response(202, b"", place)))
        closed.script("PUT", "/v2/b/manifests/1", guarded(response(201)))
        elsewhere.script("PUT", "/upload", response(201))
        async with open_client(**me(closed)) as registry:
            await registry.copy(f"{closed.host}/a:1", f"{closed.host}/b:1")
        assert [each.body for each in elsewhere.requests] == [IMAGE.config, IMAGE.layer]
        assert not any("authorization" in each.headers for each in elsewhere.requests)

    async def test_encryption_is_never_given_up(
        self, open_client: OpenRegistry, elsewhere: ScriptedRegistry, tmp_path: Path
    ) -> None:
        certificates = Certificates.issue(tmp_path / "tls", "127.0.0.1")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificates.certificate, certificates.key)
        with ScriptedRegistry(context) as secure:
            serve(secure, "a", IMAGE)
            tls = {"tls": TLS(ca=certificates.ca), "plain_http": [elsewhere.host]}
            async with open_client(**tls) as registry:
                assert await registry.resolve(f"{secure.host}/a:1") == IMAGE.descriptor
                place = {"Location": f"http://{elsewhere.host}/x"}
                secure.script("GET", f"/v2/a/blobs/{LAYER}", response(307, b"", place))
                accept(elsewhere, "b", "1")
                with pytest.raises(ProtocolViolated, match="which is not encrypted"):
                    await registry.copy(f"{secure.host}/a:1", f"{elsewhere.host}/b:1")
            async with open_client(plain_http=[]) as registry:
                with pytest.raises(ConnectionFailed, match="certificate verify failed"):
                    await registry.resolve(f"{secure.host}/a:1")


def guarded(reply: Any) -> Any:
    """Return a reply that wants basic authentication."""

    def serve_users(request: Request) -> bytes:
        return reply if "authorization" in request.headers else BASIC

    return serve_users
