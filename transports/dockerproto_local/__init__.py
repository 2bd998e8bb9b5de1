"""Access to this machine, shared by the transports: its environment, files, processes.

Everything here blocks; async clients call what may take long in worker threads. Nothing here decides: it
fetches data, and hands it to the core.
"""

from typing import TYPE_CHECKING

from dockerproto_local.configuration import LocalConfiguration, configure
from dockerproto_local.credentials import StoredCredentials
from dockerproto_local.daemon_configuration import configure_daemon
from dockerproto_local.endpoint import find_endpoint
from dockerproto_local.keywords import arguments_of
from dockerproto_local.late import loader

if TYPE_CHECKING:
    from dockerproto_local.registry import LocalRegistryConfiguration, configure_registry
else:
    __getattr__ = loader(__name__, LocalRegistryConfiguration="registry", configure_registry="registry")

__all__ = [
    "LocalConfiguration",
    "LocalRegistryConfiguration",
    "StoredCredentials",
    "arguments_of",
    "configure",
    "configure_daemon",
    "configure_registry",
    "find_endpoint",
]
