"""The arguments of ``build``, with the names and meanings of the Docker CLI."""

from __future__ import annotations

from typing import Final

from dockerproto_cli.options import (
    BUILDER_TLS,
    Argument,
    Command,
    StoreLoaded,
    flag,
    lazy,
    read_build_arg,
    read_pair,
    value,
    values,
)

_IMAGE: Final[tuple[Argument, ...]] = (
    values("-t", "--tag", metavar="NAME[:TAG]", help="name of the new image"),
    value("-f", "--file", metavar="PATH", help="Dockerfile; -: read it from standard input"),
    values(
        "--build-arg",
        type=read_build_arg,
        metavar="NAME[=VALUE]",
        help="build argument; without VALUE, the value comes from the environment",
    ),
    values("--label", type=read_pair, metavar="NAME[=VALUE]", help="label of the new image"),
    flag("--no-cache", help="do not use the build cache"),
    flag("--pull", help="check for newer base images"),
    value("--target", metavar="STAGE", help="stage to build"),
    value(
        "--builder",
        type=lazy("daemons:read_builder"),
        metavar="classic|buildkit|ADDRESS",
        help="builder of the engine, or address of a BuildKit daemon, such as tcp://host:1234; default: "
        "DOCKER_BUILDKIT, else the engine's recommendation",
    ),
    BUILDER_TLS,
    values(
        "--secret",
        type=lazy("build_options:read_secret"),
        metavar="id=ID[,src=PATH|env=NAME]",
        help="secret from a file or an environment variable",
    ),
    values(
        "--ssh",
        type=lazy("build_options:read_agent"),
        metavar="default|ID=SOCKET",
        help="ssh agent for the build; default: the agent of SSH_AUTH_SOCK",
    ),
)
_STEPS: Final[tuple[Argument, ...]] = (
    value("--network", metavar="MODE", help="network of the steps"),
    values("--add-host", metavar="NAME:ADDRESS", help="entry in the steps' /etc/hosts"),
    value("--shm-size", type=lazy("limits:read_size"), metavar="SIZE", help="size of /dev/shm, such as 64m"),
    values(
        "--ulimit",
        type=lazy("limits:read_ulimit"),
        metavar="NAME=SOFT[:HARD]",
        help="limit of the steps' processes",
    ),
    value(
        "-m",
        "--memory",
        type=lazy("limits:read_size"),
        metavar="SIZE",
        help="memory limit, such as 1g; classic builder",
    ),
    flag("--force-rm", help="remove intermediate containers after a failure too; classic builder"),
)
_CONTROL: Final[tuple[Argument, ...]] = (
    values("--platform", metavar="OS[/ARCH[/VARIANT]],...", help="platforms of the image"),
    values(
        "-o",
        "--output",
        type=lazy("control_options:read_build_output"),
        metavar="DIR|type=TYPE,...",
        help="output besides or instead of an image: local, tar, image, oci, docker, registry, cacheonly",
    ),
    flag("--push", help="push the image from the build"),
    flag("--load", help="load the image of a BuildKit daemon into the engine, which keeps its own anyway"),
    values(
        "--cache-from",
        type=lazy("control_options:read_caches_from"),
        metavar="NAME,...|type=TYPE,...",
        help="cache to read",
    ),
    values(
        "--cache-to",
        type=lazy("control_options:read_cache_to"),
        metavar="NAME|type=TYPE,...",
        help="cache to export",
    ),
    values("--no-cache-filter", metavar="STAGE,...", help="stages to build without the cache"),
    values(
        "--build-context",
        type=lazy("control_options:read_context"),
        metavar="NAME=DIR|URL|oci-layout://DIR",
        help="named build context",
    ),
    values("--allow", metavar="PERMISSION,...", help="permission of steps, such as network.host"),
    values(
        "--annotation",
        type=lazy("control_options:read_annotation"),
        metavar="KEY=VALUE",
        help="annotation of the image's manifest",
    ),
    value(
        "--provenance",
        type=lazy("control_options:read_provenance"),
        metavar="mode=min|mode=max|false",
        help="attach provenance",
    ),
    value(
        "--sbom",
        type=lazy("control_options:read_sbom"),
        default=False,
        metavar="true|false|generator=IMAGE",
        help="attach an SBOM",
    ),
    value("--metadata-file", metavar="FILE", help="write the engine's facts about the result to a file"),
    value("--iidfile", metavar="FILE", help="write the id of the image to a file"),
)
"""Options of which most need BuildKit's Control API."""
_QUESTIONS: Final[tuple[Argument, ...]] = (
    value(
        "--call",
        type=lazy("checks:read_call"),
        metavar="check|outline|targets[,format=json]",
        help="ask about the Dockerfile instead of building it; options about the result have no effect",
    ),
    (
        ("--check",),
        {
            "action": StoreLoaded,
            "nargs": 0,
            "const": "checks:CHECK",
            "dest": "call",
            "help": "same as --call check",
        },
    ),
)
_PRINTING: Final[tuple[Argument, ...]] = (
    flag("-q", "--quiet", help="do not show progress; print the id of the image"),
    value(
        "--progress",
        choices=("auto", "plain", "tty", "rawjson", "quiet"),
        default="auto",
        help="plain: lines; tty: bars; auto: bars on a terminal, else lines; rawjson: messages as JSON on "
        "standard error; quiet: same as -q",
    ),
    value(
        "source",
        metavar="PATH|URL|-",
        help="build context; -: read a tar or a Dockerfile from standard input",
    ),
)

BUILD: Final = Command(
    "build an image",
    "building:build",
    (*_IMAGE, *_STEPS, *_CONTROL, *_QUESTIONS, *_PRINTING),
)
