"""Requests to a proxy, and the exchange that opens a tunnel, without I/O."""

from __future__ import annotations

from typing import Any

import pytest

from dockerproto import ConnectionFailed
from dockerproto.agent import AGENT
from dockerproto.endpoint.addresses import TCP, Proxied, UnixSocket
from dockerproto.endpoint.proxies import parse_proxy
from dockerproto.http.connecting import Target
from dockerproto.http.http11 import HEAD_LIMIT, Head, WireRequest
from dockerproto.http.proxying import Tunnel, check_credentials, forwarded

ENGINE = TCP("2001:db8::1", 2375)
PROXY = parse_proxy("http://me:pw@proxy.test")
TUNNEL = Proxied(ENGINE, PROXY)
FORWARDED = Proxied(ENGINE, PROXY, tunnel=False)
REQUEST = WireRequest("GET", "/x/_ping?a=b", [("Host", ENGINE.host)])
AUTHORIZATION = ("Proxy-Authorization", "Basic bWU6cHc=")


def test_the_request_to_a_proxy() -> None:
    expected = WireRequest(
        "GET", "http://[2001:db8::1]:2375/x/_ping?a=b", [("Host", ENGINE.host), AUTHORIZATION]
    )
    assert forwarded(REQUEST, FORWARDED) == expected
    assert "bWU6cHc" not in repr(expected)
    without = Proxied(ENGINE, parse_proxy("proxy.test"), tunnel=False)
    assert forwarded(REQUEST, without).headers == REQUEST.headers


@pytest.mark.parametrize("address", [ENGINE, UnixSocket("/s"), TUNNEL], ids=str)
def test_the_request_to_an_engine(address: Any) -> None:
    assert forwarded(REQUEST, address) is REQUEST


def test_a_tunnel_is_requested() -> None:
    assert Tunnel(TUNNEL).request().split(b"\r\n") == [
        b"CONNECT [2001:db8::1]:2375 HTTP/1.1",
        b"Host: [2001:db8::1]:2375",
        f"User-Agent: {AGENT[1]}".encode(),
        b"Proxy-Authorization: Basic bWU6cHc=",
        b"",
        b"",
    ]
    assert b"Proxy" not in Tunnel(Proxied(ENGINE, parse_proxy("proxy.test"))).request()


OPEN = [
    b"HTTP/1.1 200 Connection established\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nProxy-agent: x\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
]


@pytest.mark.parametrize("response", OPEN)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_tunnel_is_open_at_the_end_of_the_head(response: bytes, size: int) -> None:
    tunnel = Tunnel(TUNNEL)
    tunnel.request()
    parts = [response[at : at + size] for at in range(0, len(response), size)]
    assert [tunnel.feed(memoryview(part)) for part in parts] == [False] * (len(parts) - 1) + [True]


NO_TUNNEL = {
    "interim": (b"HTTP/1.1 100 Continue\r\n\r\n" * 17, "the proxy sent more than 16 interim responses"),
    "refused": (b"HTTP/1.1 403 Forbidden\r\n\r\n", "the proxy refuses a tunnel to it, status 403"),
    "no engine": (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\noops", "refuses .* status 502"),
    "moved": (b"HTTP/1.1 302 Found\r\nLocation: http://x\r\n\r\n", "refuses .* status 302"),
    "credentials": (b"HTTP/1.1 407 x\r\n\r\n", "the proxy rejects the user and password in its URL"),
    "ahead": (b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK", "sent data before the tunnel was used"),
    "not HTTP": (b"SSH-2.0-OpenSSH\r\n\r\n", "the proxy does not speak HTTP"),
    "closed": (b"", "the proxy closed the connection"),
    "too long": (b"HTTP/1.1 200 OK\r\nX: " + bytes(HEAD_LIMIT), "the proxy does not speak HTTP"),
}


@pytest.mark.parametrize("case", NO_TUNNEL)
def test_no_tunnel(case: str) -> None:
    response, message = NO_TUNNEL[case]
    tunnel = Tunnel(TUNNEL)
    tunnel.request()
    with pytest.raises(ConnectionError, match=message):
        tunnel.feed(response)


def test_a_proxy_without_credentials_says_so() -> None:
    tunnel = Tunnel(Proxied(ENGINE, parse_proxy("proxy.test")))
    tunnel.request()
    with pytest.raises(ConnectionError, match="its URL needs a user and a password"):
        tunnel.feed(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")


def test_the_credentials_of_a_forwarded_request() -> None:
    check_credentials(Head(407, {}), Target(ENGINE))  # from the engine, or a server in front of it
    check_credentials(Head(407, {}), Target(TUNNEL))
    check_credentials(Head(401, {}), Target(FORWARDED))
    with pytest.raises(ConnectionFailed) as caught:
        check_credentials(Head(407, {}), Target(FORWARDED, "from url="))
    assert caught.value.message == (
        "cannot connect to tcp://[2001:db8::1]:2375 through the proxy http://proxy.test:80 (from url=): "
        "the proxy rejects the user and password in its URL"
    )
