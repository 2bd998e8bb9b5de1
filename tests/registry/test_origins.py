"""References, URLs and redirects become origins: credentials are bound to them."""

from __future__ import annotations

import pytest

from dockerproto import InvalidHost, ProtocolViolated, parse_reference
from dockerproto.registry.origins import (
    Location,
    Origin,
    is_loopback,
    origin_of,
    parse_url,
    repository_of,
    resolve_location,
)

SECURE = origin_of("r.example", None)
PLAIN = origin_of("localhost:5000", None)


@pytest.mark.parametrize(
    ("reference", "origin", "path"),
    [
        ("busybox", "https://registry-1.docker.io", "library/busybox"),
        ("team/app:1", "https://registry-1.docker.io", "team/app"),
        ("docker.io/busybox", "https://registry-1.docker.io", "library/busybox"),
        ("index.docker.io/team/app", "https://registry-1.docker.io", "team/app"),
        ("r.example/app", "https://r.example", "app"),
        ("r.example:443/a/b/c:1", "https://r.example", "a/b/c"),
        ("r.example:5000/app", "https://r.example:5000", "app"),
        ("localhost/app", "http://localhost", "app"),
        ("localhost:5000/app", "http://localhost:5000", "app"),
        ("127.3.0.1:80/app", "http://127.3.0.1", "app"),
        ("[::1]:5000/app", "http://[::1]:5000", "app"),
        ("127.0.0.1.example/app", "https://127.0.0.1.example", "app"),
    ],
)
def test_a_reference_has_a_repository(reference: str, origin: str, path: str) -> None:
    repository = repository_of(parse_reference(reference), None)
    assert (str(repository.origin), repository.path) == (origin, path)
    assert repository.target("manifests", "x") == f"/v2/{path}/manifests/x"


def test_registries_to_reach_without_tls_are_an_argument() -> None:
    assert str(origin_of("r.example:5000", ["r.example:5000"])) == "http://r.example:5000"
    assert str(origin_of("r.example", ["r.example"])) == "http://r.example"
    assert str(origin_of("r.example", ["r.example:5000"])) == "https://r.example"
    assert str(origin_of("localhost:5000", [])) == "https://localhost:5000"


def test_an_invalid_port_is_refused() -> None:
    with pytest.raises(InvalidHost, match=r"invalid registry 'r.example:70000': expected host\[:port\]"):
        origin_of("r.example:70000", None)


@pytest.mark.parametrize(
    ("text", "origin", "target"),
    [
        ("https://a.example", "https://a.example", "/"),
        ("HTTPS://A.example:443/token", "https://a.example", "/token"),
        ("http://a.example:80/t?x=%20", "http://a.example", "/t?x=%20"),
        ("https://a.example?x=1", "https://a.example", "/?x=1"),
        ("https://[::1]:5000/t", "https://[::1]:5000", "/t"),
    ],
)
def test_a_url_is_parsed(text: str, origin: str, target: str) -> None:
    location = parse_url(text)
    assert location is not None
    assert (str(location.origin), str(location.target)) == (origin, target)
    assert target not in repr(location)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "token",
        "ftp://a.example/",
        "https:///token",
        "https://user:secret@a.example/",
        "https://a.example/#fragment",
        "https://a.example:70000/",
        "https://a.example/ b",
        "https://a.example/\r\nX: y",
        "https://a.example\\@b.example/",
        "https://a.example/\u00e9",
        f"https://a.example/{'x' * 20_000}",
    ],
    ids=lambda text: text[:30].encode("unicode_escape").decode(),
)
def test_another_text_is_not_a_url(text: str) -> None:
    assert parse_url(text) is None


@pytest.mark.parametrize(
    ("text", "origin", "expected"),
    [
        ("/v2/a/blobs/uploads/1?_state=x", SECURE, "https://r.example"),
        ("https://r.example:443/x", SECURE, "https://r.example"),
        ("https://cdn.example/x", SECURE, "https://cdn.example"),
        ("https://localhost:5000/x", PLAIN, "https://localhost:5000"),
        ("http://cdn.example/x", PLAIN, "http://cdn.example"),
    ],
)
def test_a_location_is_resolved(text: str, origin: Origin, expected: str) -> None:
    assert str(resolve_location(text, origin).origin) == expected


@pytest.mark.parametrize(
    "text", [None, "", "x", "//cdn.example/x", "/\\cdn.example", "/ x", f"/{'x' * 20_000}"]
)
def test_a_malformed_location_is_refused(text: str | None) -> None:
    with pytest.raises(ProtocolViolated, match="a missing or malformed Location"):
        resolve_location(text, SECURE)


def test_a_location_never_gives_up_encryption() -> None:
    with pytest.raises(ProtocolViolated, match=r"redirects to http://r\.example, which is not encrypted"):
        resolve_location("http://r.example/x", SECURE)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.255.255.255", "::1"])
def test_this_machine_is_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["localhost.example", "128.0.0.1", "127.0.0.1.example", "1127.0.0.1", "::2"])
def test_others_are_not_this_machine(host: str) -> None:
    assert not is_loopback(host)


def test_locations_are_compared_by_their_parts() -> None:
    location = resolve_location("/x", SECURE)
    assert isinstance(location, Location)
    assert location.origin == SECURE
    assert origin_of("r.example:444", None) != SECURE
