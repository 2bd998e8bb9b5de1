"""Which engine a client is of, decided as the docker command does, over what was found on the machine.

First the context: `choose`. Then what it stands for: `stored_endpoint` if it is stored, else
`default_endpoint`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from posixpath import join
from typing import Final

from msgspec import Struct

from dockerproto.endpoint.addresses import DEFAULT_SOCKET, TCP, TLS, Address, Endpoint, UnixSocket
from dockerproto.endpoint.contexts import (
    CONFIG_FILE,
    DEFAULT_CONTEXT,
    TLS_FILES,
    meta_path,
    read_current_context,
    read_meta,
    tls_path,
)
from dockerproto.endpoint.hosts import DEFAULT_TLS_HOST, parse_context_host, parse_host, wants_tls
from dockerproto.errors import ContextError, InvalidHost

_HOST: Final = "DOCKER_HOST"
_CONTEXT: Final = "DOCKER_CONTEXT"
_NONE_EXISTS: Final = "the default socket, as no usual one exists"
_FIRST: Final = "the first of the usual sockets that exists"


class ContextSelection(Struct, frozen=True):
    """The context that was chosen, and why."""

    context: str
    """Its name; `DEFAULT_CONTEXT`: none that is stored."""
    reason: str = ""
    """What decided; "": nothing did."""
    broken: str = ""
    """What is wrong with config.json, if it was asked and could not say."""


def choose(
    context: str | None, environment: Mapping[str, str], config: bytes | str | None
) -> ContextSelection:
    """Choose a context: the program's, ``DOCKER_HOST``, ``DOCKER_CONTEXT``, ``currentContext``, none.

    Args:
        context: What the program asks for.
        environment: The variables of the environment.
        config: What config.json contains, None if there is none; a str says why it cannot be read.

    Raises:
        ContextError: The program asks for a context without a name.
    """
    if context is not None:
        if not context:
            raise ContextError(0, "not the name of a context: ''")
        return ContextSelection(context, "context=")
    if environment.get(_HOST):
        return ContextSelection(DEFAULT_CONTEXT)
    if name := environment.get(_CONTEXT):
        return ContextSelection(name, _CONTEXT)
    if isinstance(config, str):
        return ContextSelection(DEFAULT_CONTEXT, broken=config)
    try:
        current = None if config is None else read_current_context(config)
    except ValueError as error:
        return ContextSelection(DEFAULT_CONTEXT, broken=str(error))
    return (
        ContextSelection(DEFAULT_CONTEXT)
        if current is None
        else ContextSelection(current, f"currentContext of {CONFIG_FILE}")
    )


def stored_endpoint(
    choice: ContextSelection,
    directory: str,
    meta: bytes | None,
    tls_files: Collection[str] | None,
    tls: TLS | None,
) -> Endpoint:
    """Return the engine of a stored context.

    Args:
        choice: The context.
        directory: Where config.json is.
        meta: What its meta.json contains, None if there is none.
        tls_files: The files in its directory of TLS, None if there is no such directory.
        tls: What the program asks for, instead of what the context says.

    Raises:
        ContextError: There is no such context, it cannot be read, or its address is none.
    """
    name, path = choice.context, join(directory, meta_path(choice.context))
    if meta is None:
        raise ContextError(
            0, f"there is no context {name!r}, which is the choice of {choice.reason}: no {path}"
        )
    stored = read_meta(name, path, meta)
    said = tls_files is not None or stored.skip_verify or wants_tls(stored.host)
    if said and tls is None:
        tls = _tls(join(directory, tls_path(name)), tls_files or (), verify=not stored.skip_verify)
    try:
        address = parse_context_host(stored.host or f"unix://{DEFAULT_SOCKET}", tls=tls is not None)
    except InvalidHost as error:
        raise ContextError(0, f"the context {name!r} in {path}: {error.message}") from error
    return Endpoint(address, choice.reason, name, tls if isinstance(address, TCP) else None)


class HostFacts(Struct, frozen=True, kw_only=True):
    """What the default context is decided by."""

    environment: Mapping[str, str]
    """The variables of the environment."""
    certificates: str
    """The directory of the TLS files, ``DOCKER_CERT_PATH`` or that of config.json."""
    tls_files: Collection[str]
    """Which of `TLS_FILES` exist in it."""
    sockets: Sequence[str]
    """The usual sockets that exist, the best first."""


def default_endpoint(
    url: str | None, choice: ContextSelection, machine: HostFacts, tls: TLS | None
) -> Endpoint:
    """Return the engine of no stored context: `url`, ``DOCKER_HOST``, or a usual socket.

    Args:
        url: The address that the program asks for.
        choice: Why no context was chosen.
        machine: What was found.
        tls: What the program asks for, instead of what the environment says.

    Raises:
        InvalidHost: The address is none.
        ContextError: TLS is asked for by the environment, and there is no ca.pem.
    """
    host = machine.environment.get(_HOST, "")
    wanted = tls is not None or _asks_for_tls(machine.environment)
    text = url if url is not None else host.strip() or (DEFAULT_TLS_HOST if wanted else None)
    if text is None:
        address, reason = _usual_socket(machine.sockets)
    else:
        # The docker command has 2375 for the port of DOCKER_HOST even with TLS.
        address = parse_host(text, tls=tls is not None)
        reason = "url=" if url is not None else _HOST if host.strip() else "TLS is asked for, and no host"
    if choice.broken:
        reason += f"; {CONFIG_FILE} was passed over: {choice.broken}"
    if choice.reason:
        reason = f"{choice.reason} is {DEFAULT_CONTEXT!r}: {reason}"
    if not isinstance(address, TCP):
        return Endpoint(address, reason)
    return Endpoint(address, reason, tls=tls or _environment_tls(machine, said=wants_tls(text or "")))


def _usual_socket(sockets: Sequence[str]) -> tuple[Address, str]:
    if sockets:
        return UnixSocket(sockets[0]), _FIRST
    return UnixSocket(DEFAULT_SOCKET), _NONE_EXISTS


def _asks_for_tls(environment: Mapping[str, str]) -> bool:
    """Return whether TLS is asked for; by any value that is not empty, as in the docker command, even 0."""
    return bool(environment.get("DOCKER_TLS") or environment.get("DOCKER_TLS_VERIFY"))


def _environment_tls(machine: HostFacts, *, said: bool) -> TLS | None:
    if not _asks_for_tls(machine.environment):
        return TLS() if said else None
    if TLS_FILES[0] not in machine.tls_files:
        path = join(machine.certificates, TLS_FILES[0])
        raise ContextError(0, f"DOCKER_TLS or DOCKER_TLS_VERIFY asks for TLS, and there is no {path}")
    verify = bool(machine.environment.get("DOCKER_TLS_VERIFY"))
    return _tls(machine.certificates, machine.tls_files, verify=verify)


def _tls(directory: str, files: Collection[str], *, verify: bool) -> TLS:
    ca, certificate, key = (join(directory, each) if each in files else None for each in TLS_FILES)
    # A certificate without its key is of no use, and the docker command does not use it.
    return TLS(ca=ca, certificate=certificate if key else None, key=key, verify=verify)
