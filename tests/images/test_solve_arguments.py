"""Arguments of a build that need the Control API: the options they give, and those that are rejected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dockerproto import (
    OCI,
    Cache,
    CacheOnly,
    DockerTar,
    GitHubCache,
    Image,
    InlineCache,
    InvalidReference,
    Layout,
    LocalCache,
    RegistryCache,
    Tar,
    UnsupportedEngine,
    UnsupportedVersion,
)
from dockerproto.images.build import build
from dockerproto.request.build import BuildKitBuild, ClassicBuild, EitherBuild, SolveBuild
from dockerproto.request.outputs import Exporter
from dockerproto.request.solve_options import SolveOptions, Worker
from dockerproto.versions import NEWEST, Version
from tests.images.test_operations import described_by

GRAPH_DRIVER = Worker(containerd=False)
CONTAINERD = Worker(containerd=True)


def build_of(**arguments: Any) -> object:
    untyped: Any = build
    return described_by(untyped(**{"fileobj": b"", **arguments}))


def options_of(**arguments: Any) -> SolveOptions:
    described = build_of(**arguments)
    assert isinstance(described, SolveBuild)
    return described.options


@pytest.mark.parametrize(
    "arguments",
    [
        {"cache_to": []},
        {"cache_from": ["app:1"]},
        {"nocache": True},
        {"nocache": []},
        {"platforms": []},
        {"contexts": {}},
        {"allow": []},
        {"annotations": {}},
        {"sbom": False},
    ],
    ids=str,
)
def test_nothing_new_is_built_as_before(arguments: dict[str, Any]) -> None:
    assert isinstance(build_of(**arguments), EitherBuild)
    assert isinstance(build_of(**arguments, builder="classic"), ClassicBuild)
    chosen = build_of(**arguments, builder="buildkit")
    assert isinstance(chosen, BuildKitBuild)
    assert not isinstance(chosen, SolveBuild)


NEW: list[dict[str, Any]] = [
    {"cache_to": InlineCache()},
    {"cache_from": RegistryCache("a")},
    {"nocache": "test"},
    {"outputs": Image()},
    {"platforms": ["linux/amd64"]},
    {"cache_to": LocalCache("a")},
    {"cache_from": LocalCache("a")},
    {"contexts": {"lib": Path()}},
    {"contexts": {"lib": Layout("a")}},
    {"allow": "network.host"},
    {"annotations": {"a": "b"}},
    {"provenance": "min"},
    {"sbom": True},
    {"sbom": "registry.example/scanner:1"},
]


@pytest.mark.parametrize("arguments", NEW, ids=str)
def test_each_new_argument_needs_the_control_api(arguments: dict[str, Any]) -> None:
    (argument,) = arguments
    assert options_of(**arguments).argument == argument
    assert options_of(**arguments, builder="buildkit") == options_of(**arguments)
    with pytest.raises(ValueError, match=f"^the classic builder does not support {argument}; use builder="):
        build_of(**arguments, builder="classic")
    with pytest.raises(ValueError, match=r"^BuildKit does not support memory"):
        build_of(**arguments, memory=5)
    with pytest.raises(ValueError, match=f"^squash is not supported together with {argument}$"):
        build_of(**arguments, squash=True)


def test_attributes() -> None:
    options = options_of(
        nocache=["a", "b"],
        platforms=["linux/amd64", "linux/arm64", "linux/amd64"],
        contexts={"lib": Path("../lib")},
        provenance="max",
        allow=["network.host"],
    )
    assert options.attributes == {
        "no-cache": "a,b",
        "platform": "linux/amd64,linux/arm64",
        "context:lib": "local:lib",
        "frontend.caps": "moby.buildkit.frontend.contexts+forward",
        "attest:provenance": "mode=max",
    }
    assert options.entitlements == ("network.host",)
    assert "lib" not in repr(options)


@pytest.mark.parametrize(
    ("sbom", "attribute"),
    [(True, ""), ("registry.example/scanner:1", "generator=registry.example/scanner:1")],
)
def test_an_sbom(sbom: bool | str, attribute: str) -> None:
    assert options_of(sbom=sbom).attributes == {"attest:sbom": attribute}


MOBY = Exporter("moby", {"name": "docker.io/library/app:1"})


@pytest.mark.parametrize(
    ("arguments", "exporters", "destinations"),
    [
        ({"tag": "app:1"}, (MOBY,), {}),
        ({"tag": "app:1", "outputs": [Image()]}, (MOBY,), {}),
        ({"outputs": CacheOnly()}, (), {}),
        ({"outputs": ["dist"]}, (Exporter("local", {}),), {0: "dist"}),
        (
            {"tag": "app:1", "outputs": [Image(), Tar("a.tar"), Path("dist")]},
            (MOBY, Exporter("tar", {}), Exporter("local", {})),
            {1: Tar("a.tar"), 2: Path("dist")},
        ),
        ({"output": "dist"}, (Exporter("local", {}),), {0: "dist"}),
        (
            {"tag": "app:1", "outputs": [OCI("a.tar"), DockerTar("b.tar")], "annotations": {"a": "b"}},
            (
                Exporter("oci", {**MOBY.attributes, "annotation.a": "b"}),
                Exporter("docker", {**MOBY.attributes, "annotation.a": "b"}),
            ),
            {0: Tar("a.tar"), 1: Tar("b.tar")},
        ),
    ],
    ids=["default", "image", "cache", "directory", "several", "output", "tars"],
)
def test_outputs(arguments: Any, exporters: tuple[Exporter, ...], destinations: Any) -> None:
    described = build_of(cache_to=InlineCache(), **arguments)
    assert isinstance(described, SolveBuild)
    assert described.options.exporters == exporters
    assert described.attachments.outputs == destinations


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"output": "a", "outputs": ["b"]}, ValueError, "output and outputs must not be given together"),
        ({"outputs": ["b"], "tag": "a"}, ValueError, "tag needs an image among the outputs"),
        ({"outputs": ["b"], "annotations": {"a": "b"}}, ValueError, "annotations need an image among"),
        ({"platform": "linux/arm64", "platforms": ["linux/amd64"]}, ValueError, "platform and platforms mus"),
        ({"platforms": ["arm64"]}, ValueError, "platform must be os/arch or os/arch/variant, not 'arm64'"),
        ({"nocache": None}, TypeError, "nocache must be a bool or names of stages, not None"),
        ({"nocache": [""]}, ValueError, "nocache must be a bool or contain names of stages, not ''"),
        ({"nocache": "a,b"}, ValueError, "nocache must be a bool or contain names of stages, not 'a,b'"),
        ({"provenance": True}, ValueError, "provenance must be 'min' or 'max', not True"),
        ({"sbom": None}, TypeError, "sbom must be a bool or the name of an image, not NoneType"),
        ({"sbom": "A"}, InvalidReference, "invalid image name or id: 'A'"),
        ({"sbom": "a,b=c"}, InvalidReference, "invalid image name or id: 'a,b=c'"),
        ({"annotations": {"a": 5}}, TypeError, "annotations must be a mapping of str to str"),
        ({"allow": 5}, TypeError, "allow must be a str or an iterable of str, not int"),
    ],
)  # fmt: skip
def test_arguments_that_are_rejected(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message if error is InvalidReference else f"^{message}"):
        build_of(**arguments)


ONLY_CONTAINERD: list[tuple[dict[str, Any], str]] = [
    ({"cache_to": RegistryCache("a")}, "cache_to of type 'registry'"),
    ({"cache_to": Cache("gha")}, "cache_to of type 'gha'"),
    ({"cache_to": LocalCache("a")}, "cache_to of type 'local'"),
    ({"contexts": {"lib": Layout("a")}}, "an OCI layout in contexts"),
    ({"cache_from": Cache("gha")}, "cache_from of type 'gha'"),
    ({"outputs": Image(compression="zstd")}, "compression of an Image"),
    ({"outputs": Image(compression_level=3)}, "compression of an Image"),
    ({"outputs": Image(force_compression=True)}, "compression of an Image"),
    ({"outputs": Image(push=True, by_digest=True), "tag": "a"}, "by_digest of an Image"),
    ({"platforms": ["linux/amd64", "linux/arm64"]}, "an image for several platforms"),
    ({"annotations": {"a": "b"}}, "annotations"),
    ({"outputs": OCI("a.tar")}, "an image in a tar; use images.export_image()"),
    ({"outputs": DockerTar("a.tar")}, "an image in a tar; use images.export_image()"),
    ({"provenance": "min"}, "provenance of an image"),
    ({"sbom": True}, "an SBOM of an image"),
    ({"cache_to": GitHubCache()}, "cache_to of type 'gha'"),
    ({"cache_from": GitHubCache()}, "cache_from of type 'gha'"),
]


@pytest.mark.parametrize(("arguments", "option"), ONLY_CONTAINERD)
def test_options_that_a_graph_driver_would_ignore(arguments: dict[str, Any], option: str) -> None:
    options = options_of(**arguments)
    options.check_worker(CONTAINERD)
    with pytest.raises(UnsupportedEngine, match=r"enable its containerd image store, see https:") as raised:
        options.check_worker(GRAPH_DRIVER)
    assert f"which does not support {option};" in raised.value.message


@pytest.mark.parametrize(
    "arguments",
    [
        {"cache_to": InlineCache()},
        {"cache_from": RegistryCache("a")},
        {"cache_from": LocalCache("a")},
        {"outputs": ["a", Tar("b")]},
        {"outputs": Image(push=True), "tag": "a"},
        {"outputs": ["a"], "platforms": ["linux/amd64", "linux/arm64"], "provenance": "min"},
        {"outputs": ["a"], "sbom": True},
        {"platforms": ["linux/amd64"]},
        {"contexts": {"lib": Path()}},
        {"allow": "network.host"},
        {"nocache": ["a"]},
    ],
    ids=str,
)
def test_options_that_a_graph_driver_has(arguments: dict[str, Any]) -> None:
    options_of(**arguments).check_worker(GRAPH_DRIVER)


@pytest.mark.parametrize(
    ("arguments", "since", "option"),
    [
        ({"contexts": {"lib": Path()}}, Version(1, 42), "contexts"),
        ({"contexts": {"lib": Layout("a")}}, Version(1, 42), "contexts"),
        ({"provenance": "min", "outputs": "a"}, Version(1, 43), "provenance"),
        ({"sbom": True, "outputs": "a"}, Version(1, 43), "sbom"),
        ({"outputs": [Image(), "a"]}, Version(1, 45), "several outputs"),
    ],
)
def test_options_that_older_engines_would_ignore(
    arguments: dict[str, Any], since: Version, option: str
) -> None:
    options = options_of(**arguments)
    options.check_version(since)
    options.check_version(NEWEST)
    before = Version(since.major, since.minor - 1)
    with pytest.raises(UnsupportedVersion, match=f"^{option} needs API {since}, but API {before} is in use"):
        options.check_version(before)
