"""The two builders: what BuildKit does not take is refused by name before anything is sent."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from dockerproto import UnsupportedEngine, UnsupportedVersion
from dockerproto.classify import stream_error
from dockerproto.errors import StreamBadRequest
from dockerproto.images.build import build
from dockerproto.versions import NEWEST, Version
from tests.test_operations import request_of


def query_of(version: Version = NEWEST, /, *, podman: bool = False, **arguments: Any) -> dict[str, str]:
    untyped: Any = build
    target = request_of(untyped(fileobj=b"", **arguments)).target(version, podman=podman)
    return dict(parse_qsl(urlsplit(target).query))


def test_the_classic_builder_is_the_default() -> None:
    assert query_of() == query_of(builder="classic") == {"rm": "1"}
    assert query_of(podman=True, builder="classic") == {"rm": "1"}


def test_buildkit_is_asked_for() -> None:
    assert query_of(builder="buildkit") == {"rm": "1", "version": "2"}
    assert query_of(Version(1, 39), builder="buildkit")["version"] == "2"


def test_an_engine_may_be_too_old_for_buildkit() -> None:
    with pytest.raises(UnsupportedVersion, match=r"^parameter 'version' needs API 1\.39"):
        query_of(Version(1, 38), builder="buildkit")


def test_a_podman_has_no_buildkit() -> None:
    with pytest.raises(UnsupportedEngine, match=r"^a Podman does not build with BuildKit$"):
        query_of(podman=True, builder="buildkit")


@pytest.mark.parametrize("builder", ["Buildkit", "", None, 2])
def test_there_are_no_other_builders(builder: Any) -> None:
    with pytest.raises(ValueError, match=r"^builder is 'classic' or 'buildkit', not "):
        build(fileobj=b"", builder=builder)


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("rm", False, "rm=False is not for BuildKit: its steps are no containers of the engine"),
        ("forcerm", True, "forcerm is not for BuildKit: its steps are no containers of the engine"),
        ("memory", 0, "memory is not for BuildKit: it has no limits of memory and CPU"),
        ("memswap", -1, "memswap is not for BuildKit"),
        ("cpu_shares", 1, "cpu_shares is not for BuildKit"),
        ("cpu_period", 1, "cpu_period is not for BuildKit"),
        ("cpu_quota", 1, "cpu_quota is not for BuildKit"),
        ("cpuset_cpus", "0", "cpuset_cpus is not for BuildKit"),
        ("network_mode", "bridge", "network_mode of BuildKit is 'default', 'host' or 'none', not 'bridge'"),
        ("auth", {}, "auth is not for BuildKit: it asks for credentials in a session, and ignores those"),
    ],
)
def test_what_buildkit_would_ignore_is_refused(argument: str, value: Any, message: str) -> None:
    build(fileobj=b"", **{argument: value})
    with pytest.raises(ValueError, match=f"^{message}"):
        build(fileobj=b"", builder="buildkit", **{argument: value})


TAKEN: dict[str, Any] = {
    "tag": "a:1",
    "quiet": True,
    "nocache": True,
    "buildargs": {"A": None},
    "pull": True,
    "labels": {"a": "b"},
    "platform": "linux/amd64",
    "target": "x",
    "network_mode": "host",
    "extra_hosts": {"a": "::1"},
    "cache_from": "a",
    "shm_size": 1,
    "ulimits": {"core": 0},
    "squash": True,
}


def test_what_buildkit_takes_is_sent_as_to_the_classic_builder() -> None:
    assert query_of(builder="buildkit", **TAKEN) == query_of(**TAKEN) | {"version": "2"}
    remote = request_of(build(remote="https://h/a.git", builder="buildkit")).target(NEWEST)
    assert remote.endswith("?remote=https%3A%2F%2Fh%2Fa.git&rm=1&version=2")


@pytest.mark.parametrize(("argument", "parameter"), [("shm_size", "shmsize"), ("ulimits", "ulimits")])
def test_what_an_older_buildkit_would_ignore_is_refused(argument: str, parameter: str) -> None:
    given = {argument: TAKEN[argument]}
    assert parameter in query_of(Version(1, 41), **given)
    assert parameter in query_of(Version(1, 42), builder="buildkit", **given)
    with pytest.raises(UnsupportedVersion, match=f"^parameter '{parameter}' needs API 1.42"):
        query_of(Version(1, 41), builder="buildkit", **given)


def test_an_engine_that_does_not_give_the_tar_to_buildkit_is_told_of_with_the_way_out() -> None:
    text = (
        'failed to read downloaded context: failed to load cache key: Get "http://build-context-0":'
        " dial tcp: lookup build-context-0: no such host"
    )
    error = stream_error(text, {"message": text})
    assert type(error) is StreamBadRequest
    assert error.message.startswith(f"{text} (an engine that keeps its images in containerd does not")
    assert "builder='classic'" in error.message
    assert error.error_detail == {"message": text}
