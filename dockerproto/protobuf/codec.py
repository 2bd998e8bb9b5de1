"""Protobuf messages as structs whose annotations give the field numbers: the subset that BuildKit uses.

::

    class Stat(ProtoMessage, frozen=True):
        path: Annotated[str, 1] = ""
        size: Annotated[Int64, 5] = 0
        xattrs: Annotated[Mapping[str, bytes], 10] = field(default_factory=dict)

    Stat.decode(Stat(path="a", size=3).encode())

The types determine the encoding: ``str``, ``bytes``, ``bool``, the integers below, another message as
``Timestamp | None``, any of them repeated as ``tuple[..., ...]``, and ``Mapping`` from ``str`` to any of them
except messages.

The rules are those of proto3: zero and empty values are not sent, repeated integers are packed, the last of
several values counts, copies of a message are merged, unknown fields are skipped. One thing differs, because
file paths need it, and it is why Google's library is not used: a ``str`` that is not UTF-8 is accepted; it is
decoded with ``surrogateescape``, and encodes to the same bytes. See
https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from operator import attrgetter
from types import NoneType
from typing import Annotated, Any, Final, Self, TypeAlias, get_args, get_origin, get_type_hints

from msgspec import Struct

from dockerproto.protobuf.wire import (
    DELIMITED,
    MAX_DEPTH,
    ONE_BYTE,
    VARINT,
    decode_tag,
    decode_varint,
    encode_varint,
    malformed,
    skip_field,
)
from dockerproto.redacted import Redacted

Int32: TypeAlias = Annotated[int, "int32"]
"""A signed 32-bit integer; also an enum, as proto3's enums are open."""
Int64: TypeAlias = Annotated[int, "int64"]
"""A signed 64-bit integer."""
UInt32: TypeAlias = Annotated[int, "uint32"]
"""An unsigned 32-bit integer."""
UInt64: TypeAlias = Annotated[int, "uint64"]
"""An unsigned 64-bit integer."""

_LENGTHS_AND_INTEGERS: Final = (VARINT, DELIMITED)

MAX_PARTS: Final = 250_000
"""Limit on the messages, list items and map items in one decoded message."""


class ProtoMessage(Redacted, frozen=True):
    """Base class of messages: frozen structs of annotated fields with defaults."""

    def encode(self) -> bytes:
        """Encode the message.

        Raises:
            ValueError: An integer does not fit its field, or a text has a surrogate that escapes no byte.
        """
        return _encode(self)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Decode a message; unknown fields are skipped.

        Raises:
            ProtocolViolated: The bytes are malformed, nested too deep, or have too many parts.
        """
        table = _table(cls)
        values = list(table.initial)
        _merge(table, data, values, _Budget())
        message: Self = _make(table, values)
        return message


class _Budget(Struct):
    """Remaining limits of one decoding."""

    depth: int = MAX_DEPTH
    parts: int = MAX_PARTS

    def spend(self) -> None:
        self.parts -= 1
        if self.parts < 0:
            raise malformed(f"has more than {MAX_PARTS} parts")


# A decoder adds a value to the list of field values; an encoder appends a field with a value to the output.
_Decode: TypeAlias = Callable[[list[Any], Any, _Budget], None]
_Encode: TypeAlias = Callable[[Any, bytearray], None]


class _ValueCodec(Struct, frozen=True):
    """Encoding of one value: its wire type, and the functions that decode and encode it."""

    wire: int
    load: Callable[[Any, _Budget], Any]
    dump: Callable[[Any], bytes]
    zero: Any
    message: type[ProtoMessage] | None = None

    def dump_delimited(self, value: Any) -> bytes:
        """Encode a value, with its length before it if its wire type has one."""
        raw = self.dump(value)
        return raw if self.wire == VARINT else encode_varint(len(raw)) + raw


class _FieldCodec(Struct, frozen=True):
    """Encoding of one field: decoders by tag, the encoder, and the initial and final form of its value."""

    decode: dict[int, _Decode]
    encode: _Encode
    finish: Callable[[Any], Any] | None = None
    initial: Any = None


class _MessageTable(Struct, frozen=True):
    """Precomputed codec of a message class."""

    make: Callable[..., Any]
    values: Callable[[Any], tuple[Any, ...]]
    encoders: tuple[_Encode, ...]
    decoders: dict[int, _Decode]
    initial: tuple[Any, ...]
    finishers: tuple[tuple[int, Callable[[Any], Any]], ...]


def _encode(message: ProtoMessage) -> bytes:
    table, out = _table(type(message)), bytearray()
    for encode, value in zip(table.encoders, table.values(message), strict=True):
        if value:  # zero values, empty ones and missing messages are omitted
            encode(value, out)
    return bytes(out)


def _merge(table: _MessageTable, data: bytes, values: list[Any], budget: _Budget) -> None:
    """Decode the fields of a message into values, which may hold those of an earlier copy of it."""
    decoders, position, size = table.decoders, 0, len(data)
    while position < size:
        tag = data[position]
        position += 1
        if not 8 <= tag < 0x80:  # noqa: PLR2004  # tags of one byte
            tag, position = decode_tag(data, position - 1)
        wire = tag & 7
        value: Any
        if wire not in _LENGTHS_AND_INTEGERS:
            position = skip_field(data, position, tag)
            continue
        if position < size and data[position] < 0x80:  # noqa: PLR2004  # varints of one byte, which are most
            value = data[position]
            position += 1
        else:
            value, position = decode_varint(data, position)
        if wire == DELIMITED:
            start = position
            position += value
            if position > size:
                raise malformed("is truncated")
            value = data[start:position]
        decode = decoders.get(tag)
        if decode is not None:
            decode(values, value, budget)


def _make(table: _MessageTable, values: list[Any]) -> Any:
    for index, finish in table.finishers:
        values[index] = finish(values[index])
    return table.make(*values)


_tables: Final[dict[type[ProtoMessage], _MessageTable]] = {}


def _table(cls: type[ProtoMessage]) -> _MessageTable:
    """Return the table of a class, built on first use, as classes may refer to each other."""
    known = _tables.get(cls)
    if known is None:
        known = _tables[cls] = _build_table(cls)
    return known


def _build_table(cls: type[ProtoMessage]) -> _MessageTable:
    hints = get_type_hints(cls, include_extras=True)
    names = cls.__struct_fields__
    fields = [_field_codec(index, hints[name]) for index, name in enumerate(names)]
    return _MessageTable(
        make=cls,
        values=_value_getter(names),
        encoders=tuple(each.encode for each in fields),
        decoders={tag: decode for each in fields for tag, decode in each.decode.items()},
        initial=tuple(each.initial for each in fields),
        finishers=tuple((index, each.finish) for index, each in enumerate(fields) if each.finish is not None),
    )


def _value_getter(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function that gets the field values of a message, in order."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda message: tuple(getattr(message, name) for name in names)


def _field_codec(index: int, hint: Any) -> _FieldCodec:
    declared, *marks = get_args(hint)
    number: int = marks[-1]
    if get_origin(declared) is tuple:
        return _repeated(index, number, _value_codec(get_args(declared)[0]))
    if get_origin(declared) is Mapping:
        return _map(index, number, _value_codec(get_args(declared)[1]))
    codec = _value_codec(hint if declared is int else declared)
    return _single(index, number, codec) if codec.message is None else _nested(index, number, codec)


def _single(index: int, number: int, codec: _ValueCodec) -> _FieldCodec:
    tag, load = number << 3 | codec.wire, codec.load
    head, dump, delimited = encode_varint(tag), codec.dump, codec.wire == DELIMITED

    def decode(values: list[Any], raw: Any, budget: _Budget) -> None:
        values[index] = load(raw, budget)

    def encode(value: Any, out: bytearray) -> None:
        raw = dump(value)
        out += head
        if delimited:
            out += encode_varint(len(raw))
        out += raw

    return _FieldCodec({tag: decode}, encode, initial=codec.zero)


def _nested(index: int, number: int, codec: _ValueCodec) -> _FieldCodec:
    tag = number << 3 | DELIMITED
    head, cls = encode_varint(tag), codec.message or ProtoMessage

    def decode(values: list[Any], raw: bytes, budget: _Budget) -> None:
        table = _table(cls)
        if values[index] is None:
            values[index] = list(table.initial)
        _merge_nested(table, raw, values[index], budget)

    def finish(values: list[Any] | None) -> Any:
        return None if values is None else _make(_table(cls), values)

    def encode(value: Any, out: bytearray) -> None:
        out += head + codec.dump_delimited(value)

    return _FieldCodec({tag: decode}, encode, finish)


def _repeated(index: int, number: int, codec: _ValueCodec) -> _FieldCodec:
    tag, packed = number << 3 | codec.wire, number << 3 | DELIMITED
    head, load = encode_varint(packed), codec.load

    def decode(values: list[Any], raw: Any, budget: _Budget) -> None:
        budget.spend()
        if values[index] is None:
            values[index] = []
        values[index].append(load(raw, budget))

    def decode_packed(values: list[Any], raw: bytes, budget: _Budget) -> None:
        for each in _packed_varints(raw):
            decode(values, each, budget)

    def encode_packed(value: Any, out: bytearray) -> None:
        raw = b"".join(map(codec.dump, value))
        out += head + encode_varint(len(raw)) + raw

    def encode(value: Any, out: bytearray) -> None:
        for each in value:
            out += head + codec.dump_delimited(each)

    if codec.wire == VARINT:
        return _FieldCodec({tag: decode, packed: decode_packed}, encode_packed, _tuple)
    return _FieldCodec({tag: decode}, encode, _tuple)


def _map(index: int, number: int, codec: _ValueCodec) -> _FieldCodec:
    # Each pair is a message with the key as field 1, the value as field 2.
    decoders = _single(0, 1, _TEXT).decode | _single(1, 2, codec).decode
    pairs = _MessageTable(tuple, tuple, (), decoders, (_TEXT.zero, codec.zero), ())
    tag = number << 3 | DELIMITED
    head, key_tag, value_tag = encode_varint(tag), b"\x0a", encode_varint(2 << 3 | codec.wire)

    def decode(values: list[Any], raw: bytes, budget: _Budget) -> None:
        if values[index] is None:
            values[index] = {}
        pair = list(pairs.initial)
        _merge_nested(pairs, raw, pair, budget)
        values[index][pair[0]] = pair[1]

    def encode(value: Any, out: bytearray) -> None:
        for name, each in value.items():
            raw = key_tag + _TEXT.dump_delimited(name) + value_tag + codec.dump_delimited(each)
            out += head + encode_varint(len(raw)) + raw

    return _FieldCodec({tag: decode}, encode, lambda gathered: gathered or {})


def _merge_nested(table: _MessageTable, raw: bytes, values: list[Any], budget: _Budget) -> None:
    """Decode the fields of a message inside another."""
    budget.spend()
    if budget.depth <= 0:
        raise malformed(f"is nested more than {MAX_DEPTH} deep")
    budget.depth -= 1
    _merge(table, raw, values, budget)
    budget.depth += 1


def _packed_varints(raw: bytes) -> Iterator[int]:
    position = 0
    while position < len(raw):
        value, position = decode_varint(raw, position)
        yield value


def _tuple(gathered: list[Any] | None) -> tuple[Any, ...]:
    return () if gathered is None else tuple(gathered)


def _value_codec(hint: Any) -> _ValueCodec:
    """Return the codec for values of a type."""
    if hint in _SCALARS:
        return _SCALARS[hint]
    parts = get_args(hint)
    if get_origin(hint) is Annotated:
        return _INTEGERS[parts[1]]
    return _message_codec(next((part for part in parts if part is not NoneType), hint))


def _message_codec(cls: type[ProtoMessage]) -> _ValueCodec:
    def load(raw: bytes, budget: _Budget) -> Any:
        table = _table(cls)
        values = list(table.initial)
        _merge_nested(table, raw, values, budget)
        return _make(table, values)

    return _ValueCodec(DELIMITED, load, _encode, None, cls)


def _integer_codec(bits: int, *, signed: bool) -> _ValueCodec:
    mask, low = (1 << bits) - 1, -(1 << (bits - 1)) if signed else 0
    high = low + mask

    def load(raw: int, _: _Budget) -> int:
        value = raw & mask
        return value if value <= high else value - mask - 1

    def dump(value: int) -> bytes:
        if not low <= value <= high:
            raise ValueError(f"{value} is not from {low} to {high}")
        return encode_varint(value & 0xFFFF_FFFF_FFFF_FFFF)

    return _ValueCodec(VARINT, load, dump, 0)


_INTEGERS: Final = {
    "int32": _integer_codec(32, signed=True),
    "int64": _integer_codec(64, signed=True),
    "uint32": _integer_codec(32, signed=False),
    "uint64": _integer_codec(64, signed=False),
}
_TEXT: Final = _ValueCodec(
    DELIMITED,
    lambda raw, _: raw.decode("utf-8", "surrogateescape"),
    lambda value: value.encode("utf-8", "surrogateescape"),
    "",
)
_SCALARS: Final[Mapping[Any, _ValueCodec]] = {
    str: _TEXT,
    bytes: _ValueCodec(DELIMITED, lambda raw, _: raw, bytes, b""),
    bool: _ValueCodec(VARINT, lambda raw, _: raw != 0, lambda value: ONE_BYTE[bool(value)], zero=False),
}
