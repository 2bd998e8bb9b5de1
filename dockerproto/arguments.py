"""Argument checks shared by several operations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec

V = TypeVar("V", bound=str | None)


def json_text(value: Any) -> str:
    """Return a value as JSON text."""
    return msgspec.json.encode(value).decode()


def strings(argument: str, values: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return one or more strings as a tuple, an empty one for None; raise TypeError."""
    if values is None:
        return ()
    if isinstance(values, str):
        return (values,)
    if not isinstance(values, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{argument} must be a str or an iterable of str, not {type(values).__name__}")
    items = tuple(values)
    for item in items:
        if not isinstance(item, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"{argument} must contain only str, not {type(item).__name__}")
    return items


def strings_by_name(argument: str, values: Mapping[str, V], *, optional: bool = False) -> dict[str, V]:
    """Return a copy of a mapping of strings, whose values may be None if `optional`; raise TypeError."""
    if not isinstance(values, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"{argument} must be a mapping, not {type(values).__name__}")
    given = [each for each in values.values() if not (optional and each is None)]
    if not all(isinstance(each, str) for each in (*values, *given)):
        raise TypeError(f"{argument} must be a mapping of str to str")
    return dict(values)
