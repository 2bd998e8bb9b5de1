"""Registries on trio."""

from __future__ import annotations

from dockerproto.registry.facade import AsyncRegistry
from dockerproto.registry.session import RegistryClient
from dockerproto_local.keywords import arguments_of
from dockerproto_local.registry import LocalRegistryConfiguration, configure_registry
from dockerproto_trio import _TrioTransport  # pyright: ignore[reportPrivateUsage]  # of this package


class Registry(AsyncRegistry):
    """Registries, on trio, without an engine: use it with ``async with``, or `close` it.

    The arguments are those of `dockerproto_local.configure_registry`.
    """

    @arguments_of(configure_registry)
    def __init__(self, configuration: LocalRegistryConfiguration) -> None:
        secure = _TrioTransport(configuration.ssl_context)
        super().__init__(RegistryClient(configuration, _TrioTransport(), secure))
