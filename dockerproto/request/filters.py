"""Filters: convenient Python values, encoded in the one form that every engine understands.

That form is a JSON object of lists of strings; booleans are ``"true"`` and ``"false"``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sized
from typing import TypeAlias

import msgspec

from dockerproto.caller import warn_caller

FilterValue: TypeAlias = str | bool | int
"""One value of a filter."""
Filters: TypeAlias = Mapping[str, FilterValue | Iterable[FilterValue]]
"""Filters by name, each with one value or several: ``{"dangling": True, "label": ["a", "b=c"]}``."""


def encode_filters(filters: Filters | str | None) -> str | None:
    """Return filters as the engine expects them; None without filters.

    >>> encode_filters({"dangling": True, "label": ("a", "b=c"), "inuse": []})
    '{"dangling":["true"],"label":["a","b=c"],"inuse":[]}'

    Raises:
        TypeError: A value has another type.
        ValueError: A string is not a JSON object.
    """
    if filters is None:
        return None
    if isinstance(filters, str):
        return _deprecated(filters)
    if not isinstance(filters, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"filters must be a mapping, not {type(filters).__name__}")
    if not filters:
        return None
    return msgspec.json.encode({name: _values(name, value) for name, value in filters.items()}).decode()


def repeated_filter(encoded: str) -> str | None:
    """Return the name of an encoded filter that has several values; None without such a filter.

    A filter and its negation count as one: ``label`` and ``label!``.
    """
    seen: set[str] = set()
    for name, values in msgspec.json.decode(encoded, type=dict[str, object]).items():
        positive = name.removesuffix("!")
        several = isinstance(values, Sized) and not isinstance(values, str) and len(values) > 1
        if several or positive in seen:
            return positive
        seen.add(positive)
    return None


def _values(name: str, value: FilterValue | Iterable[FilterValue]) -> list[str]:
    if isinstance(value, str | int):
        return [_text(name, value)]
    several: object = value
    if isinstance(several, Mapping | bytes) or not isinstance(several, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(
            f"filter {name!r} must be a str, bool, int or several of them, not {type(value).__name__}"
        )
    return [_text(name, each) for each in value]


def _text(name: str, value: FilterValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        return str(value)
    raise TypeError(f"a value of filter {name!r} must be a str, bool or int, not {type(value).__name__}")


def _deprecated(text: str) -> str | None:
    warn_caller("filters as a JSON string are deprecated; pass a mapping", DeprecationWarning)
    try:
        msgspec.json.decode(text or "{}", type=dict[str, object])
    except msgspec.DecodeError as error:
        raise ValueError(f"filters must be a JSON object: {error}") from None
    return text or None
