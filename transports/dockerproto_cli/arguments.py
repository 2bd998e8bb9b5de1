"""The arguments of the command, with the names and meanings of the Docker CLI."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from dockerproto import __version__
from dockerproto_cli import local, remote
from dockerproto_cli.build_options import read_agent, read_secret
from dockerproto_cli.checks import CHECK, read_call
from dockerproto_cli.control_options import (
    read_annotation,
    read_build_output,
    read_cache_to,
    read_caches_from,
    read_context,
    read_provenance,
    read_sbom,
)
from dockerproto_cli.printing import Invocation

Run: TypeAlias = Callable[[Invocation], int | None]
"""A function that runs a command. It returns the exit status; None means success."""
Argument: TypeAlias = tuple[tuple[str, ...], Mapping[str, Any]]


def _flag(*names: str, help: str) -> Argument:
    return names, {"action": "store_true", "help": help}


def _value(*names: str, help: str, metavar: str | None = None, **more: Any) -> Argument:
    return names, {"help": help, "metavar": metavar, **more}


def _pair(text: str) -> tuple[str, str | None]:
    """Parse ``NAME=VALUE`` or ``NAME``."""
    name, equals, value = text.partition("=")
    if not name:
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE, not {text!r}")
    return name, value if equals else None


def _build_arg(text: str) -> tuple[str, str | None]:
    """Parse ``NAME=VALUE`` or ``NAME``, whose value comes from the environment; None if it is unset."""
    name, value = _pair(text)
    return name, os.environ.get(name) if value is None else value


def _filter(text: str) -> tuple[str, str]:
    name, value = _pair(text)
    if value is None:
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE, not {text!r}")
    return name, value


_PLATFORM: Final = _value("--platform", metavar="OS[/ARCH[/VARIANT]]", help="platform of the image")
_FILTER: Final = _value(
    "--filter",
    action="append",
    type=_filter,
    default=[],
    metavar="NAME=VALUE",
    help="select images by this filter",
)
_QUIET: Final = _flag("-q", "--quiet", help="do not show progress")
_IDS: Final = _flag("-q", "--quiet", help="print ids only")
_NO_TRUNC: Final = _flag("--no-trunc", help="do not truncate ids and commands")
_IMAGE: Final = _value("image", metavar="IMAGE", help="name or id of the image")
_IMAGES: Final = _value("image", metavar="IMAGE", nargs="+", help="names or ids of the images")
_NAME: Final = _value("image", metavar="NAME[:TAG]", help="name of the image")
_PROGRESS: Final = _value(
    "--progress",
    choices=("auto", "plain", "tty"),
    default="auto",
    help="plain: lines; tty: bars; auto: bars on a terminal, else lines",
)


def _values(name: str, read: Callable[[str], Any], metavar: str, help: str, *short: str) -> Argument:
    """Return an option that may be repeated."""
    more: dict[str, Any] = {"action": "append", "type": read, "default": []}
    return _value(*short, name, metavar=metavar, help=help, **more)


_CONTROL: Final[tuple[Argument, ...]] = (
    _values("--platform", str, "OS[/ARCH[/VARIANT]],...", "platforms of the image"),
    _values(
        "--output",
        read_build_output,
        "DIR|type=TYPE,...",
        "output besides or instead of an image: local, tar, image, oci, docker, registry, cacheonly",
        "-o",
    ),
    _flag("--push", help="push the image from the build"),
    _values("--cache-from", read_caches_from, "NAME,...|type=TYPE,...", "cache to read"),
    _values("--cache-to", read_cache_to, "NAME|type=TYPE,...", "cache to export"),
    _values("--no-cache-filter", str, "STAGE,...", "stages to build without the cache"),
    _values("--build-context", read_context, "NAME=DIR|URL|oci-layout://DIR", "named build context"),
    _values("--allow", str, "PERMISSION,...", "permission of steps, such as network.host"),
    _values("--annotation", read_annotation, "KEY=VALUE", "annotation of the image's manifest"),
    _value("--provenance", type=read_provenance, metavar="mode=min|mode=max|false", help="attach provenance"),
    _value(
        "--sbom", type=read_sbom, default=False, metavar="true|false|generator=IMAGE", help="attach an SBOM"
    ),
    _value("--metadata-file", metavar="FILE", help="write the engine's facts about the result to a file"),
    _value("--iidfile", metavar="FILE", help="write the id of the image to a file"),
    _value(
        "--call",
        type=read_call,
        metavar="check|outline|targets[,format=json]",
        help="ask about the Dockerfile instead of building it; options about the result have no effect",
    ),
    (("--check",), {"action": "store_const", "const": CHECK, "dest": "call", "help": "same as --call check"}),
)
"""Options of a build, most of which need BuildKit's Control API."""

COMMANDS: Final[Mapping[str, tuple[str, Run, Iterable[Argument]]]] = {
    "build": (
        "build an image",
        remote.build,
        (
            _value(
                "-t", "--tag", action="append", default=[], metavar="NAME[:TAG]", help="name of the new image"
            ),
            _value("-f", "--file", metavar="PATH", help="Dockerfile; -: read it from standard input"),
            _value(
                "--build-arg",
                action="append",
                type=_build_arg,
                default=[],
                metavar="NAME[=VALUE]",
                help="build argument; without VALUE, the value comes from the environment",
            ),
            _value(
                "--label",
                action="append",
                type=_pair,
                default=[],
                metavar="NAME[=VALUE]",
                help="label of the new image",
            ),
            _flag("--no-cache", help="do not use the build cache"),
            _flag("--pull", help="check for newer base images"),
            _value("--target", metavar="STAGE", help="stage to build"),
            _value(
                "--builder",
                choices=("classic", "buildkit"),
                help="builder; default: DOCKER_BUILDKIT, else the engine's recommendation",
            ),
            _value("--network", metavar="MODE", help="network of the steps"),
            _value(
                "--secret",
                action="append",
                type=read_secret,
                default=[],
                metavar="id=ID[,src=PATH|env=NAME]",
                help="secret from a file or an environment variable",
            ),
            _value(
                "--ssh",
                action="append",
                type=read_agent,
                default=[],
                metavar="default|ID=SOCKET",
                help="ssh agent for the build; default: the agent of SSH_AUTH_SOCK",
            ),
            *_CONTROL,
            _flag("-q", "--quiet", help="do not show progress; print the id of the image"),
            _PROGRESS,
            _value(
                "source",
                metavar="PATH|URL|-",
                help="build context; -: read a tar or a Dockerfile from standard input",
            ),
        ),
    ),
    "history": ("show the history of an image", local.history, (_NO_TRUNC, _IDS, _IMAGE)),
    "images": (
        "list images",
        local.images,
        (
            _flag("-a", "--all", help="include intermediate images of builds"),
            _flag("--digests", help="show digests"),
            _FILTER,
            _NO_TRUNC,
            _IDS,
            _value("repository", metavar="REPOSITORY[:TAG]", nargs="?", help="list only images of this name"),
        ),
    ),
    "inspect": ("show details of images", local.inspect, (_PLATFORM, _IMAGES)),
    "load": (
        "load images from an archive",
        remote.load,
        (
            _value("-i", "--input", metavar="FILE", help="archive; default: standard input"),
            _QUIET,
            _PLATFORM,
            _PROGRESS,
        ),
    ),
    "prune": (
        "delete unused images",
        local.prune,
        (
            _flag("-a", "--all", help="delete all images without a container, not only untagged ones"),
            _flag("-f", "--force", help="do not ask for confirmation"),
            _FILTER,
        ),
    ),
    "pull": (
        "download an image from its registry",
        remote.pull,
        (_flag("-a", "--all-tags", help="transfer all tags"), _QUIET, _PLATFORM, _PROGRESS, _NAME),
    ),
    "push": (
        "upload an image to its registry",
        remote.push,
        (_flag("-a", "--all-tags", help="transfer all tags"), _QUIET, _PLATFORM, _PROGRESS, _NAME),
    ),
    "rmi": (
        "remove images",
        local.remove,
        (
            _flag("-f", "--force", help="remove them even if they are in use or have other names"),
            _flag("--no-prune", help="keep untagged parents"),
            _IMAGES,
        ),
    ),
    "save": (
        "write images to an archive",
        remote.save,
        (
            _value("-o", "--output", metavar="FILE", help="archive; default: standard output"),
            _PLATFORM,
            _IMAGES,
        ),
    ),
    "tag": (
        "give an image another name",
        local.tag,
        (_IMAGE, _value("target", metavar="NAME[:TAG]", help="the new name")),
    ),
}
"""Summary, function and arguments of each command."""

_PROGRAM: Final = "dockerproto"
_PLAIN: Final[dict[str, Any]] = {"color": False} if sys.version_info >= (3, 14) else {}
"""Options of parsers: Python 3.14 colours the usage for standard output, and prints it to standard error."""
_GLOBAL: Final = ("host", "context", "json")
_COMMON: Final[tuple[Argument, ...]] = (
    _value("-H", "--host", metavar="URL", help="engine, such as unix:///run/docker.sock"),
    _value("-c", "--context", metavar="NAME", help="Docker context of the engine"),
    _flag("--json", help="print JSON: one document, or one message per line"),
)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the arguments; those of the program by default.

    Exits with status 2 if they are invalid, after the usage of the command and an error that names the
    arguments at fault.
    """
    top = _parser()
    arguments, unknown = top.parse_known_args(argv)
    if unknown:
        top.error(_at_fault(unknown))
    name, *rest = arguments.command or [""]
    if name not in COMMANDS:
        top.error(f"unknown command: {name}; see {_PROGRAM} --help" if name else "a command is required")
    return _parse_command(name, rest, arguments)


def _parse_command(name: str, rest: Sequence[str], arguments: argparse.Namespace) -> argparse.Namespace:
    """Parse the arguments of a command; options may stand between operands, as with the Docker CLI."""
    summary, run, accepted = COMMANDS[name]
    command = argparse.ArgumentParser(
        prog=f"{_PROGRAM} {name}", description=f"{summary.capitalize()}.", allow_abbrev=False, **_PLAIN
    )
    for names, options in (*accepted, *_COMMON):
        command.add_argument(*names, **options)
    usage = command.format_usage()
    command.set_defaults(
        run=run, command=name, usage=usage, **{each: getattr(arguments, each) for each in _GLOBAL}
    )
    # With "--", what follows must not be parsed twice.
    parse_known = command.parse_known_args if "--" in rest else command.parse_known_intermixed_args
    parsed, unknown = parse_known(rest)
    if unknown:
        command.error(_at_fault(unknown))
    return parsed


def _at_fault(unknown: Sequence[str]) -> str:
    """Describe unknown arguments; after an unknown option, the operands may be innocent."""
    options = [each for each in unknown if each.startswith("-") and each != "-"]
    what = "unknown option" if options else "unexpected argument"
    return f"{what}: {' '.join(options or unknown)}"


def _parser() -> argparse.ArgumentParser:
    """Return the parser of the arguments before the command; it leaves the rest alone."""
    width = max(map(len, COMMANDS))
    summaries = (f"  {name:{width}}  {summary}" for name, (summary, *_) in COMMANDS.items())
    top = argparse.ArgumentParser(
        prog=_PROGRAM,
        usage=f"{_PROGRAM} [-h] [--version] [-H URL] [-c NAME] [--json] COMMAND ...",
        description="Manage the images of a Docker Engine.",
        epilog="\n".join(("commands:", *summaries)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        **_PLAIN,
    )
    top.add_argument("--version", action="version", version=f"{_PROGRAM} {__version__}")
    for names, options in _COMMON:
        top.add_argument(*names, **options)
    top.add_argument("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return top
