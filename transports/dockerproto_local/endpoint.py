"""The endpoint of the engine, resolved from what is found on this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from dockerproto.endpoint.addresses import DEFAULT_SOCKET, TLS, Endpoint
from dockerproto.endpoint.contexts import DEFAULT_CONTEXT, TLS_FILES
from dockerproto.endpoint.resolution import (
    ContextSelection,
    HostFacts,
    default_endpoint,
    select_context,
    stored_endpoint,
)
from dockerproto.redacted import hides_frames
from dockerproto_local.config_directory import ConfigDirectory

PODMAN_SOCKET: Final = "/run/podman/podman.sock"


@hides_frames
def find_endpoint(
    url: str | None, environment: Mapping[str, str], *, context: str | None = None, tls: TLS | None = None
) -> Endpoint:
    """Return the endpoint of the engine, by the Docker CLI's precedence rules.

    The first of these counts: `url`, `context`, ``DOCKER_HOST``, ``DOCKER_CONTEXT``, ``currentContext`` of
    config.json, the first standard socket that exists.

    Raises:
        InvalidHost: The address is invalid.
        ContextError: The context is missing, or cannot be read.
        ValueError: There are both `url` and `context`.
    """
    return resolve_endpoint(ConfigDirectory(environment), url, context, tls)


def resolve_endpoint(
    directory: ConfigDirectory, url: str | None, context: str | None, tls: TLS | None
) -> Endpoint:
    """Return the endpoint of the engine; see `find_endpoint`."""
    if url is not None and context is not None:
        raise ValueError("url= and context= both name an engine")
    if url is not None:
        return default_endpoint(url, ContextSelection(DEFAULT_CONTEXT), _facts(directory), tls)
    selection = select_context(context, directory.environment, directory.config())
    directory.warn(selection.broken)
    if selection.context == DEFAULT_CONTEXT:
        return default_endpoint(None, selection, _facts(directory), tls)
    meta, tls_files = directory.context(selection.context)
    return stored_endpoint(selection, directory.path, meta, tls_files, tls)


def _facts(directory: ConfigDirectory) -> HostFacts:
    """Return the facts that decide about the default context."""
    certificates = directory.environment.get("DOCKER_CERT_PATH") or directory.path
    return HostFacts(
        environment=directory.environment,
        certificates=certificates,
        tls_files=[each for each in TLS_FILES if _passes(Path.exists, Path(certificates, each))],
        sockets=[str(each) for each in _standard_sockets(directory) if _passes(Path.is_socket, each)],
    )


def _standard_sockets(directory: ConfigDirectory) -> list[Path]:
    runtime = directory.environment.get("XDG_RUNTIME_DIR")
    rootless = [Path(runtime, "docker.sock")] if runtime else []
    desktop = [Path(directory.home, ".docker", each, "docker.sock") for each in ("run", "desktop")]
    podman = [Path(runtime, "podman/podman.sock")] if runtime else []
    return [Path(DEFAULT_SOCKET), *rootless, *desktop, *podman, Path(PODMAN_SOCKET)]


def _passes(test: Callable[[Path], bool], path: Path) -> bool:
    """Return True if a path passes a test; a path that the user may not inspect does not."""
    try:
        return test(path)
    except OSError:
        return False
