"""The configuration of a client: its arguments, or else the environment and config.json."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeVar

from dockerproto.arguments import strings_by_name
from dockerproto.buildcontext.limits import CONTEXT_LIMIT
from dockerproto.config.config_file import ConfigFile
from dockerproto.config.headers import VARIABLE, Headers, check_headers, file_headers, parse_variable
from dockerproto.config.proxies import build_proxies
from dockerproto.configuration import Configuration
from dockerproto.credentials.source import CredentialsLike
from dockerproto.endpoint.addresses import TCP, TLS, Address, Endpoint
from dockerproto.errors import InvalidHeader
from dockerproto.messages.decoding import MESSAGE_LIMIT
from dockerproto.redacted import hides_frames
from dockerproto.timeouts import DEFAULT, Default, TimeoutLike, client_limits
from dockerproto.versions import Version, pinned_version
from dockerproto_local.config_directory import ConfigDirectory
from dockerproto_local.credentials import SharedCredentials
from dockerproto_local.endpoint import resolve_endpoint
from dockerproto_local.tls import HTTP1, ssl_context

T = TypeVar("T")

AUTO: Final = "auto"


class LocalConfiguration(Configuration, frozen=True, kw_only=True):
    """The configuration of a client that connects from this machine."""

    ssl_context: ssl.SSLContext | None = None
    """Context of the ssl module to connect with; None without TLS."""


@hides_frames
def configure(
    url: str | None = None,
    *,
    context: str | None = None,
    tls: TLS | ssl.SSLContext | None = None,
    credentials: CredentialsLike | Default | None = DEFAULT,
    api_version: str = AUTO,
    timeout: TimeoutLike = DEFAULT,
    message_limit: int = MESSAGE_LIMIT,
    context_limit: int = CONTEXT_LIMIT,
    headers: Mapping[str, str] | None = None,
    proxy: str | Default | None = DEFAULT,
    proxies: Mapping[str, str] | None = None,
) -> LocalConfiguration:
    """Configure a client on this machine.

    Arguments that are not given have the values that the Docker CLI would use: those of the environment, of
    config.json, which is read once, and of Docker contexts.

    Args:
        url: Address of the engine, in the forms of `parse_host`.
        context: Name of a Docker context, instead of an address.
        tls: Certificates, or a context of the ssl module.
        credentials: Source of registry credentials, see `CredentialsLike`; by default `StoredCredentials`;
            None for no source.
        api_version: API version to insist on, such as ``"1.43"``; by default ``"auto"``, the newest that both
            sides support.
        timeout: Limits of calls that are not long, see `Timeout`; by default 60 seconds for those that
            only read.
        message_limit: Limit of a message in a stream, in bytes; by default 16 MiB. The limit of a document,
            such as a list of images, is 64 MiB, or this one if it is higher.
        context_limit: Limit of the temporary file that BuildKit builds unpack a compressed tar into, or copy
            an iterable to, in bytes; by default 32 GiB. Lower it if the tars are somebody else's.
        headers: Headers sent with every request; ``{}`` for none.
        proxy: URL of an HTTP proxy to reach the engine through; None for a direct connection. By default it
            comes from ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``NO_PROXY``.
        proxies: Build arguments for the proxies of every build, such as ``HTTP_PROXY``; ``{}`` for none.

    Raises:
        InvalidHost: The address or the proxy is invalid.
        ContextError: The Docker context is missing, or cannot be read.
        ConnectionFailed: A TLS file cannot be used.
        InvalidHeader: A header for every request is invalid.
        ValueError: The API version is invalid or not supported; or there are both `url` and `context`; or
            there is a `proxy`, but the engine is not at a TCP address.
    """
    directory = ConfigDirectory(os.environ)
    files = TLS() if isinstance(tls, ssl.SSLContext) else tls
    endpoint = _add_proxy(resolve_endpoint(directory, url, context, files), proxy)
    return LocalConfiguration(
        endpoint=endpoint,
        version=find_version(api_version, os.environ),
        limits=client_limits(timeout),
        message_limit=message_limit,
        context_limit=context_limit,
        credentials=SharedCredentials(directory) if credentials is DEFAULT else credentials,
        headers=find_headers(headers, directory),
        proxies=find_proxies(proxies, directory, endpoint.address),
        ssl_context=secure(endpoint, tls),
    )


def _add_proxy(endpoint: Endpoint, proxy: str | Default | None) -> Endpoint:
    if proxy is None or (proxy is DEFAULT and not isinstance(endpoint.address, TCP)):
        return endpoint
    from dockerproto.endpoint.proxies import resolve_proxy  # noqa: PLC0415  # loads ipaddress

    return resolve_proxy(endpoint, proxy, os.environ)


def secure(
    endpoint: Endpoint, tls: TLS | ssl.SSLContext | None, protocol: str = HTTP1
) -> ssl.SSLContext | None:
    """Return the context of the ssl module for an endpoint, None if it does not use TLS."""
    if isinstance(tls, ssl.SSLContext):
        return tls
    return None if endpoint.tls is None else ssl_context(endpoint.tls, protocol)


def find_headers(headers: Mapping[str, str] | None, directory: ConfigDirectory) -> Headers:
    """Return the headers of every request: the program's, or else those that the Docker CLI sends.

    Raises:
        InvalidHeader: A header cannot be sent.
        TypeError: The argument is not a mapping of str to str.
    """
    if headers is not None:
        return check_headers(headers)
    if variable := directory.environment.get(VARIABLE):
        return parse_variable(variable)
    return _from_config(directory, file_headers, ())


def find_proxies(
    proxies: Mapping[str, str] | None, directory: ConfigDirectory, address: Address
) -> Mapping[str, str]:
    """Return the build arguments for proxies: the program's, or else those that the Docker CLI adds.

    Raises:
        TypeError: The argument is not a mapping of str to str.
    """
    if proxies is not None:
        return strings_by_name("proxies", proxies)
    return _from_config(directory, partial(build_proxies, host=str(address)), dict[str, str]())


def find_version(api_version: str, environment: Mapping[str, str]) -> Version | None:
    """Return the API version that the program or ``DOCKER_API_VERSION`` insists on; None if neither does."""
    if api_version != AUTO:
        return pinned_version(api_version)
    pinned = environment.get("DOCKER_API_VERSION")
    return pinned_version(pinned) if pinned else None


def _from_config(directory: ConfigDirectory, parse: Callable[[ConfigFile], T], default: T) -> T:
    """Return a part of config.json; warn if it is malformed."""
    try:
        return parse(directory.config())
    except InvalidHeader:
        raise
    except ValueError as error:
        directory.warn(str(error))
        return default
