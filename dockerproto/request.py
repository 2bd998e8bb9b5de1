"""What to send: a request, as data, and how its values are put on the wire.

A request is complete but for what the client knows: the version that is spoken, in which some
parameters have another name or do not exist yet, whether it is a Podman that it speaks to, which
wants some in another form, and the environment, which says what the program leaves open.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeAlias, TypeVar
from urllib.parse import urlencode

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from dockerproto.auth import AuthLike, Credentials, read_auth, registry_config
from dockerproto.buildcontext import BuildContext
from dockerproto.discreet import Discreet
from dockerproto.errors import UnsupportedEngine
from dockerproto.offer import Offer
from dockerproto.recipe import Recipe
from dockerproto.timeouts import DEFAULT, TimeoutLike
from dockerproto.versions import OLDEST, Version, require

V = TypeVar("V", bound=str | None)


class Readable(Protocol):
    """A blocking file object, open for reading bytes."""

    def read(self, size: int, /) -> bytes:
        """Return some bytes, none at the end."""
        ...


Source: TypeAlias = bytes | bytearray | memoryview | str | os.PathLike[str] | Readable | Iterable[bytes]
"""Data to upload: bytes, the path of a file, a blocking file object, or an iterable of bytes."""
AsyncSource: TypeAlias = Source | AsyncIterable[bytes]
"""A `Source`, or an async iterable of bytes; the latter on async clients only."""

TAR: Final = ("Content-Type", "application/x-tar")
"""The header of every upload; a form's type, the default of some tools, makes engines eat the upload."""
_PLATFORM: Final = re.compile(
    r"(?P<os>[\w.-]+)/(?P<architecture>[\w.-]+)(?:/(?P<variant>[\w.-]+))?", re.ASCII
)

Environment: TypeAlias = Callable[[str], str | None]
"""What returns a variable of the environment, None if there is none."""
_EMPTY: Final[Environment] = dict[str, str]().get
Value: TypeAlias = str | int | bool | Sequence[str] | None


class NotOnPodman(Struct, frozen=True):
    """In place of a value: a Podman would ignore the parameter, or its absence."""

    what: str
    """What it does not do."""


class Parameter(Struct, frozen=True):
    """A parameter of the query."""

    name: str
    """Its name on the wire."""
    value: Value
    """None, False and () are not sent: every engine takes them for absent; several values are repeated."""
    since: Version = OLDEST
    """The API version that brought it."""
    formerly: str | None = None
    """The name that it had before that."""
    for_podman: Value | NotOnPodman | msgspec.UnsetType = msgspec.UNSET
    """Its value for a Podman, if that wants another."""
    variable: str | None = None
    """The variable of the environment that has its value where the program gives none."""

    @property
    def differs(self) -> bool:
        """Whether a Podman is told something else than a Docker."""
        if self.for_podman is msgspec.UNSET or self.for_podman == self.value:
            return False
        return _is_sent(self.value) or _is_sent(self.for_podman)

    def pairs(
        self, spoken: Version, *, podman: bool = False, environment: Environment = _EMPTY
    ) -> Sequence[tuple[str, str]]:
        """Return it as it goes over the wire: its name with each of its values.

        Raises:
            UnsupportedEngine: A Podman does not do it.
            UnsupportedVersion: It does not exist in the version that is spoken.
        """
        sent = self.for_podman if podman and self.for_podman is not msgspec.UNSET else self.value
        if sent is None and self.variable is not None:
            sent = environment(self.variable) or None
        if isinstance(sent, NotOnPodman):
            raise UnsupportedEngine(0, f"a Podman does not {sent.what}")
        if not _is_sent(sent):
            return ()
        name = self.name
        if spoken < self.since and self.formerly is not None:
            name = self.formerly
        else:
            require(self.since, f"parameter {self.name!r}", spoken)
        values = (sent,) if isinstance(sent, str | int) else sent or ()
        return [(name, "1" if value is True else str(value)) for value in values]


class Request(Discreet, frozen=True, kw_only=True):
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
    recipe: Recipe | None = None
    """The Dockerfile in the body; of the registries that it names, the client looks up the credentials of
    those that `auths` has not."""
    body: AsyncSource | None = None
    """What to upload, in chunks of the transport's choice."""
    context: BuildContext | None = None
    """A directory to upload instead, of which the client makes the body."""
    on_upload: Callable[[int], None] | None = None
    """What is told how many bytes of the body are sent, after each piece."""
    offer: Offer | None = None
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


def _is_sent(value: object) -> bool:
    return not (value is None or value is False or value == ())


def json_text(value: Any) -> str:
    """Return a value as JSON text, for a parameter."""
    return msgspec.json.encode(value).decode()


def uploadable(argument: str, value: AsyncSource) -> AsyncSource:
    """Return what is to be uploaded; raise TypeError for what is no source of bytes."""
    kinds = (bytes, bytearray, memoryview, str, os.PathLike, Iterable, AsyncIterable)
    if not isinstance(value, kinds) and not hasattr(value, "read"):
        raise TypeError(f"{argument} is bytes, a path, a file or an iterable, not {type(value).__name__}")
    return value


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


def flag(name: str, value: bool, argument: str = "", *, since: Version = OLDEST) -> Parameter:
    """Return a parameter that is on or off; `argument` is its name in Python, if that is another."""
    if not isinstance(value, bool):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"{argument or name} is a bool, not {type(value).__name__}")
    return Parameter(name, value, since)


def switch(name: str, value: bool) -> Parameter:
    """Return a parameter that is on or off and always sent: engines take its absence for on."""
    return Parameter(name, str(int(flag(name, value).value is True)))


def number(
    name: str,
    value: int | None,
    argument: str = "",
    *,
    since: Version = OLDEST,
    formerly: str | None = None,
) -> Parameter:
    """Return a parameter that is a whole number, or not sent."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{argument or name} is an int, not {type(value).__name__}")
    return Parameter(name, value, since, formerly)


def text(name: str, value: str | None, argument: str = "", *, since: Version = OLDEST) -> Parameter:
    """Return a parameter that is a text, or not sent."""
    if value is not None and not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{argument or name} is a str, not {type(value).__name__}")
    return Parameter(name, value, since)


def texts(
    name: str, values: str | Iterable[str] | None, argument: str = "", *, since: Version = OLDEST
) -> Parameter:
    """Return a parameter that is repeated for each of several texts."""
    return Parameter(name, strings(argument or name, values), since)


def strings(argument: str, values: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return one string or several as a tuple."""
    if values is None:
        return ()
    if isinstance(values, str):
        return (values,)
    if not isinstance(values, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{argument} is a str or several, not {type(values).__name__}")
    several = tuple(values)
    if not all(isinstance(each, str) for each in several):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{argument} is a str or several, and one of them is not a str")
    return several


def any_parameter(name: str, value: object) -> Parameter:
    """Return a parameter that is passed through: str and int as they are, bool as 1 or 0, others as JSON."""
    if value is None or isinstance(value, str):
        return Parameter(name, value)
    if isinstance(value, int):
        return Parameter(name, str(int(value)))
    return Parameter(name, json_text(value))


def default_platform(platform: str | None) -> Parameter:
    """Return the parameter of a platform; ``DOCKER_DEFAULT_PLATFORM`` says it where the program does not."""
    return replace(text("platform", platform, since=Version(1, 32)), variable="DOCKER_DEFAULT_PLATFORM")


def platform_json(platform: str | None) -> str | None:
    """Return a platform, ``os/arch[/variant]``, as the JSON that most endpoints want.

    >>> platform_json("linux/arm64/v8")
    '{"os":"linux","architecture":"arm64","variant":"v8"}'

    Raises:
        ValueError: It is of another form.
    """
    if platform is None:
        return None
    match = _PLATFORM.fullmatch(platform)
    if match is None:
        raise ValueError(f"a platform is os/arch or os/arch/variant, not {platform!r}")
    return json_text({name: part for name, part in match.groupdict().items() if part})


def mapping_json(argument: str, values: Mapping[str, str] | None) -> str | None:
    """Return a mapping of strings as JSON, None if there is none."""
    return None if values is None else json_text(strings_by_name(argument, values))


def strings_by_name(argument: str, values: Mapping[str, V], *, optional: bool = False) -> dict[str, V]:
    """Return a mapping of strings as it is now; its values may be None if `optional`."""
    if not isinstance(values, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"{argument} is a mapping, not {type(values).__name__}")
    given = [each for each in values.values() if not (optional and each is None)]
    if not all(isinstance(each, str) for each in (*values, *given)):
        raise TypeError(f"{argument} is a mapping of str to str")
    return dict(values)
