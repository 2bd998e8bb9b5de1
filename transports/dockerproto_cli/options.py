"""Arguments of commands, as data; the functions that parse or run them are named, and loaded when needed."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final, NamedTuple, TypeAlias

Argument: TypeAlias = tuple[tuple[str, ...], Mapping[str, Any]]
"""Names of an argument, and its options for `argparse`."""


class Command(NamedTuple):
    """A command."""

    summary: str
    """Description, without a capital letter or a full stop."""
    function: str
    """Function that runs it, ``module:name``."""
    arguments: tuple[Argument, ...]
    """Arguments."""
    local: bool = False
    """True if it needs no engine: the function gets the parsed arguments, others an `Invocation`."""


class StoreLoaded(argparse.Action):
    """An option without a value that stores an object, which is loaded only then."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002  # an interface
        namespace: argparse.Namespace,
        values: object,  # noqa: ARG002
        option_string: str | None = None,  # noqa: ARG002
    ) -> None:
        """Store the object."""
        setattr(namespace, self.dest, load(str(self.const)))


def load(path: str) -> Any:
    """Return an object of this package that is named as ``module:name``."""
    module, _, name = path.partition(":")
    return getattr(import_module(f"dockerproto_cli.{module}"), name)


def lazy(function: str) -> Callable[[str], Any]:
    """Return a function that parses a text by a function that is loaded when it is called."""

    def read(text: str) -> Any:
        return load(function)(text)

    return read


def flag(*names: str, help: str) -> Argument:
    """Return an option without a value."""
    return names, {"action": "store_true", "help": help}


def value(*names: str, help: str, metavar: str | None = None, **more: Any) -> Argument:
    """Return an option or operand with a value."""
    return names, {"help": help, "metavar": metavar, **more}


def values(*names: str, help: str, metavar: str, type: Callable[[str], Any] = str) -> Argument:
    """Return an option that may be repeated."""
    return value(*names, help=help, metavar=metavar, action="append", type=type, default=[])


def read_pair(text: str) -> tuple[str, str | None]:
    """Parse ``NAME=VALUE`` or ``NAME``."""
    name, equals, value = text.partition("=")
    if not name:
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE, not {text!r}")
    return name, value if equals else None


def read_build_arg(text: str) -> tuple[str, str | None]:
    """Parse ``NAME=VALUE`` or ``NAME``, whose value comes from the environment; None if it is unset."""
    name, value = read_pair(text)
    return name, os.environ.get(name) if value is None else value


def read_filter(text: str) -> tuple[str, str]:
    """Parse ``NAME=VALUE``."""
    name, value = read_pair(text)
    if value is None:
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE, not {text!r}")
    return name, value


PLATFORM: Final = value("--platform", metavar="OS[/ARCH[/VARIANT]]", help="platform of the image")
FILTER: Final = values("-f", "--filter", type=read_filter, metavar="NAME=VALUE", help="select by this filter")
LONG_FILTER: Final = values("--filter", type=read_filter, metavar="NAME=VALUE", help="select by this filter")
FORMAT: Final = value(
    "--format", metavar="FORMAT", help="json, table, or a template such as '{{.ID}}' or 'table {{.ID}}'"
)
DOCUMENT_FORMAT: Final = value(
    "-f", "--format", metavar="FORMAT", help="json, or a template such as '{{.Os}}' or '{{json .Config}}'"
)
QUIET: Final = flag("-q", "--quiet", help="do not show progress")
IDS: Final = flag("-q", "--quiet", help="print ids only")
NO_TRUNC: Final = flag("--no-trunc", help="do not truncate ids and texts")
FORCE: Final = flag("-f", "--force", help="do not ask for confirmation")
IMAGE: Final = value("image", metavar="IMAGE", help="name or id of the image")
IMAGES: Final = value("image", metavar="IMAGE", nargs="+", help="names or ids of the images")
NAME: Final = value("image", metavar="NAME[:TAG]", help="name of the image")
PROGRESS: Final = value(
    "--progress",
    choices=("auto", "plain", "tty"),
    default="auto",
    help="plain: lines; tty: bars; auto: bars on a terminal, else lines",
)
BUILDER_TLS: Final = value(
    "--builder-tls", metavar="DIR", help="directory with ca.pem, cert.pem and key.pem for a daemon at tcp://"
)
ALL_TAGS: Final = flag("-a", "--all-tags", help="transfer all tags")
