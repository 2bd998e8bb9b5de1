"""What the transports share of this machine: its environment and its files.

Everything here blocks; async clients call what may take time in worker threads. Nothing here
decides: it fetches, and hands to the core.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Final

from dockerproto.client import Configuration
from dockerproto.endpoint import DEFAULT_SOCKET, Endpoint, UnixSocket, parse_host
from dockerproto.lookup import CredentialsLike
from dockerproto.timeouts import DEFAULT, Default, TimeoutLike, client_timeout
from dockerproto.versions import Version, pinned_version
from dockerproto_local.credentials import StoredCredentials

__all__ = ["StoredCredentials", "configure", "find_endpoint", "open_file"]

AUTO: Final = "auto"
PODMAN_SOCKET: Final = "/run/podman/podman.sock"


def configure(
    url: str | None,
    api_version: str,
    timeout: TimeoutLike,
    message_limit: int,
    credentials: CredentialsLike | Default | None = DEFAULT,
) -> Configuration:
    """Return what a client is to be, of its arguments and the environment.

    Raises:
        InvalidHost: The address is none.
        ValueError: The API version is none, or not spoken here.
    """
    return Configuration(
        endpoint=find_endpoint(url, os.environ),
        version=find_version(api_version, os.environ),
        timeout=client_timeout(timeout),
        message_limit=message_limit,
        credentials=StoredCredentials(os.environ) if credentials is DEFAULT else credentials,
    )


def find_endpoint(url: str | None, environment: Mapping[str, str]) -> Endpoint:
    """Return the engine to talk to: `url`, else ``DOCKER_HOST``, else the first usual socket there is."""
    if url is not None:
        return Endpoint(parse_host(url), "url=")
    if host := environment.get("DOCKER_HOST"):
        return Endpoint(parse_host(host), "DOCKER_HOST")
    for socket in _usual_sockets(environment):
        if socket.is_socket():
            return Endpoint(UnixSocket(str(socket)), "the first of the usual sockets that exists")
    return Endpoint(UnixSocket(DEFAULT_SOCKET), "the default socket, as no usual one exists")


def find_version(api_version: str, environment: Mapping[str, str]) -> Version | None:
    """Return the API version that is insisted on, by the program or ``DOCKER_API_VERSION``."""
    if api_version != AUTO:
        return pinned_version(api_version)
    pinned = environment.get("DOCKER_API_VERSION")
    return pinned_version(pinned) if pinned else None


def open_file(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file for reading, unbuffered: it is read in large pieces."""
    return Path(path).open("rb", buffering=0)


def _usual_sockets(environment: Mapping[str, str]) -> list[Path]:
    runtime, home = environment.get("XDG_RUNTIME_DIR"), environment.get("HOME")
    rootless = [Path(runtime, "docker.sock")] if runtime else []
    desktop = [Path(home, ".docker", each, "docker.sock") for each in ("run", "desktop")] if home else []
    podman = [Path(runtime, "podman/podman.sock")] if runtime else []
    return [Path(DEFAULT_SOCKET), *rootless, *desktop, *podman, Path(PODMAN_SOCKET)]
