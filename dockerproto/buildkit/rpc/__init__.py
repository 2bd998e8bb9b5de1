"""gRPC over HTTP/2 without I/O, for either side: connections, and the handlers of calls as state machines."""

from __future__ import annotations
