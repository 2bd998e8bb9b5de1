"""JSON as the docker command reads it, which is written in Go.

Names of members are in any case, null is as good as nothing, and of several members the last counts.
"""

from __future__ import annotations

import re
from typing import Any, Final, NoReturn

_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_SPACE: Final = " \t\r\n"


class GoObject(tuple[tuple[str, Any], ...]):
    """An object of JSON: its members, in their order."""

    __slots__ = ()

    def member(self, name: str, kind: type[Any]) -> Any:
        """Return a member, None if there is none.

        Raises:
            ValueError: It is of another type.
        """
        found = [value for key, value in self if key.casefold() == name.casefold() and value is not None]
        return typed(found[-1], name, kind) if found else None


def read_go_json(content: bytes, *, whole: bool) -> Any:
    """Return the JSON document that a file begins with, or that is the whole of it.

    Raises:
        ValueError: There is none.
    """
    from json import JSONDecoder  # noqa: PLC0415  # only if there is such a file

    text = content.decode(errors="replace").strip(_SPACE)
    try:
        document, end = JSONDecoder(object_pairs_hook=GoObject, parse_constant=_constant).raw_decode(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if whole and end != len(text):
        raise ValueError("something follows the JSON document")
    return document


def read_go_object(content: bytes) -> GoObject:
    """Return the object that a file begins with; nothing at all, or null, is an empty one.

    Raises:
        ValueError: There is something else.
    """
    document = read_go_json(content, whole=False) if content.strip(_SPACE.encode()) else None
    if not isinstance(document, GoObject | None):
        raise ValueError("it is no JSON object")  # noqa: TRY004  # of JSON, not of Python
    return document or GoObject()


def typed(value: Any, name: str, kind: type[Any]) -> Any:
    """Return a value, in which nothing is that UTF-8 does not have.

    Raises:
        ValueError: It is neither null nor of that type.
    """
    if value is not None and not isinstance(value, kind):
        raise ValueError(f"{name} is of another type")
    return _SURROGATES.sub("\ufffd", value) if isinstance(value, str) else value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
