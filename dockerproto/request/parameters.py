"""Query parameters: their forms, and the API versions that have them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from dockerproto.arguments import json_text, strings, strings_by_name
from dockerproto.errors import UnsupportedEngine
from dockerproto.versions import OLDEST, Version, require

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


def _is_sent(value: object) -> bool:
    return not (value is None or value is False or value == ())


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
