"""The request for a build: parameters and options become attributes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dockerproto import (
    Cache,
    CacheOnly,
    Image,
    InlineCache,
    RegistryCache,
    UnsupportedEngine,
    UnsupportedVersion,
)
from dockerproto.buildkit.control.attributes import solve_request, with_session
from dockerproto.buildkit.control.messages import Entry, ListWorkersResponse, SolveRequest
from dockerproto.buildkit.control.worker import worker_of
from dockerproto.images.build import build
from dockerproto.request.build import SolveBuild
from dockerproto.request.parameters import NO_VARIABLES
from dockerproto.request.solve_options import Worker
from dockerproto.versions import NEWEST, Version
from tests.images.test_operations import described_by
from tests.support.controlling import CONTAINERD, workers

WORKER = Worker(containerd=True)


def request_of(version: Version = NEWEST, worker: Worker = WORKER, /, **arguments: Any) -> SolveRequest:
    untyped: Any = build
    given: dict[str, Any] = {"fileobj": b"", "outputs": CacheOnly(), **arguments}
    if "remote" in given:
        del given["fileobj"]
    described = described_by(untyped(**given))
    assert isinstance(described, SolveBuild)
    return solve_request(described, version=version, environment=NO_VARIABLES, worker=worker, ref="r")


DEFAULTS = {"image-resolve-mode": "local"}


@pytest.mark.parametrize(
    ("arguments", "attributes"),
    [
        ({}, {}),
        ({"path_dockerfile": "a/Dockerfile"}, {"filename": "a/Dockerfile"}),
        ({"remote": "https://h/a.git"}, {"context": "https://h/a.git"}),
        ({"nocache": True}, {"no-cache": ""}),
        ({"nocache": ["a", "b"]}, {"no-cache": "a,b"}),
        ({"pull": True}, {"image-resolve-mode": "pull"}),
        ({"target": "test"}, {"target": "test"}),
        ({"platform": "linux/arm64"}, {"platform": "linux/arm64"}),
        ({"platforms": ["linux/arm64", "linux/amd64"]}, {"platform": "linux/arm64,linux/amd64"}),
        ({"labels": {"a": "b", "c": ""}}, {"label:a": "b", "label:c": ""}),
        ({"buildargs": {"A": "1", "B": None}}, {"build-arg:A": "1"}),
        ({"network_mode": "none"}, {"force-network-mode": "none"}),
        ({"network_mode": "default"}, {}),
        ({"shm_size": 5}, {"shm-size": "5"}),
        ({"ulimits": {"nofile": 5, "core": (1, 2)}}, {"ulimit": "nofile=5:5,core=1:2"}),
        ({"extra_hosts": {"a": "10.0.0.1", "b": "::1"}}, {"add-hosts": "a=10.0.0.1,b=::1"}),
        (
            {"cache_from": ["a", RegistryCache("b")]},
            {
                "cache-imports": '[{"Type":"registry","Attrs":{"ref":"a"}},'
                '{"Type":"registry","Attrs":{"ref":"b"}}]'
            },
        ),
        ({"quiet": True}, {}),
    ],
    ids=str,
)
def test_attributes(arguments: dict[str, Any], attributes: dict[str, str]) -> None:
    assert request_of(**arguments).frontend_attributes == {**DEFAULTS, **attributes}


def test_the_rest_of_a_request() -> None:
    request = request_of(
        outputs=[Image(), "dist"],
        tag="a:1",
        cache_to=[RegistryCache("c", mode="max"), InlineCache()],
        cache_from=[Cache("gha", {"token": "hush"})],
        allow="security.insecure",
        network_mode="host",
    )
    moby = Entry("moby", {"name": "docker.io/library/a:1"})
    assert (request.ref, request.session, request.frontend) == ("r", "", "dockerfile.v0")
    assert request.exporters == (moby, Entry("local"))
    assert (request.exporter, request.exporter_attributes) == (moby.type, moby.attributes)
    assert request.cache is not None
    assert request.cache.exports == (Entry("registry", {"ref": "c", "mode": "max"}), Entry("inline"))
    assert request.cache.imports == (Entry("gha", {"token": "hush"}),)
    assert request.entitlements == ("network.host", "security.insecure")
    assert SolveRequest.decode(request.encode()) == request
    assert "hush" not in repr(request)


def test_a_build_without_outputs() -> None:
    request = request_of()
    assert (request.exporter, request.exporter_attributes, request.exporters) == ("", {}, ())


@pytest.mark.parametrize(
    ("arguments", "exports"),
    [
        ({"buildargs": {"BUILDKIT_INLINE_CACHE": "1"}}, (Entry("inline"),)),
        ({"buildargs": {"BUILDKIT_INLINE_CACHE": "0"}}, ()),
        ({"buildargs": {"BUILDKIT_INLINE_CACHE": "1"}, "cache_to": InlineCache()}, (Entry("inline"),)),
    ],
)
def test_the_build_argument_for_an_inline_cache(arguments: Any, exports: tuple[Entry, ...]) -> None:
    cache = request_of(**arguments).cache
    assert cache is not None
    assert cache.exports == exports


def test_the_environment_has_a_default_platform() -> None:
    described = described_by(build(fileobj=b"", outputs=CacheOnly()))
    assert isinstance(described, SolveBuild)
    request = solve_request(
        described,
        version=NEWEST,
        environment={"DOCKER_DEFAULT_PLATFORM": "linux/riscv64"}.get,
        worker=Worker(containerd=True),
        ref="r",
    )
    assert request.frontend_attributes["platform"] == "linux/riscv64"


def test_host_gateway_is_the_address_that_the_engine_reports() -> None:
    worker = Worker(containerd=False, host_gateway="172.17.0.1")
    request = request_of(NEWEST, worker, extra_hosts=["h=host-gateway"])
    assert request.frontend_attributes["add-hosts"] == "h=172.17.0.1"
    with pytest.raises(UnsupportedEngine, match=r"^this engine does not report the address of host-gateway;"):
        request_of(extra_hosts=["h=host-gateway"])


def test_parameters_keep_their_versions() -> None:
    with pytest.raises(UnsupportedVersion, match=r"^parameter 'shmsize' needs API 1.42"):
        request_of(Version(1, 41), shm_size=5)
    with pytest.raises(UnsupportedVersion, match=r"^contexts needs API 1.42"):
        request_of(Version(1, 41), contexts={"lib": Path()})


def test_contexts_always_need_their_capability() -> None:
    """Without it, an old frontend pulls an image of that name from Docker Hub."""
    attributes = request_of(contexts={"lib": Path("../lib"), "base": "docker-image://a"}).frontend_attributes
    assert attributes["frontend.caps"] == "moby.buildkit.frontend.contexts+forward"
    assert attributes["context:lib"] == "local:lib"
    assert attributes["context:base"] == "docker-image://a"
    assert "frontend.caps" not in request_of().frontend_attributes


def test_the_session_comes_last() -> None:
    request = request_of(path_dockerfile="b")
    assert with_session(request, "s", None).session == "s"
    assert with_session(request, "s", None).frontend_attributes == request.frontend_attributes
    assert with_session(request, "s", "c").frontend_attributes["filename"] == "c"


@pytest.mark.parametrize(
    ("reply", "worker"),
    [
        (workers(CONTAINERD), Worker(containerd=True)),
        (workers({}), Worker(containerd=False)),
        (
            workers({"org.mobyproject.buildkit.worker.moby.host-gateway-ip": "172.17.0.1"}),
            Worker(containerd=False, host_gateway="172.17.0.1"),
        ),
        (ListWorkersResponse().encode(), Worker(containerd=False)),
    ],
)
def test_workers(reply: bytes, worker: Worker) -> None:
    assert worker_of(reply) == worker


def test_attributes_are_json() -> None:
    attribute = request_of(cache_from=Cache("gha", {"a": '"'})).frontend_attributes["cache-imports"]
    assert json.loads(attribute) == [{"Type": "gha", "Attrs": {"a": '"'}}]


@pytest.mark.parametrize(
    ("arguments", "mode"), [({}, {}), ({"pull": True}, {"image-resolve-mode": "pull"})], ids=["", "pull"]
)
def test_a_daemon_has_no_images_of_its_own(arguments: dict[str, Any], mode: dict[str, str]) -> None:
    worker = worker_of(workers({}), has_images=False)
    given = {"tag": "a", "outputs": [Image(push=True), "dist"], **arguments}
    request = request_of(NEWEST, worker, **given)
    assert request.exporters == (
        Entry("image", {"name": "docker.io/library/a:latest", "push": "true"}),
        Entry("local"),
    )
    assert request.frontend_attributes == mode


def test_a_daemon_pushes_itself() -> None:
    described = described_by(build(fileobj=b"", tag="a", outputs=Image(push=True)))
    assert isinstance(described, SolveBuild)
    assert described.options.following(worker_of(workers({})))
    assert described.options.following(worker_of(workers({}), has_images=False)) == ()
