"""JSON as Go's encoding/json decodes it, for the files of the Docker CLI.

The names of fields match in any case, and the keys of maps exactly. Of equal names the last one counts,
but objects with equal names merge. null empties a map, and leaves everything else as it is. A value of a
wrong type is a problem of its own place only: the rest of the document is decoded.
Described at https://pkg.go.dev/encoding/json#Unmarshal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, Generic, NoReturn, TypeAlias, TypeVar, cast, get_args, get_origin

from msgspec import Struct
from msgspec.structs import FieldInfo, asdict, fields

S = TypeVar("S", bound=Struct)

_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_SPACE: Final = " \t\r\n"

Path: TypeAlias = tuple[str, ...]
"""Place in a document: names of fields as Go spells them, and keys of maps; () is the whole document."""


class GoObject(tuple[tuple[str, Any], ...]):
    """A JSON object: its members, in their order."""

    __slots__ = ()


_TYPE_NAMES: Final[Mapping[type, str]] = {
    bool: "a boolean",
    float: "a number",
    GoObject: "an object",
    int: "a number",
    list: "an array",
    str: "a string",
}


class Decoded(Struct, Generic[S], frozen=True):
    """A decoded document."""

    value: S
    """The fields that are known, each with a value of its type."""
    problems: Mapping[Path, str]
    """Descriptions of the values of a wrong type, by place; they quote neither values nor keys of maps."""


def parse_json(content: bytes, *, whole: bool) -> Any:
    """Parse the JSON document at the beginning of a file, or the whole file; objects become `GoObject`.

    Raises:
        ValueError: The JSON is invalid; the message quotes nothing of it.
    """
    from json import JSONDecoder  # noqa: PLC0415  # only if there is such a file

    text = content.decode(errors="surrogateescape").strip(_SPACE)
    try:
        document, end = JSONDecoder(object_pairs_hook=GoObject, parse_constant=_refuse).raw_decode(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if whole and end != len(text):
        raise ValueError("more text follows the JSON document")
    return document


def decode(document: object, kind: type[S], *, name: str = "the document") -> Decoded[S]:
    """Decode a parsed document into a struct, whose fields all have defaults.

    >>> class Door(Struct, rename="camel"):
    ...     open_since: str = ""
    >>> door = decode(GoObject([("OPENSINCE", "noon"), ("openSince", 5)]), Door)
    >>> door.value, door.problems
    (Door(open_since='noon'), {('openSince',): 'openSince must be a string, not a number'})

    Args:
        document: What `parse_json` has returned.
        kind: A struct of str, bool, structs, mappings from str to these, or object for any value.
        name: The document's name in the description of a problem.
    """
    decoder = _Decoder()
    value = decoder.decode(document, kind, kind(), name, ())
    return Decoded(value, decoder.problems)


class _Decoder:
    def __init__(self) -> None:
        self.problems: Final[dict[Path, str]] = {}

    def decode(self, value: object, kind: Any, current: Any, name: str, path: Path) -> Any:
        """Return a value as Go would leave it in a variable that has held another one."""
        is_map = get_origin(kind) is Mapping
        if kind is object:
            return value
        if value is None:
            return {} if is_map else current
        is_object = is_map or issubclass(kind, Struct)
        expected = GoObject if is_object else kind
        if not isinstance(value, expected):
            self.problems[path] = f"{name} must be {_TYPE_NAMES[expected]}, not {_TYPE_NAMES[type(value)]}"
            return current
        if isinstance(value, GoObject):
            return (self._map if is_map else self._struct)(value, kind, current, name, path)
        return clean(value) if isinstance(value, str) else value

    def _map(self, value: GoObject, kind: Any, current: Any, name: str, path: Path) -> Any:
        _, of = cast("tuple[Any, Any]", get_args(kind))
        entries = dict[str, Any](current)
        for each, content in value:
            key = clean(each)
            # An entry replaces another one of its key, so it is decoded into a new value.
            entries[key] = self.decode(content, of, of(), f"an entry of {name}", (*path, key))
        return entries

    def _struct(self, value: GoObject, kind: Any, current: Any, _: str, path: Path) -> Any:
        values, known = asdict(current), _fields_of(kind)
        for each, content in value:
            if (field := known.get(fold(each))) is not None:
                name, own = field.name, field.encode_name
                values[name] = self.decode(content, field.type, values[name], own, (*path, own))
        return kind(**values)


def fold(name: str) -> str:
    """Return the form in which Go compares the names of fields.

    >>> fold("credsStore") == fold("CREDSSTORE") == fold("cred\u017f\u017ftore")
    True
    >>> fold("cred\u00dftore") == fold("credsStore")  # unlike str.casefold()
    False
    """
    return name.lower().replace("\u017f", "s")  # lower() folds the Kelvin sign; no others fold to ASCII


@cache
def _fields_of(kind: type[Struct]) -> dict[str, FieldInfo]:
    return {fold(each.encode_name): each for each in fields(kind)}


def clean(text: str) -> str:
    """Return a text with U+FFFD in place of everything that UTF-8 cannot encode."""
    return _SURROGATES.sub("\ufffd", text)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
