"""Proxies in front of engines: their URLs, and the choice by the environment."""

from __future__ import annotations

import os
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerproto.endpoint.addresses import (
    SSH,
    TCP,
    TLS,
    Address,
    Endpoint,
    NamedPipe,
    Proxied,
    Proxy,
    UnixSocket,
    tunnelled,
)
from dockerproto.endpoint.hosts import parse_host
from dockerproto.endpoint.proxies import bypasses_proxy, find_proxy, parse_proxy, resolve_proxy
from dockerproto.errors import InvalidHost
from dockerproto.timeouts import DEFAULT
from tests.support.proxy_cases import NO_PROXY_CASES

ENGINE = TCP("engine.test", 2375)
PROXY = "http://proxy.test:3128"


def basic(text: str) -> str:
    return f"Basic {b64encode(os.fsencode(text)).decode()}"


@pytest.mark.parametrize(
    ("text", "proxy", "shown"),
    [
        (PROXY, Proxy(TCP("proxy.test", 3128)), PROXY),
        ("proxy.test:3128", Proxy(TCP("proxy.test", 3128)), PROXY),
        ("proxy.test", Proxy(TCP("proxy.test", 80)), "http://proxy.test:80"),
        (" http://proxy.test: ", Proxy(TCP("proxy.test", 80)), "http://proxy.test:80"),
        ("HTTP://Proxy.Test/", Proxy(TCP("proxy.test", 80)), "http://proxy.test:80"),
        ("http://proxy.test:1/a?b#c", Proxy(TCP("proxy.test", 1)), "http://proxy.test:1"),
        ("http://bücher.test", Proxy(TCP("xn--bcher-kva.test", 80)), "http://xn--bcher-kva.test:80"),
        ("https://proxy.test", Proxy(TCP("proxy.test", 443), tls=True), "https://proxy.test:443"),
        ("https://[::1]:3128", Proxy(TCP("::1", 3128), tls=True), "https://[::1]:3128"),
        ("[::1]", Proxy(TCP("::1", 80)), "http://[::1]:80"),
        ("http://me:pw@p.test", Proxy(TCP("p.test", 80), authorization=basic("me:pw")), "http://p.test:80"),
        (
            "http://a\udcff:b@p.test",
            Proxy(TCP("p.test", 80), authorization=basic("a\udcff:b")),
            "http://p.test:80",
        ),
        ("http://me@p.test", Proxy(TCP("p.test", 80), authorization=basic("me:")), "http://p.test:80"),
        ("http://@p.test", Proxy(TCP("p.test", 80), authorization=basic(":")), "http://p.test:80"),
        ("m:p:w@p.test:1", Proxy(TCP("p.test", 1), authorization=basic("m:p:w")), "http://p.test:1"),
        (
            "http://a%40b:%3a%2F@p.test",
            Proxy(TCP("p.test", 80), authorization=basic("a@b::/")),
            "http://p.test:80",
        ),
        ("http://é:p@w@p.test", Proxy(TCP("p.test", 80), authorization=basic("é:p@w")), "http://p.test:80"),
    ],
    ids=str,
)
def test_the_url_of_a_proxy(text: str, proxy: Proxy, shown: str) -> None:
    assert parse_proxy(text) == proxy
    assert str(proxy) == shown
    assert "Basic" not in repr(proxy)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "http://", "http://:1", "://p", "//p", "/p", "http:p:1", "p:0", "p:65536", "p:x", "p:1:2"),
        *(
            "socks5://p:1",
            "socks5h://p:1",
            "ftp://p:1",
            "unix:///p",
            "http://a b",
            "a..b",
            "ß",
            "[:::]",
            "[::1%lo]",
        ),
        *(
            "http://p\r\nX: 1",
            "http://p\0",
            "http://a\ud800@p",
            "http://p\udcff",
            "http://me:s3cret@",
            "http://me:s3cret@p:x",
            "socks5://me:s3cret@p",
        ),
        *("ftp://me:s3cret@p", "http://me:s3/cret@p:1"),
    ],
    ids=repr,
)
def test_what_is_not_a_proxy(text: str) -> None:
    with pytest.raises(
        InvalidHost, match=r"^invalid proxy .* \(from HTTP_PROXY\); expected http://"
    ) as caught:
        find_proxy(ENGINE, {"HTTP_PROXY": text or "/"}, tls=False)
    assert "cret" not in repr(caught.value)
    assert caught.value.__context__ is None


@given(st.text(st.characters(), max_size=20))
def test_any_text_is_a_proxy_or_rejected(text: str) -> None:
    try:
        proxy = parse_proxy(text)
    except InvalidHost as error:
        assert error.status == 0  # noqa: PT017
    else:
        assert not set("\r\n \0@/") & set(proxy.address.host)
        assert proxy.authorization is None or proxy.authorization.isascii()


@pytest.mark.parametrize(("url", "no_proxy", "used"), NO_PROXY_CASES, ids=repr)
def test_hosts_without_a_proxy(url: str, no_proxy: str, used: bool) -> None:
    address = parse_host(url)
    assert isinstance(address, TCP)
    assert bypasses_proxy(address, no_proxy) is not used
    for tls in (False, True):
        variables = {"HTTP_PROXY": PROXY, "HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy}
        assert find_proxy(address, variables, tls=tls) == (parse_proxy(PROXY) if used else None)


@given(
    st.text(st.characters(), max_size=20),
    st.sampled_from(["tcp://a.test", "tcp://10.0.0.1", "tcp://[2001:db8::1]"]),
)
def test_any_pattern_is_taken(no_proxy: str, url: str) -> None:
    address = parse_host(url)
    assert isinstance(address, TCP)
    assert bypasses_proxy(address, no_proxy) in (True, False)


OTHER = "http://other.test"


@pytest.mark.parametrize(
    ("variables", "plain", "encrypted"),
    [
        ({}, None, None),
        ({"HTTP_PROXY": PROXY}, PROXY, None),
        ({"HTTPS_PROXY": PROXY}, None, PROXY),
        ({"http_proxy": PROXY, "https_proxy": OTHER}, PROXY, OTHER),
        ({"HTTP_PROXY": PROXY, "http_proxy": OTHER}, PROXY, None),
        ({"HTTP_PROXY": "", "http_proxy": OTHER}, OTHER, None),
        ({"ALL_PROXY": PROXY, "all_proxy": PROXY, "DOCKER_PROXY": PROXY}, None, None),
        ({"HTTP_PROXY": PROXY, "no_proxy": "engine.test"}, None, None),
        ({"HTTP_PROXY": PROXY, "NO_PROXY": "x", "no_proxy": "engine.test"}, PROXY, None),
        ({"HTTP_PROXY": PROXY, "NO_PROXY": "", "no_proxy": "engine.test"}, None, None),
        ({"HTTP_PROXY": "/", "NO_PROXY": "*"}, None, None),
        ({"HTTPS_PROXY": PROXY, "REQUEST_METHOD": "GET"}, None, PROXY),
        ({"HTTP_PROXY": PROXY, "REQUEST_METHOD": ""}, PROXY, None),
        ({"HTTP_PROXY": PROXY, "REQUEST_METHOD": "GET", "NO_PROXY": "test"}, None, None),
    ],
    ids=str,
)
def test_the_proxy_of_the_environment(
    variables: dict[str, str], plain: str | None, encrypted: str | None
) -> None:
    expected = [None if each is None else parse_proxy(each) for each in (plain, encrypted)]
    assert [find_proxy(ENGINE, variables, tls=tls) for tls in (False, True)] == expected


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy"])
def test_a_cgi_program_is_not_told_its_proxy_by_a_request(name: str) -> None:
    with pytest.raises(InvalidHost, match="HTTP_PROXY is unsafe in a CGI program"):
        find_proxy(ENGINE, {name: PROXY, "REQUEST_METHOD": "GET"}, tls=False)


def test_the_proxy_of_an_endpoint() -> None:
    variables = {"HTTP_PROXY": PROXY}
    plain, encrypted = Endpoint(ENGINE, "url="), Endpoint(ENGINE, "url=", tls=TLS())
    assert resolve_proxy(plain, DEFAULT, variables).proxy == parse_proxy(PROXY)
    assert resolve_proxy(encrypted, DEFAULT, variables) == encrypted
    assert resolve_proxy(plain, None, variables) == plain
    assert resolve_proxy(plain, OTHER, variables).proxy == parse_proxy(OTHER)
    assert resolve_proxy(encrypted, OTHER, variables).proxy == parse_proxy(OTHER)
    loopback = Endpoint(TCP("127.0.0.1", 1), "url=")
    assert resolve_proxy(loopback, DEFAULT, variables) == loopback
    assert resolve_proxy(loopback, OTHER, {"NO_PROXY": "*"}).proxy == parse_proxy(OTHER)


@pytest.mark.parametrize("address", [UnixSocket("/s"), SSH("h"), NamedPipe("//./pipe/x")], ids=str)
def test_only_tcp_has_proxies(address: Address) -> None:
    endpoint = Endpoint(address, "url=")
    for tls in (False, True):
        name = "HTTPS_PROXY" if tls else "HTTP_PROXY"
        assert resolve_proxy(endpoint, DEFAULT, {name: "/", "REQUEST_METHOD": "GET"}) == endpoint
    assert resolve_proxy(endpoint, None, {}) == endpoint
    with pytest.raises(ValueError, match=f"proxy= needs an engine at a TCP address, not {address}"):
        resolve_proxy(endpoint, PROXY, {})


@pytest.mark.parametrize("proxy", [b"http://p", 5, True, {"http": PROXY}], ids=repr)
def test_a_proxy_of_another_type(proxy: Any) -> None:
    with pytest.raises(TypeError, match="proxy must be a URL or None, not"):
        resolve_proxy(Endpoint(ENGINE, "url="), proxy, {})


def test_the_route_to_an_engine() -> None:
    proxy = parse_proxy("http://me:pw@proxy.test:3128")
    engine = TCP("engine.test", 2375, "/x")
    direct = Endpoint(engine, "url=")
    forwarded = Endpoint(engine, "url=", proxy=proxy).route
    tunnel = Endpoint(engine, "url=", tls=TLS(), proxy=proxy).route
    assert direct.route == engine == tunnelled(engine)
    assert forwarded == Proxied(engine, proxy, tunnel=False)
    assert tunnel == Proxied(engine, proxy) == tunnelled(tunnel) == tunnelled(forwarded)
    assert (tunnel.host, tunnel.prefix) == ("engine.test:2375", "/x")
    assert str(tunnel) == "tcp://engine.test:2375/x through the proxy http://proxy.test:3128"
    assert "Basic" not in repr(tunnel)
