"""Checks of arguments that several operations share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec

V = TypeVar("V", bound=str | None)


def json_text(value: Any) -> str:
    """Return a value as JSON text, for a parameter."""
    return msgspec.json.encode(value).decode()


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


def strings_by_name(argument: str, values: Mapping[str, V], *, optional: bool = False) -> dict[str, V]:
    """Return a mapping of strings as it is now; its values may be None if `optional`."""
    if not isinstance(values, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"{argument} is a mapping, not {type(values).__name__}")
    given = [each for each in values.values() if not (optional and each is None)]
    if not all(isinstance(each, str) for each in (*values, *given)):
        raise TypeError(f"{argument} is a mapping of str to str")
    return dict(values)
