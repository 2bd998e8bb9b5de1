"""The configuration of a client."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import field

from dockerproto.buildcontext.limits import CONTEXT_LIMIT
from dockerproto.credentials.source import CredentialsLike
from dockerproto.endpoint.addresses import Endpoint
from dockerproto.messages.decoding import MESSAGE_LIMIT
from dockerproto.redacted import Redacted
from dockerproto.timeouts import Limits
from dockerproto.versions import Version


class Configuration(Redacted, frozen=True, kw_only=True):
    """The configuration that a client is created with."""

    _hidden = ("credentials", "headers", "proxies")

    endpoint: Endpoint
    """Endpoint of the engine."""
    version: Version | None = None
    """API version that the program insists on; None: negotiated."""
    limits: Limits = Limits()
    """Limits of calls that have none of their own."""
    message_limit: int = MESSAGE_LIMIT
    """Longest message of a stream, in bytes."""
    context_limit: int = CONTEXT_LIMIT
    """Limit on what a tar takes in temporary files, in bytes."""
    credentials: CredentialsLike | None = None
    """Source of registry credentials; None: no lookup."""
    headers: tuple[tuple[str, str], ...] = ()
    """Custom headers sent with every request."""
    proxies: Mapping[str, str] = field(default_factory=dict[str, str])
    """Build arguments added to every build that does not set them itself."""
