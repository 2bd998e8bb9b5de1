"""Requests, as data, and how their values are put on the wire.

A request is complete except for facts about the engine and this machine: the API version, in which some
parameters have another name or do not exist yet; whether the engine is Podman, which wants some in another
form; and the environment, which has the values that the program leaves open.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Self
from urllib.parse import urlencode

from msgspec.structs import replace

from dockerproto.credentials.credentials import AuthLike, Credentials, read_auth
from dockerproto.redacted import Redacted, RedactedText
from dockerproto.request.parameters import NO_VARIABLES, Environment, Parameter
from dockerproto.sources import AsyncSource
from dockerproto.timeouts import DEFAULT, Pace, TimeoutLike
from dockerproto.versions import OLDEST, Version, require

TAR: Final = ("Content-Type", "application/x-tar")
"""Header of every upload: with a form's type, the default of some tools, engines consume the body."""


class Request(Redacted, frozen=True, kw_only=True):
    """A request to the engine.

    >>> Request(method="GET", path="/images/json", query=(Parameter("all", True),)).target(Version(1, 41))
    '/v1.41/images/json?all=1'
    """

    _hidden = ("headers", "body", "on_upload")

    method: str
    """HTTP method."""
    path: str
    """Path without the version, escaped."""
    query: tuple[Parameter, ...] = ()
    """Query parameters."""
    headers: tuple[tuple[str, str], ...] = ()
    """Headers of this request alone."""
    auth: Credentials | None = None
    """Registry credentials, for ``X-Registry-Auth``."""
    purpose: tuple[str, str] | None = None
    """Purpose of a call to a registry, such as "push app:1", and the registry; for error messages."""
    registry: str | None = None
    """Registry whose credentials the client looks up; if there are any, they replace `auth`."""
    body: AsyncSource | None = None
    """Body to upload, in chunks of the transport's choice."""
    on_upload: Callable[[int], None] | None = None
    """Function that is called with the number of bytes of the body sent so far, after each chunk."""
    secret_response: bool = False
    """True if the response may contain secrets."""
    since: Version = OLDEST
    """API version that introduced the operation."""
    deprecated: Version | None = None
    """API version that deprecated the operation; it is logged, and sent all the same."""
    timeout: TimeoutLike = DEFAULT
    """Limits from the program."""
    pace: Pace = "reading"
    """Kind of the call, which decides its default limits."""
    versioned: bool = True
    """True if the path starts with the API version; that of the ping does not, as it reports the version."""

    def is_deprecated(self, version: Version) -> bool:
        """Return True if an API version has the operation, but as a deprecated one."""
        return self.deprecated is not None and version >= self.deprecated

    @property
    def differs(self) -> bool:
        """True if Podman wants another form than Docker, so that the two must be told apart first."""
        return any(each.differs for each in self.query)

    def target(
        self,
        version: Version,
        *,
        podman: Version | None = None,
        environment: Environment = NO_VARIABLES,
        redact: bool = False,
    ) -> str:
        """Return the request target in an API version, for Docker or a version of Podman, in an environment.

        With `redact` it is for a log: the values of secret parameters are left out.

        Raises:
            UnsupportedEngine: Podman would ignore a part of the request.
            UnsupportedVersion: The API version does not have the operation or a parameter.
        """
        require(self.since, f"{self.method} {self.path}", version)
        path = f"/v{version}{self.path}" if self.versioned else self.path
        query = [each.redacted() for each in self.query] if redact else self.query
        pairs = [
            pair for each in query for pair in each.pairs(version, podman=podman, environment=environment)
        ]
        target = f"{path}?{urlencode(pairs, errors='surrogateescape')}" if pairs else path
        return RedactedText(target) if any(each.secret for each in query) else target

    def all_headers(self) -> list[tuple[str, str]]:
        """Return the headers, with that of the credentials."""
        auth = () if self.auth is None else (("X-Registry-Auth", RedactedText(self.auth.header())),)
        return [*self.headers, *auth]

    def for_registry(self, registry: str, auth: AuthLike | None, purpose: str) -> Self:
        """Return the request with credentials of a registry; None: the client looks them up."""
        request = replace(self, purpose=(purpose, registry))
        if auth is None:
            return replace(request, registry=registry)
        return request.with_auth(read_auth(auth).for_registry(registry))

    def with_auth(self, auth: Credentials | None) -> Self:
        """Return the request with these credentials, if there are any."""
        return self if auth is None else replace(self, auth=auth)


def upload_request(
    path: str,
    query: tuple[Parameter, ...],
    body: AsyncSource | None,
    timeout: TimeoutLike,
    *,
    on_upload: Callable[[int], None] | None = None,
) -> Request:
    """Return a request that uploads a tar; without a body, the engine fetches the tar itself."""
    return Request(
        method="POST",
        path=path,
        query=query,
        headers=() if body is None else (TAR,),
        body=body,
        on_upload=on_upload,
        timeout=timeout,
        pace="long",
    )
