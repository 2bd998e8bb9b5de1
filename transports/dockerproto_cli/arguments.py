"""The arguments of the command: their names and meanings are those of the docker command's."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from dockerproto import __version__
from dockerproto_cli import local, remote
from dockerproto_cli.build_options import read_agent, read_output, read_secret
from dockerproto_cli.printing import Invocation

Run: TypeAlias = Callable[[Invocation], int | None]
"""What does a command: it returns an exit status, None for success."""
Argument: TypeAlias = tuple[tuple[str, ...], Mapping[str, Any]]


def _flag(*names: str, help: str) -> Argument:
    return names, {"action": "store_true", "help": help}


def _value(*names: str, help: str, metavar: str | None = None, **more: Any) -> Argument:
    return names, {"help": help, "metavar": metavar, **more}


def _pair(text: str) -> tuple[str, str | None]:
    """Read NAME=VALUE, or NAME."""
    name, equals, value = text.partition("=")
    if not name:
        raise argparse.ArgumentTypeError(f"not NAME=VALUE: {text!r}")
    return name, value if equals else None


def _build_arg(text: str) -> tuple[str, str | None]:
    """Read NAME=VALUE, or NAME with its value from the environment, if it is there."""
    name, value = _pair(text)
    return name, os.environ.get(name) if value is None else value


def _filter(text: str) -> tuple[str, str]:
    name, value = _pair(text)
    if value is None:
        raise argparse.ArgumentTypeError(f"not NAME=VALUE: {text!r}")
    return name, value


_PLATFORM: Final = _value("--platform", metavar="OS[/ARCH[/VARIANT]]", help="the platform of the image")
_FILTER: Final = _value(
    "--filter", action="append", type=_filter, default=[], metavar="NAME=VALUE", help="which images"
)
_QUIET: Final = _flag("-q", "--quiet", help="no progress")
_IDS: Final = _flag("-q", "--quiet", help="ids only")
_NO_TRUNC: Final = _flag("--no-trunc", help="do not shorten anything")
_IMAGE: Final = _value("image", metavar="IMAGE", help="a name, with a tag or a digest, or an id")
_IMAGES: Final = _value("image", metavar="IMAGE", nargs="+", help="names or ids")
_NAME: Final = _value("image", metavar="NAME[:TAG]", help="its name")
_PROGRESS: Final = _value(
    "--progress",
    choices=("auto", "plain", "tty"),
    default="auto",
    help="how to show the progress: as lines (plain), drawn (tty), or drawn on a terminal only (auto)",
)

COMMANDS: Final[Mapping[str, tuple[str, Run, Iterable[Argument]]]] = {
    "build": (
        "build an image",
        remote.build,
        (
            _value("-t", "--tag", action="append", default=[], metavar="NAME[:TAG]", help="a name for it"),
            _value("-f", "--file", metavar="PATH", help="the Dockerfile; -: from standard input"),
            _value(
                "--build-arg",
                action="append",
                type=_build_arg,
                default=[],
                metavar="NAME[=VALUE]",
                help="a build argument; without a value, that of the environment",
            ),
            _value(
                "--label", action="append", type=_pair, default=[], metavar="NAME[=VALUE]", help="a label"
            ),
            _flag("--no-cache", help="do not use the cache"),
            _flag("--pull", help="look for newer base images"),
            _value("--target", metavar="STAGE", help="the stage to build"),
            _PLATFORM,
            _value(
                "--builder",
                choices=("classic", "buildkit"),
                help="which builder; by default what DOCKER_BUILDKIT or else the engine says",
            ),
            _value("--network", metavar="MODE", help="the network of the steps"),
            _value(
                "--secret",
                action="append",
                type=read_secret,
                default=[],
                metavar="id=ID[,src=PATH|env=NAME]",
                help="a secret: a file, or an environment variable",
            ),
            _value(
                "--ssh",
                action="append",
                type=read_agent,
                default=[],
                metavar="default|ID=SOCKET",
                help="an ssh agent: that of SSH_AUTH_SOCK, or another",
            ),
            _value(
                "-o",
                "--output",
                type=read_output,
                metavar="DIR|type=local,dest=DIR|type=tar,dest=FILE",
                help="write what the build made, instead of making an image of it",
            ),
            _flag("-q", "--quiet", help="no progress; write the id of the image"),
            _PROGRESS,
            _value(
                "source",
                metavar="PATH|URL|-",
                help="what to build; -: a tar or a Dockerfile, from standard input",
            ),
        ),
    ),
    "history": ("show how an image came about", local.history, (_NO_TRUNC, _IDS, _IMAGE)),
    "images": (
        "list images",
        local.images,
        (
            _flag("-a", "--all", help="the intermediate images of builds too"),
            _flag("--digests", help="show digests"),
            _FILTER,
            _NO_TRUNC,
            _IDS,
            _value("repository", metavar="REPOSITORY[:TAG]", nargs="?", help="only those of this name"),
        ),
    ),
    "inspect": ("show all that is known of images", local.inspect, (_PLATFORM, _IMAGES)),
    "load": (
        "load images from an archive",
        remote.load,
        (
            _value("-i", "--input", metavar="FILE", help="the archive; standard input by default"),
            _QUIET,
            _PLATFORM,
            _PROGRESS,
        ),
    ),
    "prune": (
        "delete images that are not used",
        local.prune,
        (
            _flag("-a", "--all", help="all that no container uses, not only those without a name"),
            _flag("-f", "--force", help="do not ask"),
            _FILTER,
        ),
    ),
    "pull": (
        "download an image from its registry",
        remote.pull,
        (_flag("-a", "--all-tags", help="all tags"), _QUIET, _PLATFORM, _PROGRESS, _NAME),
    ),
    "push": (
        "upload an image to its registry",
        remote.push,
        (_flag("-a", "--all-tags", help="all tags"), _QUIET, _PLATFORM, _PROGRESS, _NAME),
    ),
    "rmi": (
        "remove images",
        local.remove,
        (
            _flag("-f", "--force", help="even if they are in use or have other names"),
            _flag("--no-prune", help="keep untagged parents"),
            _IMAGES,
        ),
    ),
    "save": (
        "write images to an archive",
        remote.save,
        (
            _value("-o", "--output", metavar="FILE", help="the archive; standard output by default"),
            _PLATFORM,
            _IMAGES,
        ),
    ),
    "tag": (
        "give an image another name",
        local.tag,
        (_IMAGE, _value("target", metavar="NAME[:TAG]", help="the other name")),
    ),
}
"""The commands: what they do in words, what does it, and their arguments."""

_COMMON: Final[tuple[Argument, ...]] = (
    _value("-H", "--host", metavar="URL", help="the engine, such as unix:///run/docker.sock"),
    _value("-c", "--context", metavar="NAME", help="the docker context of the engine"),
    _flag("--json", help="write JSON: one document, or one message a line"),
)


def parser() -> argparse.ArgumentParser:
    """Return what reads the arguments."""
    top = argparse.ArgumentParser(
        prog="dockerproto", description="Images of a Docker Engine.", allow_abbrev=False
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    for names, options in _COMMON:
        top.add_argument(*names, **options)
    chosen = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (summary, run, arguments) in COMMANDS.items():
        command = chosen.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        command.set_defaults(run=run, command=name)
        for names, options in arguments:
            command.add_argument(*names, **options)
        for names, options in _COMMON:  # after the command too, where they win
            again: dict[str, Any] = {**options, "default": argparse.SUPPRESS}
            command.add_argument(*names, **again)
    return top
