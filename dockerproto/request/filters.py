"""Filters: from what is comfortable in Python to the one shape that every engine reads.

That shape is a JSON object of lists of strings, booleans being ``"true"`` and ``"false"``.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sized
from typing import TypeAlias

import msgspec

FilterValue: TypeAlias = str | bool | int
"""One value of a filter."""
Filters: TypeAlias = Mapping[str, FilterValue | Iterable[FilterValue]]
"""Filters by name: one value or several, ``{"dangling": True, "label": ["a", "b=c"]}``."""


def encode_filters(filters: Filters | str | None) -> str | None:
    """Return filters as the engine reads them; None if there are none.

    >>> encode_filters({"dangling": True, "label": ("a", "b=c"), "inuse": []})
    '{"dangling":["true"],"label":["a","b=c"],"inuse":[]}'

    Raises:
        TypeError: A value is of another type.
        ValueError: A text is no JSON object.
    """
    if filters is None:
        return None
    if isinstance(filters, str):
        return _deprecated(filters)
    if not isinstance(filters, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"filters are a mapping, not {type(filters).__name__}")
    if not filters:
        return None
    return msgspec.json.encode({name: _values(name, value) for name, value in filters.items()}).decode()


def combined(encoded: str) -> str | None:
    """Return the name of a filter that has several values, of filters that are encoded; None if none has.

    A filter and its negation are one: ``label`` and ``label!``.
    """
    given: set[str] = set()
    for name, values in msgspec.json.decode(encoded, type=dict[str, object]).items():
        filtered = name.removesuffix("!")
        several = isinstance(values, Sized) and not isinstance(values, str) and len(values) > 1
        if several or filtered in given:
            return filtered
        given.add(filtered)
    return None


def _values(name: str, value: FilterValue | Iterable[FilterValue]) -> list[str]:
    if isinstance(value, str | int):
        return [_text(name, value)]
    several: object = value
    if isinstance(several, Mapping | bytes) or not isinstance(several, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"filter {name!r} is a str, bool, int or several of them, not {type(value).__name__}")
    return [_text(name, each) for each in value]


def _text(name: str, value: FilterValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        return str(value)
    raise TypeError(f"a value of filter {name!r} is a str, bool or int, not {type(value).__name__}")


def _deprecated(text: str) -> str | None:
    # Levels: here, encode_filters, the operation, its projection, the caller.
    warnings.warn("filters as JSON text are deprecated, pass a mapping", DeprecationWarning, stacklevel=5)
    try:
        msgspec.json.decode(text or "{}", type=dict[str, object])
    except msgspec.DecodeError as error:
        raise ValueError(f"filters are no JSON object: {error}") from None
    return text or None
