"""The ways to the Control API of an engine, as data.

Engines from 29.2 on speak gRPC by HTTP/2 with prior knowledge on the socket of their API, and have deprecated
``POST /grpc``, which upgrades an HTTP/1.1 connection. Over TLS there is only ``POST /grpc``: 29.7 offers no
HTTP/2 there.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from dockerproto.request.buildkit_access import BuildKitAccess
from dockerproto.versions import Version

HTTP2_SINCE: Final = Version(1, 53)
"""API version of Docker 29.2, which introduced HTTP/2 with prior knowledge."""


class Way(Enum):
    """A way to the Control API."""

    HTTP2 = "HTTP/2 with prior knowledge"
    UPGRADE = "POST /grpc"


def control_ways(access: BuildKitAccess, version: Version) -> tuple[Way, ...]:
    """Return the ways to try in an API version, in this order."""
    if access.plain and version >= HTTP2_SINCE and not access.refuses_http2:
        return (Way.HTTP2, Way.UPGRADE)
    return (Way.UPGRADE,)
