"""Resolve which engine to connect to, by the Docker CLI's precedence rules.

`select_context` selects a Docker context; then `stored_endpoint` returns the engine of a stored context, and
`default_endpoint` that of the default context. The caller reads the files and the environment.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from posixpath import join
from typing import Final

from msgspec import Struct

from dockerproto.config.config_file import CONFIG_FILE, ConfigFile
from dockerproto.endpoint.addresses import DEFAULT_SOCKET, TCP, TLS, Address, Endpoint, UnixSocket
from dockerproto.endpoint.contexts import (
    DEFAULT_CONTEXT,
    TLS_FILES,
    meta_path,
    read_meta,
    tls_path,
)
from dockerproto.endpoint.hosts import DEFAULT_TLS_HOST, parse_context_host, parse_host, wants_tls
from dockerproto.errors import ContextError, InvalidHost

_HOST: Final = "DOCKER_HOST"
_CONTEXT: Final = "DOCKER_CONTEXT"
_NO_SOCKET: Final = "the default socket, as no standard one exists"
_FIRST_SOCKET: Final = "the first standard socket that exists"


class ContextSelection(Struct, frozen=True):
    """The selected Docker context, and the reason."""

    context: str
    """Name of the context; `DEFAULT_CONTEXT` if it is not a stored one."""
    reason: str = ""
    """Source of the name, such as ``DOCKER_CONTEXT``; "" if nothing names a context."""
    broken: str = ""
    """The problem with config.json, if it was needed and is unusable; otherwise ""."""


def select_context(
    context: str | None, environment: Mapping[str, str], config: ConfigFile
) -> ContextSelection:
    """Select a context by the first of `context`, ``DOCKER_HOST``, ``DOCKER_CONTEXT``, ``currentContext``.

    Args:
        context: Name given by the program.
        environment: Environment variables.
        config: The Docker CLI's configuration file.

    Raises:
        ContextError: `context` is empty.
    """
    if context is not None:
        if not context:
            raise ContextError(0, "invalid Docker context name: ''")
        return ContextSelection(context, "context=")
    if environment.get(_HOST):
        return ContextSelection(DEFAULT_CONTEXT)
    if name := environment.get(_CONTEXT):
        return ContextSelection(name, _CONTEXT)
    broken = config.problem("currentContext")
    if config.current_context:
        return ContextSelection(config.current_context, f"currentContext of {CONFIG_FILE}", broken)
    return ContextSelection(DEFAULT_CONTEXT, broken=broken)


def stored_endpoint(
    selection: ContextSelection,
    directory: str,
    meta: bytes | None,
    tls_files: Collection[str] | None,
    tls: TLS | None,
) -> Endpoint:
    """Return the endpoint of a stored context.

    Args:
        selection: The context.
        directory: Directory of config.json.
        meta: Content of the context's meta.json, None if it does not exist.
        tls_files: Names in the context's directory of TLS files, None if the directory does not exist.
        tls: TLS files given by the program, which replace those of the context.

    Raises:
        ContextError: The context does not exist, is malformed, or has an invalid address.
    """
    name, path = selection.context, join(directory, meta_path(selection.context))
    if meta is None:
        raise ContextError(
            0, f"Docker context {name!r} (from {selection.reason}) does not exist: missing {path}"
        )
    stored = read_meta(name, path, meta)
    uses_tls = tls_files is not None or stored.skip_verify or wants_tls(stored.host)
    if uses_tls and tls is None:
        tls = _tls(join(directory, tls_path(name)), tls_files or (), verify=not stored.skip_verify)
    try:
        address = parse_context_host(stored.host or f"unix://{DEFAULT_SOCKET}", tls=tls is not None)
    except InvalidHost as error:
        raise ContextError(0, f"Docker context {name!r} in {path}: {error.message}") from error
    return Endpoint(address, selection.reason, name, tls if isinstance(address, TCP) else None)


class HostFacts(Struct, frozen=True, kw_only=True):
    """Facts about the machine that the default context depends on."""

    environment: Mapping[str, str]
    """Environment variables."""
    certificates: str
    """Directory of the TLS files: ``DOCKER_CERT_PATH``, or that of config.json."""
    tls_files: Collection[str]
    """Names of the `TLS_FILES` that exist in it."""
    sockets: Sequence[str]
    """Paths of the standard sockets that exist, in the order of preference."""


def default_endpoint(
    url: str | None, selection: ContextSelection, machine: HostFacts, tls: TLS | None
) -> Endpoint:
    """Return the endpoint of the default context: `url`, ``DOCKER_HOST``, or a standard socket.

    Args:
        url: Address given by the program.
        selection: The default context, and the reason why it was selected.
        machine: Facts about the machine.
        tls: TLS files given by the program, which replace those of the environment.

    Raises:
        InvalidHost: The address is invalid.
        ContextError: The environment enables TLS, but ca.pem is missing.
    """
    host = machine.environment.get(_HOST, "")
    uses_tls = tls is not None or _enables_tls(machine.environment)
    text = url if url is not None else host.strip() or (DEFAULT_TLS_HOST if uses_tls else None)
    if text is None:
        address, reason = _standard_socket(machine.sockets)
    else:
        # As in the Docker CLI, TLS from the environment does not change the default port from 2375.
        address = parse_host(text, tls=tls is not None)
        reason = "url=" if url is not None else _HOST if host.strip() else "the default host with TLS"
    if selection.broken:
        reason += f"; {CONFIG_FILE} was ignored: {selection.broken}"
    if selection.reason:
        reason += f"; {selection.reason} is {DEFAULT_CONTEXT!r}"
    if not isinstance(address, TCP):
        return Endpoint(address, reason)
    return Endpoint(address, reason, tls=tls or _environment_tls(machine, implied=wants_tls(text or "")))


def _standard_socket(sockets: Sequence[str]) -> tuple[Address, str]:
    if sockets:
        return UnixSocket(sockets[0]), _FIRST_SOCKET
    return UnixSocket(DEFAULT_SOCKET), _NO_SOCKET


def _enables_tls(environment: Mapping[str, str]) -> bool:
    """Return True if the environment enables TLS; any value does, even 0, as in the Docker CLI."""
    return bool(environment.get("DOCKER_TLS") or environment.get("DOCKER_TLS_VERIFY"))


def _environment_tls(machine: HostFacts, *, implied: bool) -> TLS | None:
    if not _enables_tls(machine.environment):
        return TLS() if implied else None
    if TLS_FILES[0] not in machine.tls_files:
        path = join(machine.certificates, TLS_FILES[0])
        raise ContextError(0, f"DOCKER_TLS or DOCKER_TLS_VERIFY enables TLS, but {path} is missing")
    verify = bool(machine.environment.get("DOCKER_TLS_VERIFY"))
    return _tls(machine.certificates, machine.tls_files, verify=verify)


def _tls(directory: str, files: Collection[str], *, verify: bool) -> TLS:
    ca, certificate, key = (join(directory, each) if each in files else None for each in TLS_FILES)
    # A certificate is useless without its key; the Docker CLI ignores it too.
    return TLS(ca=ca, certificate=certificate if key else None, key=key, verify=verify)
