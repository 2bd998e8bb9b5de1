"""The ways to the Control API: which are tried, by address, TLS and API version."""

from __future__ import annotations

from typing import Final

import pytest

from dockerproto.buildkit.control.ways import HTTP2_SINCE, Way, control_ways
from dockerproto.endpoint.addresses import (
    SSH,
    TCP,
    TLS,
    Address,
    Command,
    Endpoint,
    NamedPipe,
    Proxy,
    UnixSocket,
)
from dockerproto.request.buildkit_access import BuildKitAccess, CallHeaders
from dockerproto.versions import Version

BOTH: Final = (Way.HTTP2, Way.UPGRADE)
ONLY: Final = (Way.UPGRADE,)
PORT: Final = TCP("h", 2375)


@pytest.mark.parametrize(
    ("address", "ways"),
    [
        (UnixSocket("/x"), BOTH),
        (SSH("h"), BOTH),
        (PORT, BOTH),
        (TCP("h", 2375, "/prefix"), ONLY),
        (NamedPipe("//./pipe/x"), ONLY),
    ],
    ids=str,
)
def test_by_address(address: Address, ways: tuple[Way, ...]) -> None:
    access = BuildKitAccess.of_engine(Endpoint(address, "test"), ())
    assert control_ways(access, HTTP2_SINCE) == ways
    access.refuses_http2 = True
    assert control_ways(access, HTTP2_SINCE) == ONLY


def test_through_tls_and_proxies() -> None:
    proxy = Proxy(TCP("proxy", 3128))
    assert control_ways(BuildKitAccess.of_engine(Endpoint(PORT, "test", tls=TLS()), ()), HTTP2_SINCE) == ONLY
    assert (
        control_ways(BuildKitAccess.of_engine(Endpoint(PORT, "test", proxy=proxy), ()), HTTP2_SINCE) == BOTH
    )


@pytest.mark.parametrize(
    ("version", "ways"), [((1, 52), ONLY), ((1, 53), BOTH), ((1, 55), BOTH), ((2, 0), BOTH)]
)
def test_by_version(version: tuple[int, int], ways: tuple[Way, ...]) -> None:
    assert control_ways(BuildKitAccess.of_engine(Endpoint(PORT, "test"), ()), Version(*version)) == ways


@pytest.mark.parametrize(
    ("endpoint", "scheme", "authority"),
    [
        (Endpoint(UnixSocket("/x"), "test"), "http", "localhost"),
        (Endpoint(Command(("x",)), "test"), "http", "localhost"),
        (Endpoint(PORT, "test"), "http", "h:2375"),
        (Endpoint(TCP("::1", 2375), "test", tls=TLS()), "https", "[::1]:2375"),
    ],
    ids=["socket", "command", "port", "TLS"],
)
def test_a_daemon_learns_its_name(endpoint: Endpoint, scheme: str, authority: str) -> None:
    access = BuildKitAccess.of_daemon(endpoint)
    assert access.headers == CallHeaders(scheme=scheme, authority=authority)
    assert not access.has_images
