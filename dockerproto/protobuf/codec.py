"""Protobuf, as far as BuildKit speaks it: a message is a struct whose annotations number its fields.

::

    class Stat(ProtoMessage, frozen=True):
        path: Annotated[str, 1] = ""
        size: Annotated[Int64, 5] = 0
        xattrs: Annotated[Mapping[str, bytes], 10] = field(default_factory=dict)

    Stat.decode(Stat(path="a", size=3).encode())

The types say what is on the wire: ``str``, ``bytes``, ``bool``, the integers below, another message
as ``Timestamp | None``, any of them repeated as ``tuple[..., ...]``, and ``Mapping`` from ``str`` to any
but messages.

The rules are those of proto3: what is zero or empty is not sent, integers are repeated packed, of two
values the last counts, two copies of a message are merged, unknown fields are skipped. One thing
differs: a ``str`` that is no UTF-8 is not refused; it is decoded with surrogates (``surrogateescape``), and
encodes to the same bytes, as paths of files need it. See https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from operator import attrgetter
from types import NoneType
from typing import Annotated, Any, Final, Self, TypeAlias, get_args, get_origin, get_type_hints

from msgspec import Struct

from dockerproto.protobuf.wire import (
    DEEPEST,
    DELIMITED,
    ONE_BYTE,
    VARINT,
    malformed,
    read_tag,
    read_varint,
    skip_field,
    varint_bytes,
)
from dockerproto.redacted import Redacted

Int32: TypeAlias = Annotated[int, "int32"]
"""An integer of 32 bits; an enum too, as proto3's are open."""
Int64: TypeAlias = Annotated[int, "int64"]
"""An integer of 64 bits."""
UInt32: TypeAlias = Annotated[int, "uint32"]
"""A natural number of 32 bits."""
UInt64: TypeAlias = Annotated[int, "uint64"]
"""A natural number of 64 bits."""

MOST: Final = 250_000
"""How many messages, and values of lists and maps, one decoding may make."""


class ProtoMessage(Redacted, frozen=True):
    """The base of messages, which are frozen structs of annotated fields with defaults."""

    def encode(self) -> bytes:
        """Return the message as bytes.

        Raises:
            ValueError: An integer is too large for its field, or a text has a surrogate that is no byte.
        """
        return _encode(self)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a message; unknown fields are skipped.

        Raises:
            ProtocolViolated: The bytes are no such message, or it is nested too deep, or has too many parts.
        """
        table = _table(cls)
        values = list(table.blank)
        _merge(table, data, values, _Room())
        made: Self = _make(table, values)
        return made


class _Room(Struct):
    """What is left of the limits of one decoding."""

    depth: int = DEEPEST
    parts: int = MOST

    def spend(self) -> None:
        self.parts -= 1
        if self.parts < 0:
            raise malformed(f"has more than {MOST} parts")


# What puts a value that was read where values are gathered, and what appends a field to what is sent.
_Take: TypeAlias = Callable[[list[Any], Any, _Room], None]
_Write: TypeAlias = Callable[[Any, bytearray], None]


class _Kind(Struct, frozen=True):
    """How one value is on the wire: its wire type, and what reads and writes it."""

    wire: int
    load: Callable[[Any, _Room], Any]
    dump: Callable[[Any], bytes]
    zero: Any
    message: type[ProtoMessage] | None = None

    def written(self, value: Any) -> bytes:
        """Return a value with its length before it, if it has one."""
        raw = self.dump(value)
        return raw if self.wire == VARINT else varint_bytes(len(raw)) + raw


class _Field(Struct, frozen=True):
    """One field: what takes its values by tag, how it is finished and written, how it begins."""

    take: dict[int, _Take]
    write: _Write
    finish: Callable[[Any], Any] | None = None
    blank: Any = None


class _Table(Struct, frozen=True):
    """All that is to be known of a class of messages, computed once."""

    make: Callable[..., Any]
    values: Callable[[Any], tuple[Any, ...]]
    writes: tuple[_Write, ...]
    takes: dict[int, _Take]
    blank: tuple[Any, ...]
    finishes: tuple[tuple[int, Callable[[Any], Any]], ...]


def _encode(message: ProtoMessage) -> bytes:
    table, out = _table(type(message)), bytearray()
    for write, value in zip(table.writes, table.values(message), strict=True):
        if value is not None:
            write(value, out)
    return bytes(out)


def _merge(table: _Table, data: bytes, values: list[Any], room: _Room) -> None:
    """Gather the fields of a message, into what may be there of an earlier copy of it."""
    takes, position, size = table.takes, 0, len(data)
    while position < size:
        tag = data[position]
        position += 1
        if not 8 <= tag < 0x80:  # noqa: PLR2004  # the tags of one byte
            tag, position = read_tag(data, position - 1)
        wire = tag & 7
        value: Any
        if wire == VARINT:
            value, position = read_varint(data, position)
        elif wire == DELIMITED:
            length, start = read_varint(data, position)
            position = start + length
            if position > size:
                raise malformed("ends in the middle of a field")
            value = data[start:position]
        else:
            position = skip_field(data, position, tag)
            continue
        take = takes.get(tag)
        if take is not None:
            take(values, value, room)


def _make(table: _Table, values: list[Any]) -> Any:
    for index, finish in table.finishes:
        values[index] = finish(values[index])
    return table.make(*values)


_tables: Final[dict[type[ProtoMessage], _Table]] = {}


def _table(cls: type[ProtoMessage]) -> _Table:
    """Return the table of a class, which is made when it is first asked for: classes may name each other."""
    known = _tables.get(cls)
    if known is None:
        known = _tables[cls] = _made(cls)
    return known


def _made(cls: type[ProtoMessage]) -> _Table:
    hints = get_type_hints(cls, include_extras=True)
    names = cls.__struct_fields__
    made = [_field(index, hints[name]) for index, name in enumerate(names)]
    return _Table(
        make=cls,
        values=_values(names),
        writes=tuple(each.write for each in made),
        takes={tag: take for each in made for tag, take in each.take.items()},
        blank=tuple(each.blank for each in made),
        finishes=tuple((index, each.finish) for index, each in enumerate(made) if each.finish is not None),
    )


def _values(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """Return what gets the values of a message, in the order of its fields."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda message: tuple(getattr(message, name) for name in names)


def _field(index: int, hint: Any) -> _Field:
    declared, *marks = get_args(hint)
    number: int = marks[-1]
    if get_origin(declared) is tuple:
        return _repeated(index, number, _kind(get_args(declared)[0]))
    if get_origin(declared) is Mapping:
        return _map(index, number, _kind(get_args(declared)[1]))
    kind = _kind(hint if declared is int else declared)
    return _single(index, number, kind) if kind.message is None else _nested(index, number, kind)


def _single(index: int, number: int, kind: _Kind) -> _Field:
    tag, load = number << 3 | kind.wire, kind.load
    head, dump, delimited = varint_bytes(tag), kind.dump, kind.wire == DELIMITED

    def take(values: list[Any], raw: Any, room: _Room) -> None:
        values[index] = load(raw, room)

    def write(value: Any, out: bytearray) -> None:
        if value:
            raw = dump(value)
            out += head
            if delimited:
                out += varint_bytes(len(raw))
            out += raw

    return _Field({tag: take}, write, blank=kind.zero)


def _nested(index: int, number: int, kind: _Kind) -> _Field:
    tag = number << 3 | DELIMITED
    head, cls = varint_bytes(tag), kind.message or ProtoMessage

    def take(values: list[Any], raw: bytes, room: _Room) -> None:
        table = _table(cls)
        if values[index] is None:
            values[index] = list(table.blank)
        _deeper(table, raw, values[index], room)

    def finish(values: list[Any] | None) -> Any:
        return None if values is None else _make(_table(cls), values)

    def write(value: Any, out: bytearray) -> None:
        out += head + kind.written(value)

    return _Field({tag: take}, write, finish)


def _repeated(index: int, number: int, kind: _Kind) -> _Field:
    tag, packed = number << 3 | kind.wire, number << 3 | DELIMITED
    head, load = varint_bytes(packed), kind.load

    def take(values: list[Any], raw: Any, room: _Room) -> None:
        room.spend()
        if values[index] is None:
            values[index] = []
        values[index].append(load(raw, room))

    def take_packed(values: list[Any], raw: bytes, room: _Room) -> None:
        for each in _packed(raw):
            take(values, each, room)

    def write_packed(value: Any, out: bytearray) -> None:
        if value:
            raw = b"".join(map(kind.dump, value))
            out += head + varint_bytes(len(raw)) + raw

    def write(value: Any, out: bytearray) -> None:
        for each in value:
            out += head + kind.written(each)

    if kind.wire == VARINT:
        return _Field({tag: take, packed: take_packed}, write_packed, _tuple)
    return _Field({tag: take}, write, _tuple)


def _map(index: int, number: int, kind: _Kind) -> _Field:
    # Each pair is a message with the key as field 1, the value as field 2.
    takes = _single(0, 1, _TEXT).take | _single(1, 2, kind).take
    pairs = _Table(tuple, tuple, (), takes, (_TEXT.zero, kind.zero), ())
    tag = number << 3 | DELIMITED
    head, of_key, of_item = varint_bytes(tag), b"\x0a", varint_bytes(2 << 3 | kind.wire)

    def take(values: list[Any], raw: bytes, room: _Room) -> None:
        if values[index] is None:
            values[index] = {}
        pair = list(pairs.blank)
        _deeper(pairs, raw, pair, room)
        values[index][pair[0]] = pair[1]

    def write(value: Any, out: bytearray) -> None:
        for name, each in value.items():
            raw = of_key + _TEXT.written(name) + of_item + kind.written(each)
            out += head + varint_bytes(len(raw)) + raw

    return _Field({tag: take}, write, lambda gathered: gathered or {})


def _deeper(table: _Table, raw: bytes, values: list[Any], room: _Room) -> None:
    """Gather the fields of a message that is inside another."""
    room.spend()
    if room.depth <= 0:
        raise malformed(f"is nested more than {DEEPEST} deep")
    room.depth -= 1
    _merge(table, raw, values, room)
    room.depth += 1


def _packed(raw: bytes) -> Iterator[int]:
    position = 0
    while position < len(raw):
        value, position = read_varint(raw, position)
        yield value


def _tuple(gathered: list[Any] | None) -> tuple[Any, ...]:
    return () if gathered is None else tuple(gathered)


def _kind(hint: Any) -> _Kind:
    """Return how values of a type are on the wire."""
    if hint in _KINDS:
        return _KINDS[hint]
    parts = get_args(hint)
    if get_origin(hint) is Annotated:
        return _INTEGERS[parts[1]]
    return _messages(next((part for part in parts if part is not NoneType), hint))


def _messages(cls: type[ProtoMessage]) -> _Kind:
    def load(raw: bytes, room: _Room) -> Any:
        table = _table(cls)
        values = list(table.blank)
        _deeper(table, raw, values, room)
        return _make(table, values)

    return _Kind(DELIMITED, load, _encode, None, cls)


def _integers(bits: int, *, signed: bool) -> _Kind:
    mask, low = (1 << bits) - 1, -(1 << (bits - 1)) if signed else 0
    high = low + mask

    def load(raw: int, _: _Room) -> int:
        value = raw & mask
        return value if value <= high else value - mask - 1

    def dump(value: int) -> bytes:
        if not low <= value <= high:
            raise ValueError(f"{value} is not from {low} to {high}")
        return varint_bytes(value & 0xFFFF_FFFF_FFFF_FFFF)

    return _Kind(VARINT, load, dump, 0)


_INTEGERS: Final = {
    "int32": _integers(32, signed=True),
    "int64": _integers(64, signed=True),
    "uint32": _integers(32, signed=False),
    "uint64": _integers(64, signed=False),
}
_TEXT: Final = _Kind(
    DELIMITED,
    lambda raw, _: raw.decode("utf-8", "surrogateescape"),
    lambda value: value.encode("utf-8", "surrogateescape"),
    "",
)
_KINDS: Final[Mapping[Any, _Kind]] = {
    str: _TEXT,
    bytes: _Kind(DELIMITED, lambda raw, _: raw, bytes, b""),
    bool: _Kind(VARINT, lambda raw, _: raw != 0, lambda value: ONE_BYTE[bool(value)], zero=False),
}
