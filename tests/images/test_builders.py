"""The two builders: what BuildKit does not take is refused by name before anything is sent."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from dockerproto import ANONYMOUS, Secret, Tar, UnsupportedEngine, UnsupportedVersion
from dockerproto.images.build import build
from dockerproto.request.attachments import BuildAttachments
from dockerproto.request.build import BuildKitBuild, ClassicBuild, EitherBuild
from dockerproto.versions import NEWEST, Version
from tests.images.test_operations import described_by, request_of


def query_of(
    version: Version = NEWEST, /, *, podman: Version | None = None, **arguments: Any
) -> dict[str, str]:
    untyped: Any = build
    target = request_of(untyped(fileobj=b"", **arguments)).target(version, podman=podman)
    return dict(parse_qsl(urlsplit(target).query))


def test_the_classic_builder_is_asked_for() -> None:
    assert query_of() == query_of(builder="classic") == {"rm": "1"}
    assert query_of(podman=Version(6, 1), builder="classic") == {"rm": "1"}
    assert isinstance(described_by(build(fileobj=b"", builder="classic")), ClassicBuild)


def test_without_a_builder_the_client_may_choose_if_both_would_do() -> None:
    request = described_by(build(fileobj=b"", tag="a:1"))
    assert isinstance(request, EitherBuild)
    assert request.buildkit == described_by(build(fileobj=b"", tag="a:1", builder="buildkit"))
    assert request.classic == described_by(build(fileobj=b"", tag="a:1", builder="classic"))
    assert isinstance(described_by(build(fileobj=b"", memory=5)), ClassicBuild)


def test_without_a_builder_what_is_for_buildkit_is_built_by_it() -> None:
    assert query_of(secrets={"a": b"b"})["version"] == "2"
    with pytest.raises(ValueError, match=r"^BuildKit does not support memory"):
        build(fileobj=b"", secrets={"a": b"b"}, memory=5)
    with pytest.raises(ValueError, match=r"^the classic builder does not support secrets"):
        build(fileobj=b"", secrets={"a": b"b"}, builder="classic")


def built(**arguments: Any) -> str:
    """Return which builder is asked for, or may be chosen."""
    untyped: Any = build
    request = described_by(untyped(**{"fileobj": b"", **arguments}))
    if isinstance(request, EitherBuild):
        assert request.buildkit.attachments in (BuildAttachments(), BuildAttachments(anonymous=True))
        return "either"
    assert isinstance(request, ClassicBuild | BuildKitBuild)
    return "classic" if isinstance(request, ClassicBuild) else "buildkit"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "either"),
        ({"fileobj": None, "remote": "https://h/a.git"}, "either"),
        ({"fileobj": None, "path": "."}, "either"),
        ({"shm_size": 1, "network_mode": "host", "squash": True, "auth": ANONYMOUS}, "either"),
        ({"builder": "classic"}, "classic"),
        ({"builder": "buildkit"}, "buildkit"),
        ({"secrets": {"a": b""}}, "buildkit"),
        ({"ssh": {"default": None}}, "buildkit"),
        ({"output": "dist"}, "buildkit"),
        ({"output": Tar("out.tar")}, "buildkit"),
        ({"secrets": {}, "ssh": {}, "output": None}, "either"),
        ({"memory": 2**30}, "classic"),
        ({"rm": False}, "classic"),
        ({"network_mode": "bridge"}, "classic"),
        ({"on_upload": print}, "classic"),
        ({"fileobj": None, "path": ".", "compression": "gzip"}, "classic"),
    ],
)
def test_the_arguments_choose_the_builder(arguments: dict[str, Any], expected: str) -> None:
    assert built(**arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"builder": "classic", "secrets": {"a": b""}}, "the classic builder does not support secrets"),
        ({"builder": "classic", "ssh": {"a": "b"}}, "the classic builder does not support ssh"),
        ({"builder": "classic", "output": "dist"}, "the classic builder does not support output"),
        ({"output": "dist", "memory": 1}, "BuildKit does not support memory"),
        (
            {"fileobj": None, "path": ".", "compression": "gzip", "ssh": {"a": "b"}},
            "BuildKit does not support compression",
        ),
        ({"secrets": {"a": bytes(500 * 2**10 + 1)}}, "secret 'a' is longer than 512000 bytes"),
    ],
)
def test_what_goes_with_no_builder_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        built(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"secrets": [b""]}, "secrets must be a mapping, not list"),
        (
            {"secrets": {"a": "path or value?"}},
            r"secrets\['a'\] must be a Secret, bytes or a path object, not str",
        ),
        ({"ssh": "socket"}, "ssh must be a mapping from ids to sockets, not str"),
        ({"ssh": {"a": 1}}, r"ssh\['a'\] must be a path or None, not int"),
        ({"output": b"dist"}, "output must be the path of a directory or a Tar, not bytes"),
    ],
)
def test_what_is_offered_has_types(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=f"^{message}$"):
        built(**arguments)


def test_an_output_has_its_own_parameter() -> None:
    local = query_of(output="dist")
    assert (local["version"], json.loads(local["outputs"])) == ("2", [{"Type": "local", "Attrs": {}}])
    assert json.loads(query_of(output=Tar("out.tar"))["outputs"]) == [{"Type": "tar", "Attrs": {}}]
    with pytest.raises(UnsupportedVersion, match=r"^parameter 'outputs' needs API 1\.40"):
        query_of(Version(1, 39), output="dist")


def test_secrets_are_in_no_repr() -> None:
    untyped: Any = build
    operation = untyped(fileobj=b"", secrets={"a": b"hush", "b": Secret.from_env("B")})
    assert "hush" not in repr(operation)


def test_buildkit_is_asked_for() -> None:
    assert query_of(builder="buildkit") == {"rm": "1", "version": "2"}
    assert query_of(Version(1, 39), builder="buildkit")["version"] == "2"


def test_an_engine_may_be_too_old_for_buildkit() -> None:
    with pytest.raises(UnsupportedVersion, match=r"^parameter 'version' needs API 1\.39"):
        query_of(Version(1, 38), builder="buildkit")


def test_a_podman_has_no_buildkit() -> None:
    with pytest.raises(UnsupportedEngine, match=r"^Podman does not have BuildKit$"):
        query_of(podman=Version(6, 1), builder="buildkit")


def test_a_podman_has_no_buildkit_whatever_else_its_version_lacks() -> None:
    with pytest.raises(UnsupportedEngine, match=r"^Podman does not have BuildKit$"):
        query_of(Version(1, 41), podman=Version(4, 3), builder="buildkit", shm_size=2**20)


@pytest.mark.parametrize("builder", ["Buildkit", "", 2])
def test_there_are_no_other_builders(builder: Any) -> None:
    with pytest.raises(ValueError, match=r"^builder must be 'classic' or 'buildkit', not "):
        build(fileobj=b"", builder=builder)


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("rm", False, "BuildKit does not support rm=False: its steps do not run in containers of the engine"),
        (
            "forcerm",
            True,
            "BuildKit does not support forcerm: its steps do not run in containers of the engine",
        ),
        ("memory", 0, "BuildKit does not support memory: it does not limit memory and CPU"),
        ("memswap", -1, "BuildKit does not support memswap"),
        ("cpu_shares", 1, "BuildKit does not support cpu_shares"),
        ("cpu_period", 1, "BuildKit does not support cpu_period"),
        ("cpu_quota", 1, "BuildKit does not support cpu_quota"),
        ("cpuset_cpus", "0", "BuildKit does not support cpuset_cpus"),
        (
            "network_mode",
            "bridge",
            "network_mode must be 'default', 'host' or 'none' for BuildKit, not 'bridge'",
        ),
        ("on_upload", print, "BuildKit does not support on_upload: it requests the files that it needs"),
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
    with pytest.raises(ValueError, match=r"^BuildKit does not support compression"):
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
    "extra_hosts": {"a": "[::1]"},
    "cache_from": "a",
    "shm_size": 1,
    "ulimits": {"core": 0},
    "squash": True,
}


def test_what_buildkit_takes_is_sent_as_to_the_classic_builder() -> None:
    assert query_of(builder="buildkit", **TAKEN) == query_of(**TAKEN) | {"version": "2"}
    remote = request_of(build(remote="https://h/a.git", builder="buildkit")).target(NEWEST)
    assert remote.endswith("?version=2&remote=https%3A%2F%2Fh%2Fa.git&rm=1")


@pytest.mark.parametrize(("argument", "parameter"), [("shm_size", "shmsize"), ("ulimits", "ulimits")])
def test_what_an_older_buildkit_would_ignore_is_refused(argument: str, parameter: str) -> None:
    given = {argument: TAKEN[argument]}
    assert parameter in query_of(Version(1, 41), **given)
    assert parameter in query_of(Version(1, 42), builder="buildkit", **given)
    with pytest.raises(UnsupportedVersion, match=f"^parameter '{parameter}' needs API 1.42"):
        query_of(Version(1, 41), builder="buildkit", **given)
