"""API versions: how they are read, compared, negotiated and required."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dockerproto.errors import ProtocolViolated, UnsupportedVersion
from dockerproto.versions import NEWEST, OLDEST, Version, negotiate, parse_version, pinned_version, require

MALFORMED = [
    *("", "v", "1", "1.", ".43", "1.43.0", "V1.43", "vv1.43", "1,43", "1.x", "-1.43", "1.-43", "one.two"),
    *("1.43 beta", "1. 43", "12345.1", "1.12345", "1.4\n3", "1.4\x00"),
]


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.24", Version(1, 24)),
        ("v1.43", Version(1, 43)),
        (" 1.41\n", Version(1, 41)),
        ("1.9", Version(1, 9)),
        ("2.0", Version(2, 0)),
        ("1.044", Version(1, 44)),
    ],
)
def test_what_is_a_version(text: str, version: Version) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize("text", MALFORMED, ids=repr)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="API version must be of the form"):
        parse_version(text)


@settings(deadline=None)
@given(major=st.integers(0, 9999), minor=st.integers(0, 9999), prefix=st.sampled_from(["", "v"]))
def test_a_version_is_read_as_it_is_written(major: int, minor: int, prefix: str) -> None:
    version = Version(major, minor)
    assert parse_version(f"{prefix}{version}") == version


@pytest.mark.parametrize(
    ("older", "newer"),
    [("1.9", "1.24"), ("1.5", "1.50"), ("1.99", "1.100"), ("1.100", "2.0")],
)
def test_versions_are_compared_by_number(older: str, newer: str) -> None:
    assert parse_version(older) < parse_version(newer)


def test_what_is_spoken_here() -> None:
    assert (str(OLDEST), str(NEWEST)) == ("1.24", "1.55")


@pytest.mark.parametrize("text", ["1.24", "1.55", "v1.41", "1.30"])
def test_a_version_to_insist_on(text: str) -> None:
    assert str(pinned_version(text)) == text.removeprefix("v")


@pytest.mark.parametrize("text", ["1.23", "1.56", "2.0", "0.99", "v1.9"])
def test_a_version_that_is_not_spoken_here(text: str) -> None:
    with pytest.raises(ValueError, match=r"unsupported API version .* \(supported: 1\.24 to 1\.55\)"):
        pinned_version(text)


@pytest.mark.parametrize("text", ["auto", "latest", ""])
def test_a_version_to_insist_on_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="API version must be of the form"):
        pinned_version(text)


@pytest.mark.parametrize(
    ("engine", "spoken"),
    [
        ("1.24", "1.24"),
        ("1.41", "1.41"),
        ("1.45", "1.45"),
        ("1.55", "1.55"),
        ("1.56", "1.55"),
        ("2.1", "1.55"),
    ],
)
def test_the_smaller_of_both_maxima_is_spoken(engine: str, spoken: str) -> None:
    assert str(negotiate(engine)) == spoken


@pytest.mark.parametrize("engine", [None, "", "unknown", "1", "1.41-beta"], ids=repr)
def test_an_engine_that_is_none(engine: str | None) -> None:
    with pytest.raises(ProtocolViolated) as caught:
        negotiate(engine)
    assert caught.value.message == f"not a Docker Engine: its API version is {engine!r}"
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize("engine", ["1.23", "1.9", "0.1"])
def test_an_engine_that_is_too_old(engine: str) -> None:
    with pytest.raises(UnsupportedVersion) as caught:
        negotiate(engine)
    assert (
        caught.value.message
        == f"the engine's newest API version is {engine}; the oldest supported one is 1.24"
    )


@pytest.mark.parametrize("spoken", [Version(1, 47), Version(1, 48), Version(2, 0)], ids=str)
def test_what_the_version_has(spoken: Version) -> None:
    require(Version(1, 47), "parameter 'manifests'", spoken)


@pytest.mark.parametrize("spoken", [Version(1, 46), Version(1, 24), Version(1, 9)], ids=str)
def test_what_the_version_does_not_have_yet(spoken: Version) -> None:
    with pytest.raises(UnsupportedVersion) as caught:
        require(Version(1, 47), "parameter 'manifests'", spoken)
    message = f"parameter 'manifests' needs API 1.47, but API {spoken} is in use"
    assert (caught.value.status, caught.value.message) == (0, message)
