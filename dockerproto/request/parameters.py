"""Query parameters: their forms, and the API versions that have them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Self, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from dockerproto.arguments import json_text, strings, strings_by_name
from dockerproto.errors import UnsupportedEngine
from dockerproto.redacted import Redacted, RedactedText
from dockerproto.versions import OLDEST, Version, require

_PLATFORM: Final = re.compile(
    r"(?P<os>[\w.-]+)/(?P<architecture>[\w.-]+)(?:/(?P<variant>[\w.-]+))?", re.ASCII
)


Environment: TypeAlias = Callable[[str], str | None]
"""Function that returns an environment variable, None if it is unset."""
NO_VARIABLES: Final[Environment] = dict[str, str]().get
"""Empty environment."""
REDACTED: Final = "redacted"
"""Text in a log in place of a secret value."""

Value: TypeAlias = str | int | bool | Sequence[str] | None


class NotOnPodman(Struct, frozen=True):
    """Marker in place of a value: Podman would ignore the parameter, or its absence."""

    ability: str
    """Missing ability, as in "Podman does not ..."."""
    since: Version | None = None
    """First version of Podman that has the ability; None: no known version has it."""

    def check(self, podman: Version) -> None:
        """Raise UnsupportedEngine if a version of Podman lacks the ability."""
        if self.since is None:
            raise UnsupportedEngine(0, f"Podman does not {self.ability}")
        if podman < self.since:
            raise UnsupportedEngine(0, f"Podman before {self.since} does not {self.ability}")


class Parameter(Redacted, frozen=True):
    """A query parameter.

    >>> Parameter("keep-storage", 5).pairs(Version(1, 41))
    [('keep-storage', '5')]
    """

    name: str
    """Name on the wire."""
    value: Value
    """Value; None, False and () are not sent, as every engine takes them for absent; several are repeated."""
    since: Version = OLDEST
    """API version that introduced the parameter."""
    formerly: str | None = None
    """Name on the wire before that version."""
    for_podman: Value | NotOnPodman | msgspec.UnsetType = msgspec.UNSET
    """Value for Podman, where it wants another."""
    variable: str | None = None
    """Environment variable that has the value, if the program gives none."""
    secret: bool = False
    """True if the value may be secret: it is in no repr and in no log."""
    optional: bool = False
    """True if older versions do without it: it saves work, and changes no result."""

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        hidden = ("value", "for_podman") if self.secret else ()
        return [pair for pair in super().__rich_repr__() if pair[0] not in hidden]

    @property
    def differs(self) -> bool:
        """True if Podman wants another value than Docker."""
        if self.for_podman is msgspec.UNSET or self.for_podman == self.value:
            return False
        return _is_sent(self.value) or _is_sent(self.for_podman)

    def pairs(
        self, version: Version, *, podman: Version | None = None, environment: Environment = NO_VARIABLES
    ) -> Sequence[tuple[str, str]]:
        """Return the parameter as it goes over the wire: its name with each of its values.

        Args:
            version: API version.
            podman: Version of Podman; None for Docker.
            environment: Variables that may have the value.

        Raises:
            UnsupportedEngine: Podman does not do it.
            UnsupportedVersion: The API version does not have it.
        """
        value = self.value if podman is None else self._podman_value(podman)
        if value is None and self.variable is not None:
            value = environment(self.variable) or None
        if not _is_sent(value):
            return ()
        name = self.name
        if version < self.since and self.optional:
            return ()
        if version < self.since and self.formerly is not None:
            name = self.formerly
        else:
            require(self.since, f"parameter {self.name!r}", version)
        values = (value,) if isinstance(value, str | int) else value or ()
        convert = RedactedText if self.secret else str
        return [(name, "1" if each is True else convert(each)) for each in values]

    def _podman_value(self, podman: Version) -> Value:
        if isinstance(self.for_podman, NotOnPodman):
            self.for_podman.check(podman)
            return self.value
        return self.value if self.for_podman is msgspec.UNSET else self.for_podman

    def redacted(self) -> Self:
        """Return the parameter for a log: without its value, if that may be secret."""
        if not self.secret:
            return self
        podman = REDACTED if isinstance(self.for_podman, str) else self.for_podman
        return replace(self, value=REDACTED if _is_sent(self.value) else None, for_podman=podman)


def _is_sent(value: object) -> bool:
    return not (value is None or value is False or value == ())


def flag(name: str, value: bool, argument: str = "", *, since: Version = OLDEST) -> Parameter:
    """Return a parameter that is on or off; `argument` is its name in Python, where that differs."""
    if not isinstance(value, bool):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"{argument or name} must be a bool, not {type(value).__name__}")
    return Parameter(name, value, since)


def switch(name: str, value: bool) -> Parameter:
    """Return a parameter that is on or off and always sent, as its absence means on."""
    return Parameter(name, str(int(flag(name, value).value is True)))


def number(
    name: str,
    value: int | None,
    argument: str = "",
    *,
    since: Version = OLDEST,
    formerly: str | None = None,
) -> Parameter:
    """Return a parameter that is an integer, or not sent."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{argument or name} must be an int, not {type(value).__name__}")
    return Parameter(name, value, since, formerly)


def text(name: str, value: str | None, argument: str = "", *, since: Version = OLDEST) -> Parameter:
    """Return a parameter that is a string, or not sent."""
    if value is not None and not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{argument or name} must be a str, not {type(value).__name__}")
    return Parameter(name, value, since)


def texts(
    name: str, values: str | Iterable[str] | None, argument: str = "", *, since: Version = OLDEST
) -> Parameter:
    """Return a parameter that is repeated for each of several strings."""
    return Parameter(name, strings(argument or name, values), since)


def any_parameter(name: str, value: object) -> Parameter:
    """Return a parameter of any value: str and int as they are, bool as 1 or 0, others as JSON."""
    if value is None or isinstance(value, str):
        return Parameter(name, value)
    if isinstance(value, int):
        return Parameter(name, str(int(value)))
    return Parameter(name, json_text(value))


def default_platform(platform: str | None) -> Parameter:
    """Return the platform parameter; by default its value is that of ``DOCKER_DEFAULT_PLATFORM``."""
    return replace(text("platform", platform, since=Version(1, 32)), variable="DOCKER_DEFAULT_PLATFORM")


def platform_json(platform: str | None) -> str | None:
    """Return a platform, ``os/arch[/variant]``, as the JSON that most endpoints expect.

    >>> platform_json("linux/arm64/v8")
    '{"os":"linux","architecture":"arm64","variant":"v8"}'

    Raises:
        ValueError: The platform has another form.
    """
    if platform is None:
        return None
    parts = check_platform(platform).groupdict()
    return json_text({name: part for name, part in parts.items() if part})


def check_platform(platform: str) -> re.Match[str]:
    """Return the parts of a platform, ``os/arch[/variant]``; raise ValueError if it has another form."""
    match = _PLATFORM.fullmatch(platform)
    if match is None:
        raise ValueError(f"platform must be os/arch or os/arch/variant, not {platform!r}")
    return match


def mapping_json(argument: str, values: Mapping[str, str] | None) -> str | None:
    """Return a mapping of strings as JSON; None for None."""
    return None if values is None else json_text(strings_by_name(argument, values))
