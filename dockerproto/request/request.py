"""What to send: a request, as data, and how its values are put on the wire.

A request is complete but for what the client knows: the version that is spoken, in which some
parameters have another name or do not exist yet, whether it is a Podman that it speaks to, which
wants some in another form, and the environment, which says what the program leaves open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlencode

from msgspec import field
from msgspec.structs import replace

from dockerproto.arguments import json_text
from dockerproto.buildcontext.dockerfile_spec import DockerfileSpec
from dockerproto.buildcontext.plan import BuildContext
from dockerproto.credentials.credentials import AuthLike, Credentials, read_auth, registry_config
from dockerproto.redacted import Redacted
from dockerproto.request.attachments import BuildAttachments
from dockerproto.request.parameters import _EMPTY, Environment, Parameter
from dockerproto.sources import AsyncSource
from dockerproto.timeouts import DEFAULT, TimeoutLike
from dockerproto.versions import OLDEST, Version, require

TAR: Final = ("Content-Type", "application/x-tar")
"""The header of every upload; a form's type, the default of some tools, makes engines eat the upload."""


class Request(Redacted, frozen=True, kw_only=True):
    """An operation's request to the engine.

    >>> Request(method="GET", path="/images/json", query=(Parameter("all", True),)).target(Version(1, 41))
    '/v1.41/images/json?all=1'
    """

    _hidden = ("body", "on_upload", "for_buildkit", "buildargs")

    method: str
    """The HTTP method."""
    path: str
    """The path without the version, escaped."""
    query: tuple[Parameter, ...] = ()
    """The parameters."""
    headers: tuple[tuple[str, str], ...] = ()
    """Headers beside those that every request has."""
    auth: Credentials | None = None
    """Credentials of a registry, for ``X-Registry-Auth``."""
    registry: str | None = None
    """The registry whose credentials the client looks up; if it has any, they are sent instead of `auth`."""
    auths: Mapping[str, Credentials] = field(default_factory=dict[str, Credentials])
    """Credentials by registry, for ``X-Registry-Config``."""
    recipe: DockerfileSpec | None = None
    """The Dockerfile in the body; of the registries that it names, the client looks up the credentials of
    those that `auths` has not."""
    body: AsyncSource | None = None
    """What to upload, in chunks of the transport's choice."""
    context: BuildContext | None = None
    """A directory to upload instead, of which the client makes the body."""
    on_upload: Callable[[int], None] | None = None
    """What is told how many bytes of the body are sent, after each piece."""
    offer: BuildAttachments | None = None
    """What is offered in a session beside it; None: it needs none."""
    for_buildkit: Request | None = None
    """What to send instead, if the client chooses BuildKit."""
    since: Version = OLDEST
    """The API version that brought the operation."""
    buildargs: Mapping[str, str | None] | None = None
    """The arguments of a build, to which the client adds those of its proxies; None: it is no build."""
    timeout: TimeoutLike = DEFAULT
    """The caller's limits."""
    long: bool = False
    """Whether the operation takes as long as it takes, and so has no limits by default."""
    versioned: bool = True
    """Whether the path gets the version; that of the ping does not, as it tells the version."""

    @property
    def differs(self) -> bool:
        """Whether a Podman is told something else than a Docker, so that it has to be known which it is."""
        return any(each.differs for each in self._parameters)

    def target(self, spoken: Version, *, podman: bool = False, environment: Environment = _EMPTY) -> str:
        """Return the request target in an API version, for Docker or for Podman, in an environment.

        Raises:
            UnsupportedEngine: A Podman would ignore a part of it.
            UnsupportedVersion: The operation or a parameter does not exist in it.
        """
        require(self.since, f"{self.method} {self.path}", spoken)
        path = f"/v{spoken}{self.path}" if self.versioned else self.path
        pairs = [
            pair
            for each in self._parameters
            for pair in each.pairs(spoken, podman=podman, environment=environment)
        ]
        return f"{path}?{urlencode(pairs, errors='surrogateescape')}" if pairs else path

    def all_headers(self) -> list[tuple[str, str]]:
        """Return the headers, with that of the credentials."""
        auth = [("X-Registry-Auth", self.auth.header())] if self.auth is not None else []
        config = registry_config(self.auths) if self.auths else ""
        return [*self.headers, *auth, *([("X-Registry-Config", config)] if config else [])]

    @property
    def _parameters(self) -> tuple[Parameter, ...]:
        return (*self.query, _build_args(self.buildargs)) if self.buildargs else self.query

    def authorised(self, auth: AuthLike | None, registry: str) -> Request:
        """Return it with credentials of a registry; without any, the client has to look them up."""
        if auth is None:
            return replace(self, registry=registry)
        return replace(self, auth=read_auth(auth).for_registry(registry))


def _build_args(arguments: Mapping[str, str | None]) -> Parameter:
    given = {name: value for name, value in arguments.items() if value is not None}
    # Podman takes null for an empty value.
    return Parameter("buildargs", json_text(arguments), for_podman=json_text(given))


def upload_request(
    path: str,
    query: tuple[Parameter, ...],
    body: AsyncSource | BuildContext | None,
    timeout: TimeoutLike,
    *headers: tuple[str, str],
    on_upload: Callable[[int], None] | None = None,
) -> Request:
    """Return a request that uploads a tar, or with None as its body has the engine fetch one."""
    context = body if isinstance(body, BuildContext) else None
    return Request(
        method="POST",
        path=path,
        query=query,
        headers=() if body is None else (TAR, *headers),
        body=None if isinstance(body, BuildContext) else body,
        context=context,
        on_upload=on_upload,
        timeout=timeout,
        long=True,
    )
