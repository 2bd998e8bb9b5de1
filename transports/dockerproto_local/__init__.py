"""Access to this machine, shared by the transports: its environment, files, processes.

Everything here blocks; async clients call what may take long in worker threads. Nothing here decides: it
fetches data, and hands it to the core.
"""

from dockerproto_local.configuration import LocalConfiguration, configure
from dockerproto_local.credentials import StoredCredentials
from dockerproto_local.endpoint import find_endpoint
from dockerproto_local.keywords import arguments_of

__all__ = ["LocalConfiguration", "StoredCredentials", "arguments_of", "configure", "find_endpoint"]
