"""The two builders: what BuildKit does not take is refused by name before anything is sent."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from dockerproto import UnsupportedEngine, UnsupportedVersion
from dockerproto.images.build import build
from dockerproto.offer import Tar
from dockerproto.versions import NEWEST, Version
from tests.test_operations import request_of


def query_of(version: Version = NEWEST, /, *, podman: bool = False, **arguments: Any) -> dict[str, str]:
    untyped: Any = build
    target = request_of(untyped(fileobj=b"", **arguments)).target(version, podman=podman)
    return dict(parse_qsl(urlsplit(target).query))


def test_the_classic_builder_is_asked_for() -> None:
    assert query_of() == query_of(builder="classic") == {"rm": "1"}
    assert query_of(podman=True, builder="classic") == {"rm": "1"}
    assert request_of(build(fileobj=b"", builder="classic")).for_buildkit is None


def test_without_a_builder_the_client_may_choose_if_both_would_do() -> None:
    request = request_of(build(fileobj=b"", tag="a:1"))
    assert request.for_buildkit == request_of(build(fileobj=b"", tag="a:1", builder="buildkit"))
    assert request_of(build(fileobj=b"", memory=5)).for_buildkit is None


def test_without_a_builder_what_is_for_buildkit_is_built_by_it() -> None:
    assert query_of(secrets={"a": b"b"})["version"] == "2"
    with pytest.raises(ValueError, match=r"^memory is not for BuildKit"):
        build(fileobj=b"", secrets={"a": b"b"}, memory=5)
    with pytest.raises(ValueError, match=r"^secrets is for BuildKit, not for the classic builder"):
        build(fileobj=b"", secrets={"a": b"b"}, builder="classic")


def test_buildkit_is_asked_for() -> None:
    assert query_of(builder="buildkit") == {"rm": "1", "version": "2"}
    assert query_of(Version(1, 39), builder="buildkit")["version"] == "2"


def test_an_engine_may_be_too_old_for_buildkit() -> None:
    with pytest.raises(UnsupportedVersion, match=r"^parameter 'version' needs API 1\.39"):
        query_of(Version(1, 38), builder="buildkit")


def test_a_podman_has_no_buildkit() -> None:
    with pytest.raises(UnsupportedEngine, match=r"^a Podman does not have BuildKit$"):
        query_of(podman=True, builder="buildkit")


@pytest.mark.parametrize("builder", ["Buildkit", "", 2])
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
        ("on_upload", print, "on_upload is not for BuildKit: it asks for the files that it needs"),
    ],
)
def test_what_buildkit_would_ignore_is_refused(argument: str, value: Any, message: str) -> None:
    build(fileobj=b"", **{argument: value})
    with pytest.raises(ValueError, match=f"^{message}"):
        build(fileobj=b"", builder="buildkit", **{argument: value})


def test_where_an_output_goes_is_the_business_of_the_client() -> None:
    assert query_of(output="x")["outputs"] == '[{"Type":"local","Attrs":{}}]'
    assert query_of(output=Tar("x.tar"))["outputs"] == '[{"Type":"tar","Attrs":{}}]'


def test_a_directory_is_not_compressed_for_buildkit() -> None:
    build(path="x", compression="gzip", builder="classic")
    with pytest.raises(ValueError, match=r"^compression is not for BuildKit"):
        build(path="x", compression="gzip", builder="buildkit")


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
