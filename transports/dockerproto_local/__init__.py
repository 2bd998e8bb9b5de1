"""What the transports share of this machine: its environment and its files.

Everything here blocks; async clients call what may take time in worker threads. Nothing here
decides: it fetches, and hands to the core.
"""

from __future__ import annotations

import os
import pwd
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, Final

from dockerproto.choice import Choice, Machine, choose, default_endpoint, stored_endpoint
from dockerproto.client import Configuration
from dockerproto.contexts import CONFIG_FILE, DEFAULT_CONTEXT, TLS_FILES, meta_path, tls_path
from dockerproto.endpoint import DEFAULT_SOCKET, TLS, Endpoint
from dockerproto.errors import ContextError
from dockerproto.timeouts import TimeoutLike, client_timeout
from dockerproto.versions import Version, pinned_version

__all__ = ["configure", "find_endpoint", "open_file"]

AUTO: Final = "auto"
PODMAN_SOCKET: Final = "/run/podman/podman.sock"
_CALLER: Final = 4
"""How far from here a program's call of ``Docker`` is."""


def configure(
    url: str | None,
    api_version: str,
    timeout: TimeoutLike,
    message_limit: int,
    *,
    context: str | None = None,
    tls: TLS | None = None,
) -> Configuration:
    """Return what a client is to be, of its arguments and the environment.

    Raises:
        InvalidHost: The address is none.
        ContextError: The context is missing, or cannot be read.
        ValueError: The API version is none, or not spoken here; or there are an address and a context.
    """
    return Configuration(
        endpoint=find_endpoint(url, os.environ, context=context, tls=tls),
        version=find_version(api_version, os.environ),
        timeout=client_timeout(timeout),
        message_limit=message_limit,
    )


def find_endpoint(
    url: str | None, environment: Mapping[str, str], *, context: str | None = None, tls: TLS | None = None
) -> Endpoint:
    """Return the engine to talk to.

    That is the first of `url`, `context`, ``DOCKER_HOST``, ``DOCKER_CONTEXT``, the ``currentContext`` of
    config.json and the usual sockets.

    Raises:
        InvalidHost: The address is none.
        ContextError: The context is missing, or cannot be read.
        ValueError: There are an address and a context.
    """
    if url is not None and context is not None:
        raise ValueError("url= and context= both name an engine")
    home = environment.get("HOME") or _home()
    directory = environment.get("DOCKER_CONFIG") or str(Path(home, ".docker"))
    if url is not None:
        return default_endpoint(url, Choice(DEFAULT_CONTEXT), _machine(environment, home, directory), tls)
    choice = choose(context, environment, _config(directory))
    if choice.broken:
        warnings.warn(f"{directory}/{CONFIG_FILE} was passed over: {choice.broken}", stacklevel=_CALLER)
    if choice.context == DEFAULT_CONTEXT:
        return default_endpoint(None, choice, _machine(environment, home, directory), tls)
    meta, tls_files = _stored(choice.context, directory)
    return stored_endpoint(choice, directory, meta, tls_files, tls)


def find_version(api_version: str, environment: Mapping[str, str]) -> Version | None:
    """Return the API version that is insisted on, by the program or ``DOCKER_API_VERSION``."""
    if api_version != AUTO:
        return pinned_version(api_version)
    pinned = environment.get("DOCKER_API_VERSION")
    return pinned_version(pinned) if pinned else None


def open_file(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file for reading, unbuffered: it is read in large pieces."""
    return Path(path).open("rb", buffering=0)


def _config(directory: str) -> bytes | str | None:
    """Return what config.json contains, None if there is none; a str says why it cannot be read."""
    try:
        return _content(Path(directory, CONFIG_FILE))
    except OSError as error:
        return str(error.strerror)


def _stored(name: str, directory: str) -> tuple[bytes | None, list[str] | None]:
    """Return what a context's meta.json contains, and the names of its TLS files."""
    tls = Path(directory, tls_path(name))
    try:
        meta = _content(Path(directory, meta_path(name)))
        return meta, [each.name for each in tls.iterdir() if not each.is_dir()] if tls.is_dir() else None
    except OSError as error:
        raise ContextError(0, f"the context {name!r} cannot be read: {error}") from error


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _machine(environment: Mapping[str, str], home: str, directory: str) -> Machine:
    """Return what the default context is decided by."""
    certificates = environment.get("DOCKER_CERT_PATH") or directory
    return Machine(
        environment=environment,
        certificates=certificates,
        tls_files=[each for each in TLS_FILES if _is(Path.exists, Path(certificates, each))],
        sockets=[str(each) for each in _usual_sockets(environment, home) if _is(Path.is_socket, each)],
    )


def _usual_sockets(environment: Mapping[str, str], home: str) -> list[Path]:
    runtime = environment.get("XDG_RUNTIME_DIR")
    rootless = [Path(runtime, "docker.sock")] if runtime else []
    desktop = [Path(home, ".docker", each, "docker.sock") for each in ("run", "desktop")]
    podman = [Path(runtime, "podman/podman.sock")] if runtime else []
    return [Path(DEFAULT_SOCKET), *rootless, *desktop, *podman, Path(PODMAN_SOCKET)]


def _is(test: Callable[[Path], bool], path: Path) -> bool:
    """Return whether a path passes a test; what may not be looked at does not."""
    try:
        return test(path)
    except OSError:
        return False


def _home() -> str:
    """Return the home directory that the system knows, for programs without HOME."""
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return ""
