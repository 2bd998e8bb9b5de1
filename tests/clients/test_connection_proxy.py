"""An HTTP proxy between the client and its engine, on all three clients."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from dockerproto import TCP, ConnectionFailed, InvalidHost, Timeout
from tests.conftest import Connect
from tests.testbed.proxy import Proxy
from tests.testbed.scripted import ScriptedEngine, json_response, response

pytestmark = pytest.mark.anyio

ENGINE = "tcp://engine.test"
HOST = "engine.test:2375"
PING = ("GET", f"http://{HOST}/_ping")
LIST = ("GET", f"http://{HOST}/v1.41/images/json")
DENIED = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def proxy(scripted: ScriptedEngine) -> Iterator[Proxy]:
    scripted.script("GET", "/images/json", json_response([]))
    with Proxy(scripted.socket) as proxy:
        yield proxy


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> trustme.CA:
    """An authority that this machine trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "system.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system.pem"))
    return authority


def server_context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    return context


@pytest.fixture
def secured(scripted: ScriptedEngine, authority: trustme.CA) -> Iterator[int]:
    """The port of an engine with TLS, called engine.test."""
    scripted.script("GET", "/images/json", json_response([]))
    with Proxy(scripted.socket, tls=server_context(authority, "engine.test")) as engine:
        yield engine.port


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy"])
async def test_requests_to_a_plain_engine_are_forwarded(
    proxy: Proxy, scripted: ScriptedEngine, connect: Connect, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, proxy.url)
    async with connect(ENGINE) as docker:
        assert await docker.images.list() == []
        assert await docker.images.list() == []
        assert docker.endpoint.address == TCP("engine.test", 2375)
        assert str(docker.endpoint.proxy) == proxy.url
    assert proxy.requests == [PING, LIST, LIST]
    assert proxy.connections == 1
    assert [each.target for each in scripted.requests] == ["/_ping", *["/v1.41/images/json"] * 2]
    assert scripted.requests[-1].headers["host"] == HOST
    assert "Proxy-Authorization" not in "".join(proxy.heads)


async def test_an_engine_below_a_path(proxy: Proxy, scripted: ScriptedEngine, connect: Connect) -> None:
    scripted.script("GET", "/behind/_ping", response(200, b"OK", {"Api-Version": "1.41"}))
    async with connect(f"{ENGINE}/behind", proxy=proxy.url) as docker:
        await docker.ping()
    assert proxy.requests == [("GET", f"http://{HOST}/behind/_ping")]


async def test_an_upload_is_forwarded(proxy: Proxy, scripted: ScriptedEngine, connect: Connect) -> None:
    scripted.script("POST", "/images/load", json_response({"stream": "Loaded image: x:latest\n"}))
    body = bytes(range(256)) * 20_000
    async with connect(ENGINE, proxy=proxy.url) as docker:
        await docker.images.import_image(body)
    assert proxy.requests[-1] == ("POST", f"http://{HOST}/v1.41/images/load?quiet=1")
    assert scripted.requests[-1].length == len(body)


async def test_connections_to_an_engine_with_tls_are_tunnelled(
    secured: int, connect: Connect, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy(secured) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        async with connect("https://engine.test") as docker:
            assert await docker.images.list() == []
            assert await docker.images.list() == []
    assert proxy.requests == [("CONNECT", "engine.test:443")]


async def test_a_tunnel_does_not_weaken_verification(
    secured: int, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy(secured) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with connect("https://other.test") as docker:
            with pytest.raises(ConnectionFailed, match=r"certificate is not valid for 'other\.test'"):
                await docker.ping()


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
async def test_a_proxy_over_tls(
    scripted: ScriptedEngine, secured: int, connect: Connect, authority: trustme.CA, encrypted: bool
) -> None:
    context = server_context(authority, "127.0.0.1")
    with Proxy(secured if encrypted else scripted.socket, tls=context) as proxy:
        async with connect("https://engine.test" if encrypted else ENGINE, proxy=proxy.url) as docker:
            assert await docker.images.list() == []
    assert proxy.requests == ([("CONNECT", "engine.test:443")] if encrypted else [PING, LIST])


async def test_a_proxy_whose_certificate_is_not_trusted(connect: Connect, scripted: ScriptedEngine) -> None:
    with Proxy(scripted.socket, tls=server_context(trustme.CA(), "127.0.0.1")) as proxy:
        async with connect(ENGINE, proxy=proxy.url) as docker:
            with pytest.raises(
                ConnectionFailed, match=r"through the proxy https://.* certificate verify failed"
            ):
                await docker.ping()


async def test_sessions_are_tunnelled(
    proxy: Proxy, scripted: ScriptedEngine, connect: Connect, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    async with connect(ENGINE, proxy=proxy.url) as docker:
        with pytest.raises(Exception, match="page not found"):
            await docker.images.build(path=tmp_path, builder="buildkit")
    assert proxy.requests == [PING, ("CONNECT", HOST)]
    assert [each.path for each in scripted.requests[-2:]] == ["/session", "/grpc"]


async def test_no_proxy(proxy: Proxy, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    async with connect(ENGINE, proxy=None) as docker:
        assert docker.endpoint.proxy is None
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8,.test:2375")
    async with connect(ENGINE) as docker:
        assert docker.endpoint.proxy is None
    async with connect("tcp://engine.test:2376") as docker:
        assert str(docker.endpoint.proxy) == proxy.url


async def test_a_proxy_is_only_for_tcp(
    proxy: Proxy, scripted: ScriptedEngine, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    async with connect(scripted.url) as docker:
        await docker.ping()
    with pytest.raises(ValueError, match="proxy= needs an engine at a TCP address, not unix://"):
        connect(scripted.url, proxy=proxy.url)
    assert proxy.requests == []


async def test_this_machine_is_never_behind_a_proxy_of_the_environment(
    scripted: ScriptedEngine, proxy: Proxy, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with connect(f"tcp://127.0.0.1:{proxy.port}") as docker:  # the proxy serves as an engine
        assert docker.endpoint.proxy is None
        await docker.ping()
    assert proxy.requests == [("GET", "/_ping")]


@pytest.mark.parametrize("url", ["socks5://me:s3cret@p:1", "http://me:s3cret@p:x"])
def test_a_proxy_that_cannot_be_used(connect: Connect, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    with pytest.raises(InvalidHost, match=r"invalid proxy .*\(from proxy=\)") as given:
        connect(ENGINE, proxy=url)
    monkeypatch.setenv("HTTP_PROXY", url)
    with pytest.raises(InvalidHost, match=r"invalid proxy .*\(from HTTP_PROXY\)") as found:
        connect(ENGINE)
    assert "s3cret" not in f"{given.value!r} {found.value!r}"
    connect("tcp://localhost")
    connect(ENGINE, proxy=None)


async def test_credentials_reach_the_proxy_and_nothing_else(
    proxy: Proxy, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "dockerproto")
    url = proxy.url.replace("//", "//me:s3cret@")
    async with connect(ENGINE, proxy=url) as docker:
        await docker.images.list()
        shown = f"{docker!r} {docker.endpoint!r} {docker.endpoint.route!r} {docker.endpoint.route}"
    assert proxy.requests == [PING, LIST]
    assert ["Proxy-Authorization: Basic bWU6czNjcmV0" in each for each in proxy.heads] == [True, True]
    assert caplog.text
    for secret in ("s3cret", "bWU6czNjcmV0"):
        assert secret not in shown + caplog.text


FAILURES: dict[str, tuple[bytes, str, str]] = {
    "407": (DENIED, "", "requires authentication; its URL needs a user and a password"),
    "407 again": (DENIED, "me:s3cret@", "rejects the user and password in its URL"),
    "refused": (b"HTTP/1.1 403 Forbidden\r\n\r\n", "", "the proxy refuses a tunnel to it, status 403"),
    "not HTTP": (b"220 ready\r\n\r\n", "", "the proxy does not speak HTTP"),
}


@pytest.mark.parametrize("case", FAILURES)
async def test_a_proxy_that_opens_no_tunnel(scripted: ScriptedEngine, connect: Connect, case: str) -> None:
    reply, user, message = FAILURES[case]
    with Proxy(scripted.socket, reply=reply) as proxy:
        url = proxy.url.replace("//", f"//{user}")
        async with connect("https://engine.test", proxy=url) as docker:
            expected = rf"^cannot connect to tcp://engine\.test:443 through the proxy {proxy.url} .*{message}"
            with pytest.raises(ConnectionFailed, match=expected) as caught:
                await docker.ping()
            assert "s3cret" not in repr(caught.value)


@pytest.mark.parametrize("user", ["", "me:s3cret@"])
async def test_a_proxy_that_rejects_forwarded_requests(
    scripted: ScriptedEngine, connect: Connect, user: str
) -> None:
    with Proxy(scripted.socket, reply=DENIED) as proxy:
        async with connect(ENGINE, proxy=proxy.url.replace("//", f"//{user}")) as docker:
            with pytest.raises(ConnectionFailed, match=r"cannot connect to .* through the proxy") as caught:
                await docker.images.list()
    assert caught.value.status == 407
    assert ("rejects the user" in caught.value.message) is bool(user)
    assert not scripted.requests


@pytest.mark.parametrize("url", [ENGINE, "https://engine.test"])
async def test_a_proxy_that_is_absent(connect: Connect, refusing_port: int, url: str) -> None:
    proxy = f"http://127.0.0.1:{refusing_port}"
    async with connect(url, proxy=proxy) as docker:
        with pytest.raises(ConnectionFailed, match=f"through the proxy {proxy} .*: connection refused"):
            await docker.ping()


async def test_a_proxy_that_never_responds(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        proxy = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with connect("https://engine.test", proxy=proxy) as docker:
            with pytest.raises(TimeoutError, match=r"\(connect\)"):
                await docker.images.list(timeout=Timeout(connect=0.2))


@pytest.mark.parametrize("proxy", [5, b"http://p"], ids=repr)
def test_a_proxy_of_another_type(connect: Connect, proxy: Any) -> None:
    with pytest.raises(TypeError, match="proxy must be a URL or None"):
        connect(ENGINE, proxy=proxy)
