"""The configuration of a client of registries on this machine."""

from __future__ import annotations

import os
import ssl
from collections.abc import Collection
from functools import partial

from dockerproto.credentials.source import CredentialsLike
from dockerproto.endpoint.addresses import TLS, Address, Endpoint
from dockerproto.redacted import hides_frames
from dockerproto.registry.origins import Origin
from dockerproto.registry.session import RegistryConfiguration
from dockerproto.timeouts import DEFAULT, Default, TimeoutLike, client_limits
from dockerproto_local.config_directory import ConfigDirectory
from dockerproto_local.credentials import SharedCredentials
from dockerproto_local.tls import ssl_context


class LocalRegistryConfiguration(RegistryConfiguration, frozen=True, kw_only=True):
    """The configuration of a client that connects from this machine."""

    ssl_context: ssl.SSLContext
    """Context of the ssl module for registries over TLS."""


@hides_frames
def configure_registry(
    *,
    credentials: CredentialsLike | Default | None = DEFAULT,
    tls: TLS | ssl.SSLContext | None = None,
    plain_http: Collection[str] | None = None,
    timeout: TimeoutLike = DEFAULT,
    proxy: str | Default | None = DEFAULT,
) -> LocalRegistryConfiguration:
    """Configure a client of registries on this machine.

    Args:
        credentials: Source of registry credentials, see `CredentialsLike`; by default `StoredCredentials`;
            None for no source.
        tls: Certificates, or a context of the ssl module; by default the authorities of the system.
        plain_http: Registries to reach over ``http``, each as in references: ``r.example:5000``. By default
            those on this machine, as Docker does: ``localhost`` and ``127.0.0.0/8``. All others use TLS.
        timeout: Limits of calls that are not long, see `Timeout`; by default 60 seconds for those that
            only read.
        proxy: URL of an HTTP proxy; None for direct connections. By default it comes from ``HTTP_PROXY``,
            ``HTTPS_PROXY`` and ``NO_PROXY``.

    Raises:
        ConnectionFailed: A TLS file cannot be used.
        InvalidHost: The proxy is invalid.
    """
    return LocalRegistryConfiguration(
        route=partial(_route, proxy),
        credentials=SharedCredentials(ConfigDirectory(os.environ)) if credentials is DEFAULT else credentials,
        limits=client_limits(timeout),
        plain_http=plain_http,
        ssl_context=tls if isinstance(tls, ssl.SSLContext) else ssl_context(tls or TLS()),
    )


def _route(proxy: str | Default | None, origin: Origin) -> Address:
    """Return the way to an origin."""
    from dockerproto.endpoint.proxies import resolve_proxy  # noqa: PLC0415  # loads ipaddress

    endpoint = Endpoint(origin.address, reason=f"the registry {origin}", tls=TLS() if origin.tls else None)
    return resolve_proxy(endpoint, proxy, os.environ).route
