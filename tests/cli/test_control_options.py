"""Options of the command's build that need the Control API: their syntax, and the arguments they give."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable
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
    Layout,
    LocalCache,
    RegistryCache,
    Tar,
)
from dockerproto_cli.arguments import parse
from dockerproto_cli.control_options import (
    read_annotation,
    read_build_output,
    read_cache_from,
    read_cache_to,
    read_caches_from,
    read_context,
    read_provenance,
    read_sbom,
    solve_arguments,
)

DIGEST = f"sha256:{'ab' * 32}"
READ: list[tuple[Callable[[str], Any], str, object]] = [
    (read_build_output, "dist", Path("dist")),
    (read_build_output, "type=tar,dest=a.tar", Tar("a.tar")),
    (read_build_output, "type=cacheonly", CacheOnly()),
    (read_build_output, "type=oci,dest=a", OCI("a")),
    (read_build_output, "type=docker,dest=a", DockerTar("a")),
    (read_build_output, "type=image", Image()),
    (read_build_output, "type=docker", Image()),
    (read_build_output, "type=registry", Image(push=True)),
    (read_build_output, "type=image,push=true", Image(push=True)),
    (
        read_build_output,
        'type=image,"name=a,b",compression=zstd,compression-level=3,force-compression=true',
        Image(names=("a", "b"), compression="zstd", compression_level=3, force_compression=True),
    ),
    (read_cache_to, "app:cache", RegistryCache("app:cache")),
    (
        read_cache_to,
        "type=registry,ref=a,mode=max,ignore-error=true",
        RegistryCache("a", mode="max", ignore_error=True),
    ),
    (
        read_cache_to,
        "type=registry,ref=a,compression=zstd",
        Cache("registry", {"ref": "a", "compression": "zstd"}),
    ),
    (read_cache_to, "type=inline", InlineCache()),
    (read_cache_to, "type=gha", GitHubCache()),
    (
        read_cache_to,
        "type=gha,scope=a,mode=max,url=u,token=t,version=2,timeout=1.5m,ignore-error=true",
        GitHubCache("a", mode="max", url="u", token="t", version=2, timeout=90, ignore_error=True),
    ),
    (read_cache_to, "type=gha,repository=a/b", Cache("gha", {"repository": "a/b"})),
    (read_cache_to, "type=s3,bucket=a", Cache("s3", {"bucket": "a"})),
    (read_cache_to, "type=local,dest=a", LocalCache("a")),
    (
        read_cache_to,
        "type=local,dest=a,mode=max,tag=b,ignore-error=true",
        LocalCache("a", mode="max", tag="b", ignore_error=True),
    ),
    (
        read_cache_to,
        "type=local,dest=a,compression=zstd,compression-level=3,force-compression=true",
        LocalCache("a", compression="zstd", compression_level=3, force_compression=True),
    ),
    (read_cache_from, "type=local,src=a", LocalCache("a")),
    (read_cache_from, "type=local,src=a,tag=b", LocalCache("a", tag="b")),
    (read_cache_from, f"type=local,src=a,digest={DIGEST}", LocalCache("a", digest=DIGEST)),
    (read_cache_from, "app:1", "app:1"),
    (read_cache_from, "type=registry,ref=a", "a"),
    (read_caches_from, "app:1,app:2", ["app:1", "app:2"]),
    (read_caches_from, "type=registry,ref=a", ["a"]),
    (read_cache_from, "type=gha,scope=a", GitHubCache("a")),
    (read_cache_from, "type=gha,url_v2=a", Cache("gha", {"url_v2": "a"})),
    (read_cache_from, "type=s3", Cache("s3")),
    (read_context, "a=b", ("a", Path("b"))),
    (read_context, "a=https://h/b.git", ("a", "https://h/b.git")),
    (read_context, "a=git@h:b", ("a", "git@h:b")),
    (read_context, "a=oci-layout://dir", ("a", Layout("dir"))),
    (read_context, "a=oci-layout:///dir:1", ("a", Layout("/dir", "1"))),
    (read_context, f"a=oci-layout://dir@{DIGEST}", ("a", Layout("dir", digest=DIGEST))),
    (read_context, f"a=oci-layout://dir:1@{DIGEST}", ("a", Layout("dir", digest=DIGEST))),
    (read_annotation, "a=b=c", ("a", "b=c")),
    (read_annotation, "manifest:a=b", ("a", "b")),
    (read_provenance, "mode=min", "min"),
    (read_provenance, "mode=max", "max"),
    (read_provenance, "false", None),
    (read_sbom, "true", True),
    (read_sbom, "false", False),
    (read_sbom, "generator=a/b:1", "a/b:1"),
]
REFUSED: list[tuple[Callable[[str], Any], str, str]] = [
    (read_build_output, "type=oci", "the type of an output must be local or tar, not 'oci'"),
    (
        read_build_output,
        "type=cacheonly,dest=a",
        "the type of an output must be local or tar, not 'cacheonly'",
    ),
    (read_build_output, "type=image,a=b", "unknown attributes of an image: a"),
    (read_build_output, "type=image,push=x", "push must be true or false, not 'x'"),
    (read_build_output, "type=image,compression-level=x", "compression-level must be a number, not 'x'"),
    (read_build_output, "type=image,x", "must be NAME=VALUE, not 'x'"),
    (read_cache_to, "ref=a", "a cache needs a type, as in type=registry,ref=NAME, not 'ref=a'"),
    (read_cache_from, "type=registry", "a cache in a registry needs ref=NAME: 'type=registry'"),
    (read_cache_to, "type=local", "a cache in a directory needs dest=DIR, as in type=local,dest=cache"),
    (
        read_cache_from,
        "type=local,src=",
        "a cache in a directory needs src=DIR, as in type=local,src=cache",
    ),
    (read_cache_to, "type=local,dest=a,digest=b", "unknown attributes of a cache in a directory: digest"),
    (read_cache_from, "type=local,src=a,mode=b", "unknown attributes of a cache in a directory: mode"),
    (read_cache_to, "type=local,dest=a,compression-level=x", "compression-level must be a number, not 'x'"),
    (read_context, "a", "must be NAME=DIRECTORY or NAME=URL, not 'a'"),
    (read_context, "=a", "must be NAME=DIRECTORY or NAME=URL, not '=a'"),
    (read_annotation, "a", "must be KEY=VALUE for the manifest, not 'a'"),
    (read_annotation, "index:a=b", "must be KEY=VALUE for the manifest, not 'index:a=b'"),
    (read_cache_to, "type=gha,timeout=5", "timeout must be a time such as 90s or 10m, not '5'"),
    (read_sbom, "x", "must be true, false or generator=IMAGE, not 'x'"),
    (read_sbom, "generator=a,b=c", "must be true, false or generator=IMAGE, not 'generator=a,b=c'"),
    (read_provenance, "true", "must be mode=min, mode=max or false, not 'true'"),
]


@pytest.mark.parametrize(("read", "text", "value"), READ)
def test_syntax(read: Callable[[str], Any], text: str, value: object) -> None:
    assert read(text) == value


@pytest.mark.parametrize(("read", "text", "message"), REFUSED)
def test_other_syntax(read: Callable[[str], Any], text: str, message: str) -> None:
    with pytest.raises(ArgumentTypeError) as raised:
        read(text)
    assert str(raised.value) == message


def given(line: str) -> dict[str, Any]:
    """Return the arguments of `build` that are not empty."""
    arguments = solve_arguments(parse(["build", *line.split(), "."]))
    return {name: value for name, value in arguments.items() if value}


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ("", {}),
        ("-o dist", {"output": Path("dist")}),
        ("-o dist -o type=tar,dest=a", {"outputs": [Path("dist"), Tar("a")]}),
        ("-o type=cacheonly", {"outputs": [CacheOnly()]}),
        ("--push", {"outputs": [Image(push=True)]}),
        ("--push -o dist", {"outputs": [Path("dist"), Image(push=True)]}),
        ("--push -o type=image", {"outputs": [Image(push=True)]}),
        ("--platform linux/arm64", {"platform": "linux/arm64"}),
        ("--platform linux/arm64,linux/amd64", {"platforms": ["linux/arm64", "linux/amd64"]}),
        ("--platform a --platform b,c", {"platforms": ["a", "b", "c"]}),
        ("--no-cache", {"nocache": True}),
        ("--no-cache-filter a,b --no-cache-filter c", {"nocache": ["a", "b", "c"]}),
        ("--cache-from a --cache-to type=inline", {"cache_from": ["a"], "cache_to": [InlineCache()]}),
        ("--cache-from a,b --cache-from type=registry,ref=c", {"cache_from": ["a", "b", "c"]}),
        ("--build-context a=b", {"contexts": {"a": Path("b")}}),
        ("--allow network.host", {"allow": ["network.host"]}),
        ("--allow a,b --allow c", {"allow": ["a", "b", "c"]}),
        ("--sbom true", {"sbom": True}),
        ("--sbom generator=a --build-arg b=c", {"sbom": "a"}),
        ("--annotation a=b --provenance mode=min", {"annotations": {"a": "b"}, "provenance": "min"}),
    ],
)  # fmt: skip
def test_arguments(line: str, arguments: dict[str, Any]) -> None:
    assert given(line) == arguments
