"""BuildKit daemons that ``--builder`` names, instead of the engine's own builders."""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from dockerproto import TLS
from dockerproto.docker import BlockingBuildKit
from dockerproto.endpoint.contexts import TLS_FILES
from dockerproto_cli.printing import Invocation
from dockerproto_local import configure_daemon
from dockerproto_local.blocking import BlockingTransport

BUILDERS: Final = ("classic", "buildkit")
"""Builders of an engine."""


def is_address(builder: str | None) -> bool:
    """Return True if a builder is the address of a daemon."""
    return builder is not None and builder not in BUILDERS


def read_builder(text: str) -> str:
    """Parse a builder of an engine, or the address of a daemon.

    Raises:
        ArgumentTypeError: It is neither.
    """
    return text if text in BUILDERS else read_address(text)


def read_address(text: str) -> str:
    """Parse the address of a daemon.

    Raises:
        ArgumentTypeError: It is the name of something else.
    """
    if "://" not in text:
        raise ArgumentTypeError(
            f"must be the address of a BuildKit daemon, such as tcp://host:1234, not {text!r}"
        )
    return text


def connect_daemon(arguments: Namespace) -> BlockingBuildKit:
    """Return a client of the daemon that the arguments name.

    Raises:
        DockerError: The address is invalid, or a TLS file cannot be used.
    """
    directory: str | None = arguments.builder_tls
    tls = None if directory is None else _files(directory)
    configuration = configure_daemon(arguments.builder, tls=tls)
    return BlockingBuildKit(configuration, BlockingTransport(configuration.ssl_context))


def prune_daemon(invocation: Invocation) -> tuple[list[str], int]:
    """Delete build cache of a daemon, and return the ids and the size in bytes of what was deleted."""
    arguments = invocation.arguments
    with connect_daemon(arguments) as daemon:
        records = daemon.prune(
            all=arguments.all, filters=_filter(arguments.filter), keep=arguments.keep_storage, stream=True
        )
        deleted = [*records]
    return [each.id for each in deleted], sum(each.size for each in deleted)


def _files(directory: str) -> TLS:
    ca, certificate, key = (str(Path(directory, each)) for each in TLS_FILES)
    return TLS(ca=ca, certificate=certificate, key=key)


def _filter(pairs: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return filters of the engine, which must all hold, as one of BuildKit; raise ValueError."""
    conditions: list[str] = []
    for name, value in pairs:
        if name == "until":
            raise ValueError("a BuildKit daemon has no filter 'until'")
        conditions.append(name if value == "true" else f"{name}=={value}")
    return (",".join(conditions),) if conditions else ()
