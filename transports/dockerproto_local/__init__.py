"""What the transports share of this machine: its environment and its files.

Everything here blocks; async clients call what may take time in worker threads. Nothing here
decides: it fetches, and hands to the core.
"""

from __future__ import annotations

import os
import pwd
import ssl
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final, TypedDict, TypeVar

from dockerproto.arguments import strings_by_name
from dockerproto.client import Configuration
from dockerproto.config.headers import VARIABLE as HEADERS_VARIABLE
from dockerproto.config.headers import Headers, checked_headers, read_headers, read_variable
from dockerproto.config.proxies import read_proxies
from dockerproto.credentials.source import CredentialsLike
from dockerproto.endpoint.addresses import DEFAULT_SOCKET, TLS, Address, Endpoint
from dockerproto.endpoint.contexts import CONFIG_FILE, DEFAULT_CONTEXT, TLS_FILES, meta_path, tls_path
from dockerproto.endpoint.resolution import (
    ContextSelection,
    HostFacts,
    choose,
    default_endpoint,
    stored_endpoint,
)
from dockerproto.errors import ContextError, InvalidHeader
from dockerproto.messages.decoding import MESSAGE_LIMIT
from dockerproto.timeouts import DEFAULT, Default, TimeoutLike, client_limits
from dockerproto.versions import Version, pinned_version
from dockerproto_local.credentials import StoredCredentials
from dockerproto_local.tls import ssl_context

__all__ = ["Options", "StoredCredentials", "configure", "find_endpoint", "secure"]

T = TypeVar("T")

AUTO: Final = "auto"
PODMAN_SOCKET: Final = "/run/podman/podman.sock"
_CALLER: Final = 4
"""How far from `find_endpoint` and its like a program's call of ``Docker`` is."""


class Options(TypedDict, total=False):
    """What a client may be told by keywords, the same on every transport."""

    context: str | None
    """The name of a docker context to take, instead of an address."""
    tls: TLS | ssl.SSLContext | None
    """Certificates, or a context of the ssl module; by default what the docker command would take."""
    credentials: CredentialsLike | Default | None
    """Where the credentials of registries are looked up, see `CredentialsLike`; by default where
    ``docker login`` has left them, with None nowhere."""
    api_version: str
    """``"auto"``, the newest that both speak, or one to insist on, such as ``"1.43"``."""
    timeout: TimeoutLike
    """Limits of calls that are not long; by default 60 seconds for those that only read; see `Timeout`."""
    message_limit: int
    """The longest message of a stream, in bytes; 16 MiB by default."""
    headers: Mapping[str, str]
    """Headers for every request; by default those that the docker command would send, with ``{}`` none."""
    proxies: Mapping[str, str]
    """Proxies as arguments for every build, such as ``HTTP_PROXY``; by default those that the docker command
    would add, with ``{}`` none."""


def configure(url: str | None, options: Options) -> Configuration:
    """Return what a client is to be, of its arguments and the environment.

    Raises:
        InvalidHost: The address is none.
        ContextError: The context is missing, or cannot be read.
        InvalidHeader: A header for every request is none.
        ValueError: The API version is none, or not spoken here; or there are an address and a context.
    """
    asked = options.get("tls")
    tls = TLS() if isinstance(asked, ssl.SSLContext) else asked
    credentials = options.get("credentials", DEFAULT)
    endpoint = find_endpoint(url, os.environ, context=options.get("context"), tls=tls)
    return Configuration(
        endpoint=endpoint,
        version=find_version(options.get("api_version", AUTO), os.environ),
        limits=client_limits(options.get("timeout", DEFAULT)),
        message_limit=options.get("message_limit", MESSAGE_LIMIT),
        credentials=StoredCredentials(os.environ) if credentials is DEFAULT else credentials,
        headers=find_headers(options.get("headers"), os.environ),
        proxies=find_proxies(options.get("proxies"), os.environ, endpoint.address),
    )


def secure(endpoint: Endpoint, options: Options) -> ssl.SSLContext | None:
    """Return what the ssl module needs to connect to an engine, None if it speaks no TLS.

    Raises:
        ConnectionFailed: A file of the certificates cannot be used.
    """
    asked = options.get("tls")
    if endpoint.tls is None or isinstance(asked, ssl.SSLContext):
        return asked if isinstance(asked, ssl.SSLContext) else None
    return ssl_context(endpoint.tls)


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
    home, directory = _directories(environment)
    if url is not None:
        return default_endpoint(
            url, ContextSelection(DEFAULT_CONTEXT), _machine(environment, home, directory), tls
        )
    choice = choose(context, environment, _config(directory))
    if choice.broken:
        warnings.warn(_passed_over(directory, choice.broken), stacklevel=_CALLER)
    if choice.context == DEFAULT_CONTEXT:
        return default_endpoint(None, choice, _machine(environment, home, directory), tls)
    meta, tls_files = _stored(choice.context, directory)
    return stored_endpoint(choice, directory, meta, tls_files, tls)


def find_headers(asked: Mapping[str, str] | None, environment: Mapping[str, str]) -> Headers:
    """Return the headers for every request: the program's, else what the docker command would send.

    Raises:
        InvalidHeader: One of them cannot be sent.
        TypeError: They are no mapping of str to str.
    """
    if asked is not None:
        return checked_headers(asked)
    if variable := environment.get(HEADERS_VARIABLE):
        return read_variable(variable)
    return _configured(environment, read_headers, ())


def find_proxies(
    asked: Mapping[str, str] | None, environment: Mapping[str, str], address: Address
) -> Mapping[str, str]:
    """Return the arguments for every build: the program's, else those that the docker command would add.

    Raises:
        TypeError: They are no mapping of str to str.
    """
    if asked is not None:
        return strings_by_name("proxies", asked)
    return _configured(environment, partial(read_proxies, host=str(address)), dict[str, str]())


def _configured(environment: Mapping[str, str], read: Callable[[bytes], T], without: T) -> T:
    """Return what config.json says; if it cannot be read, warn."""
    _, directory = _directories(environment)
    config = _config(directory)
    try:
        return read(config) if isinstance(config, bytes) else without
    except InvalidHeader:
        raise
    except ValueError as error:
        warnings.warn(_passed_over(directory, str(error)), stacklevel=_CALLER + 1)
        return without


def find_version(api_version: str, environment: Mapping[str, str]) -> Version | None:
    """Return the API version that is insisted on, by the program or ``DOCKER_API_VERSION``."""
    if api_version != AUTO:
        return pinned_version(api_version)
    pinned = environment.get("DOCKER_API_VERSION")
    return pinned_version(pinned) if pinned else None


def _directories(environment: Mapping[str, str]) -> tuple[str, str]:
    """Return the home directory, and that of config.json."""
    home = environment.get("HOME") or _home()
    return home, environment.get("DOCKER_CONFIG") or str(Path(home, ".docker"))


def _passed_over(directory: str, problem: str) -> str:
    return f"{directory}/{CONFIG_FILE} was passed over: {problem}"


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


def _machine(environment: Mapping[str, str], home: str, directory: str) -> HostFacts:
    """Return what the default context is decided by."""
    certificates = environment.get("DOCKER_CERT_PATH") or directory
    return HostFacts(
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
