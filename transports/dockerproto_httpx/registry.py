"""Registries for blocking programs."""

from __future__ import annotations

from dockerproto.credentials.source import check_blocking
from dockerproto.registry.facade import BlockingRegistry
from dockerproto.registry.session import RegistryClient
from dockerproto_local.blocking import BlockingTransport
from dockerproto_local.keywords import arguments_of
from dockerproto_local.registry import LocalRegistryConfiguration, configure_registry


class Registry(BlockingRegistry):
    """Registries, for blocking programs, without an engine: use it with ``with``, or `close` it.

    Several threads may share it. The arguments are those of `dockerproto_local.configure_registry`.
    """

    @arguments_of(configure_registry)
    def __init__(self, configuration: LocalRegistryConfiguration) -> None:
        check_blocking(configuration.credentials)
        secure = BlockingTransport(configuration.ssl_context)
        super().__init__(RegistryClient(configuration, BlockingTransport(), secure))
