"""The request of a build: every parameter, alone and together."""

from __future__ import annotations

import base64
import inspect
import io
import json
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from dockerproto.credentials.credentials import HUB_SERVER, AuthLike
from dockerproto.images.build import build
from dockerproto.operations.operation import Call, Reported
from dockerproto.timeouts import DEFAULT
from dockerproto.versions import NEWEST, Version
from tests.images.test_operations import body_of, request_of

TAR = ("Content-Type", "application/x-tar")


def query_of(podman: Version | None = None, /, **arguments: Any) -> list[tuple[str, str]]:
    """Return the query of a build, without what every build has."""
    untyped: Any = build
    given: dict[str, Any] = {"fileobj": b""}
    target = request_of(untyped(**given, **arguments)).target(NEWEST, podman=podman)
    assert urlsplit(target).path == "/v1.55/build"
    return [pair for pair in parse_qsl(urlsplit(target).query, keep_blank_values=True) if pair != ("rm", "1")]


@pytest.mark.parametrize("version", [Version(1, 24), NEWEST], ids=str)
def test_a_build_of_an_archive(version: Version) -> None:
    fileobj = io.BytesIO()
    request = request_of(build(fileobj=fileobj))
    assert (request.method, request.target(version)) == ("POST", f"/v{version}/build?rm=1")
    assert request.all_headers() == [TAR]
    assert body_of(build(fileobj=fileobj)) is fileobj
    assert (request.pace, request.timeout, request.auth) == ("long", DEFAULT, None)


def test_a_build_of_a_url() -> None:
    operation = build(remote="https://h/a.git#main:dir")
    request = request_of(operation)
    assert request.target(NEWEST) == "/v1.55/build?remote=https%3A%2F%2Fh%2Fa.git%23main%3Adir&rm=1"
    assert (request.all_headers(), body_of(operation)) == ([], None)


def test_an_encoding_is_a_header() -> None:
    request = request_of(build(fileobj=b"", encoding="gzip"))
    assert request.all_headers() == [TAR, ("Content-Encoding", "gzip")]


def test_credentials_are_a_header_by_registry() -> None:
    auths: dict[str, AuthLike] = {
        "index.docker.io": "bWU6c2VjcmV0",
        "http://r.example/v2/": {"identitytoken": "t"},
    }
    request = request_of(build(fileobj=b"", auth=auths))
    (name, value) = request.all_headers()[-1]
    assert (name, json.loads(base64.urlsafe_b64decode(value))) == (
        "X-Registry-Config",
        {
            HUB_SERVER: {"username": "me", "password": "secret", "serveraddress": HUB_SERVER},
            "r.example": {"identitytoken": "t", "serveraddress": "r.example"},
        },
    )
    assert "'secret'" not in repr(request)
    assert "bWU6c2VjcmV0" not in repr(request)
    assert request_of(build(fileobj=b"", auth={})).all_headers() == [TAR]


@pytest.mark.parametrize(
    ("auth", "error", "message"),
    [
        ("bWU6c2VjcmV0", TypeError, "auth must be a mapping from registries to credentials, not str"),
        ({5: "bWU6c2VjcmV0"}, TypeError, "registry address must be a str, not int"),
        ({"r.example": None}, TypeError, "auth must be a mapping, str or bytes, not NoneType"),
        ({"username": "me", "password": "secret"}, ValueError, "auth of a build must be credentials by reg"),
        ({"auth": "bWU6c2VjcmV0"}, ValueError, "auth of a build must be credentials by registry, not those"),
        ({"identitytoken": "secret"}, ValueError, "auth of a build must be credentials by registry, not th"),
        ({"me:secret@r.example": "bWU6c2VjcmV0"}, ValueError, "invalid registry address"),
    ],
)
def test_credentials_that_are_none(auth: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{message}") as raised:
        build(fileobj=b"", auth=auth)
    assert "secret" not in str(raised.value)


PARAMETERS: list[tuple[str, Any, list[tuple[str, str]]]] = [
    ("path_dockerfile", "dir/Dockerfile", [("dockerfile", "dir/Dockerfile")]),
    ("tag", "a", [("t", "a")]),
    ("tag", ["a:1", "r.example:5000/b"], [("t", "a:1"), ("t", "r.example:5000/b")]),
    ("tag", [], []),
    ("quiet", True, [("q", "1")]),
    ("quiet", False, []),
    ("nocache", True, [("nocache", "1")]),
    ("nocache", False, []),
    ("buildargs", {"A": "1", "B": None}, [("buildargs", '{"A":"1","B":null}')]),
    ("buildargs", MappingProxyType({"A": "x y"}), [("buildargs", '{"A":"x y"}')]),
    ("pull", True, [("pull", "1")]),
    ("pull", False, []),
    ("rm", True, []),
    ("rm", False, [("rm", "0")]),
    ("forcerm", True, [("forcerm", "1")]),
    ("forcerm", False, []),
    ("labels", {"a": "b", "c": ""}, [("labels", '{"a":"b","c":""}')]),
    ("platform", "linux/arm64/v8", [("platform", "linux/arm64/v8")]),
    ("target", "test", [("target", "test")]),
    ("network_mode", "container:x", [("networkmode", "container:x")]),
    ("extra_hosts", {"a": "10.0.0.1", "b": "::1"}, [("extrahosts", "a:10.0.0.1"), ("extrahosts", "b:::1")]),
    ("extra_hosts", ["a:host-gateway"], [("extrahosts", "a:host-gateway")]),
    ("extra_hosts", ["a=10.0.0.1", "b=[::1]"], [("extrahosts", "a:10.0.0.1"), ("extrahosts", "b:::1")]),
    ("extra_hosts", {"b": "[::1]"}, [("extrahosts", "b:::1")]),
    ("extra_hosts", "a:10.0.0.1", [("extrahosts", "a:10.0.0.1")]),
    ("extra_hosts", {}, []),
    ("extra_hosts", [], []),
    ("cache_from", "a:1", [("cachefrom", '["a:1"]')]),
    ("cache_from", ["a:1", "b"], [("cachefrom", '["a:1","b"]')]),
    ("cache_from", [], []),
    ("shm_size", 2**26, [("shmsize", "67108864")]),
    ("memory", 2**32, [("memory", "4294967296")]),
    ("memory", 0, [("memory", "0")]),
    ("memswap", -1, [("memswap", "-1")]),
    ("cpu_shares", 512, [("cpushares", "512")]),
    ("cpu_period", 100000, [("cpuperiod", "100000")]),
    ("cpu_quota", 50000, [("cpuquota", "50000")]),
    ("cpuset_cpus", "0-3,5", [("cpusetcpus", "0-3,5")]),
    ("ulimits", {"nofile": 1024}, [("ulimits", '[{"Name":"nofile","Soft":1024,"Hard":1024}]')]),
    (
        "ulimits",
        {"nofile": (1024, 2048), "core": -1},
        [("ulimits", '[{"Name":"nofile","Soft":1024,"Hard":2048},{"Name":"core","Soft":-1,"Hard":-1}]')],
    ),
    ("ulimits", {}, []),
    ("squash", True, [("squash", "1")]),
    ("squash", False, []),
]


@pytest.mark.parametrize(
    ("argument", "value", "query"),
    PARAMETERS,
    ids=[f"{argument}={value!r:.20}" for argument, value, _ in PARAMETERS],
)
def test_parameters(argument: str, value: Any, query: list[tuple[str, str]]) -> None:
    assert query_of(**{argument: value}) == query


@pytest.mark.parametrize(
    ("argument", "value", "query"),
    [
        ("buildargs", {"A": "a", "B": None, "C": ""}, [("buildargs", '{"A":"a","C":""}')]),
        ("buildargs", None, []),
        ("extra_hosts", {"a": "10.0.0.1", "b": "::1"}, [("extrahosts", '["a:10.0.0.1","b:::1"]')]),
        ("extra_hosts", ["b=[::1]"], [("extrahosts", '["b:::1"]')]),
        ("extra_hosts", {}, []),
        ("ulimits", {"nofile": (1024, 2048), "core": -1}, [("ulimits", '["nofile=1024:2048","core=-1:-1"]')]),
        ("ulimits", {}, []),
    ],
    ids=[
        "buildargs",
        "no buildargs",
        "extra_hosts",
        "extra_hosts texts",
        "no extra_hosts",
        "ulimits",
        "no ulimits",
    ],
)
def test_parameters_for_podman(argument: str, value: Any, query: list[tuple[str, str]]) -> None:
    assert query_of(Version(6, 1), **{argument: value}) == query


def test_parameters_together() -> None:
    last = {argument: value for argument, value, query in PARAMETERS if query}
    expected = {pair[0] for _, _, query in PARAMETERS for pair in query}
    assert {name for name, _ in query_of(**last)} == expected


def test_no_parameter_is_left_out_here() -> None:
    elsewhere = {
        *("remote", "fileobj", "path", "dockerfile", "compression", "on_upload", "encoding"),
        *("stream", "timeout", "auth", "builder", "secrets", "ssh", "output"),
        *("outputs", "cache_to", "platforms", "contexts", "allow", "annotations", "provenance", "sbom"),
    }
    tested = {argument for argument, _, _ in PARAMETERS} | elsewhere
    assert tested == inspect.signature(build).parameters.keys()


NONE_BY_DEFAULT = sorted(
    {argument for argument, _, _ in PARAMETERS} - {"quiet", "nocache", "pull", "rm", "forcerm", "squash"}
)


@pytest.mark.parametrize("argument", NONE_BY_DEFAULT)
def test_none_is_not_sent(argument: str) -> None:
    assert query_of(**{argument: None}) == []


ODD = object()
WRONG: list[tuple[str, Any]] = [
    *((argument, ODD) for argument in sorted({argument for argument, _, _ in PARAMETERS})),
    *((flag, None) for flag in ("quiet", "nocache", "pull", "rm", "forcerm", "squash")),
    ("rm", "false"),
    ("memory", "1g"),
    ("memory", 1.5),
    ("memory", True),
    ("tag", ["a", ODD]),
    ("tag", b"a"),
    ("buildargs", {"A": 1}),
    ("buildargs", ["A=1"]),
    ("labels", {"a": True}),
    ("extra_hosts", ["a:b", 5]),
    ("cache_from", [None]),
    ("ulimits", {"nofile": None}),
    ("ulimits", {"nofile": 1.5}),
    ("remote", ODD),
    ("fileobj", ODD),
]


@pytest.mark.parametrize(("argument", "value"), WRONG, ids=[f"{name}={value!r:.12}" for name, value in WRONG])
def test_wrong_kinds(argument: str, value: Any) -> None:
    arguments: dict[str, Any] = {} if argument in ("remote", "fileobj") else {"fileobj": b""}
    with pytest.raises(TypeError):
        build(**arguments, **{argument: value})


def test_a_build_that_is_streamed_sends_the_same() -> None:
    listed, streamed = build(fileobj=b"", tag="a"), build(fileobj=b"", tag="a", stream=True)
    assert (type(listed), type(streamed)) == (Call, Reported)
    assert request_of(listed) == request_of(streamed)
    assert listed.finish([{"stream": "x"}]) == [{"stream": "x"}]


def test_texts_of_json_have_no_spaces() -> None:
    query = dict(query_of(buildargs={"A": "1", "B": "2"}, labels={"c": "d"}, cache_from=["a", "b"]))
    assert json.loads(query["buildargs"]) == {"A": "1", "B": "2"}
    assert not {" "} & set("".join(query.values()))
