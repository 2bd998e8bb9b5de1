"""Protobuf: messages survive a round trip, encode as by Google's package, and malformed ones raise."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from hypothesis import example, given
from hypothesis import strategies as some
from msgspec import field

from dockerproto import ProtocolViolated
from dockerproto.protobuf.codec import MAX_PARTS, Int32, Int64, ProtoMessage, UInt32, UInt64
from dockerproto.protobuf.wire import MAX_DEPTH


class Lone(ProtoMessage, frozen=True):
    """A message of one field."""

    text: Annotated[str, 1] = ""


class Every(ProtoMessage, frozen=True):
    """A message with every kind of field, and itself as one."""

    text: Annotated[str, 1] = ""
    data: Annotated[bytes, 2] = b""
    truth: Annotated[bool, 3] = False
    int32: Annotated[Int32, 4] = 0
    int64: Annotated[Int64, 5] = 0
    uint32: Annotated[UInt32, 6] = 0
    uint64: Annotated[UInt64, 7] = 0
    inside: Annotated[Every | None, 8] = None
    texts: Annotated[tuple[str, ...], 9] = ()
    datas: Annotated[tuple[bytes, ...], 10] = ()
    truths: Annotated[tuple[bool, ...], 11] = ()
    numbers: Annotated[tuple[Int64, ...], 12] = ()
    insides: Annotated[tuple[Every, ...], 13] = ()
    names: Annotated[Mapping[str, str], 14] = field(default_factory=dict[str, str])
    blobs: Annotated[Mapping[str, bytes], 15] = field(default_factory=dict[str, bytes])
    counts: Annotated[Mapping[str, Int32], 536_870_911] = field(default_factory=dict[str, int])


TYPES = descriptor_pb2.FieldDescriptorProto
SCALARS = {
    "text": TYPES.TYPE_STRING,
    "data": TYPES.TYPE_BYTES,
    "truth": TYPES.TYPE_BOOL,
    "int32": TYPES.TYPE_INT32,
    "int64": TYPES.TYPE_INT64,
    "uint32": TYPES.TYPE_UINT32,
    "uint64": TYPES.TYPE_UINT64,
    "inside": TYPES.TYPE_MESSAGE,
}
LISTS = {
    "texts": TYPES.TYPE_STRING,
    "datas": TYPES.TYPE_BYTES,
    "truths": TYPES.TYPE_BOOL,
    "numbers": TYPES.TYPE_INT64,
    "insides": TYPES.TYPE_MESSAGE,
}
MAPS = {"names": TYPES.TYPE_STRING, "blobs": TYPES.TYPE_BYTES, "counts": TYPES.TYPE_INT32}
NUMBERS = {name: number for number, name in enumerate([*SCALARS, *LISTS, *MAPS], 1)} | {"counts": 536_870_911}


def google_class() -> Any:
    """Return Google's class of the same message."""
    file = descriptor_pb2.FileDescriptorProto(name="every.proto", package="t", syntax="proto3")
    every = file.message_type.add(name="Every")
    for name, kind in (SCALARS | LISTS).items():
        label = TYPES.LABEL_REPEATED if name in LISTS else TYPES.LABEL_OPTIONAL
        added = every.field.add(name=name, number=NUMBERS[name], type=kind, label=label)
        if kind == TYPES.TYPE_MESSAGE:
            added.type_name = ".t.Every"
    for name, kind in MAPS.items():
        pair = every.nested_type.add(name=f"{name.capitalize()}Entry")
        pair.options.map_entry = True
        pair.field.add(name="key", number=1, type=TYPES.TYPE_STRING, label=TYPES.LABEL_OPTIONAL)
        pair.field.add(name="value", number=2, type=kind, label=TYPES.LABEL_OPTIONAL)
        added = every.field.add(name=name, number=NUMBERS[name], type=TYPES.TYPE_MESSAGE)
        added.label, added.type_name = TYPES.LABEL_REPEATED, f".t.Every.{pair.name}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Every"))


GOOGLES: Any = google_class()


def ours(theirs: Any) -> Every:
    """Convert a message of Google's class to ours."""
    values: dict[str, Any] = {name: getattr(theirs, name) for name in SCALARS if name != "inside"}
    values |= {name: tuple(getattr(theirs, name)) for name in LISTS if name != "insides"}
    values |= {name: dict(getattr(theirs, name)) for name in MAPS}
    values["inside"] = ours(theirs.inside) if theirs.HasField("inside") else None
    values["insides"] = tuple(map(ours, theirs.insides))
    return Every(**values)


def integers(bits: int, *, signed: bool) -> some.SearchStrategy[int]:
    low = -(1 << (bits - 1)) if signed else 0
    return some.integers(low, low + (1 << bits) - 1)


texts = some.text(some.characters(exclude_categories=["Cs"]), max_size=5)
numbers = {
    "int32": integers(32, signed=True),
    "int64": integers(64, signed=True),
    "uint32": integers(32, signed=False),
    "uint64": integers(64, signed=False),
}
flat = {
    "text": texts,
    "data": some.binary(max_size=200),
    "truth": some.booleans(),
    **numbers,
    "texts": some.lists(texts, max_size=3).map(tuple),
    "datas": some.lists(some.binary(max_size=3), max_size=3).map(tuple),
    "truths": some.lists(some.booleans(), max_size=3).map(tuple),
    "numbers": some.lists(numbers["int64"], max_size=3).map(tuple),
    "names": some.dictionaries(texts, texts, max_size=3),
    "blobs": some.dictionaries(texts, some.binary(max_size=3), max_size=3),
    "counts": some.dictionaries(texts, numbers["int32"], max_size=3),
}
messages: some.SearchStrategy[Every] = some.recursive(
    some.builds(Every, **flat),
    lambda inner: some.builds(
        Every, **flat, inside=some.none() | inner, insides=some.lists(inner, max_size=2).map(tuple)
    ),
    max_leaves=4,
)


@given(messages)
def test_a_message_goes_through_bytes_unchanged(message: Every) -> None:
    assert Every.decode(message.encode()) == message


@given(messages)
def test_google_reads_what_is_written(message: Every) -> None:
    assert ours(GOOGLES.FromString(message.encode())) == message


@given(messages)
def test_what_google_writes_is_read(message: Every) -> None:
    written: bytes = GOOGLES.FromString(message.encode()).SerializeToString(deterministic=True)
    assert Every.decode(written) == message
    assert len(written) == len(message.encode())


@given(messages, messages)
def test_two_copies_are_merged_as_google_merges_them(first: Every, second: Every) -> None:
    both = Every(inside=first).encode() + Every(inside=second).encode()
    assert Every.decode(both) == ours(GOOGLES.FromString(both))


pieces = some.binary(min_size=1, max_size=1) | messages.map(Every.encode) | some.binary(max_size=4)


@given(some.lists(pieces, max_size=8).map(b"".join))
@example(b"\x63\x6a\x01a\x64")  # a field with a length in a group
@example(b"\x63\x08\x01\x64")  # a group
@example(b"\x63\x6b\x6c\x64")  # a group in a group
@example(b"\x63\x6b\x64")  # groups that are not closed as they were opened
@example(b"\x63")
@example(b"\x61\x01\x02\x03\x04\x05\x06\x07\x08")  # 64 bits
@example(b"\x65\x01\x02\x03")  # 32 bits, cut short
@example(b"\x88\x00\x01")  # a tag longer than it has to be
@example(b"\x88\x80\x80\x80\x80\x00\x01")  # and one that is too long
@example(b"\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f")  # more than 64 bits
@example(b"\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
@example(b"\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")  # -1
@example(b"\x20\xff\xff\xff\xff\x7f")  # more than 32 bits
@example(b"\x18\x80\x02")  # a truth that is 256
@example(b"\x60\x01\x62\x02\x02\x03\x60\x04")  # numbers packed, and not
@example(b"\x72\x00\x72\x02\x0a\x00")  # pairs without a value
@example(b"\x00\x01")  # no field has the number 0
def test_any_bytes_are_read_as_google_reads_them(data: bytes) -> None:
    try:
        expected = ours(GOOGLES.FromString(data))
    except DecodeError:
        return  # what Google refuses may be a text that is no UTF-8
    assert Every.decode(data) == expected


@given(some.lists(pieces, max_size=8).map(b"".join))
def test_bytes_that_are_refused_raise_one_error(data: bytes) -> None:
    with suppress(ProtocolViolated):
        assert Every.decode(Every.decode(data).encode()) == Every.decode(data)


REFUSED = [
    (b"\x0a", "is truncated"),
    (b"\x0a\x02a", "is truncated"),
    (b"\x28\x80", "is truncated"),
    (b"\x65\x01\x02\x03", "is truncated"),
    (b"\x62\x01\x80", "is truncated"),
    (b"\x63\x08", "is truncated"),
    (b"\x28" + b"\xff" * 10 + b"\x01", "has a varint of more than 64 bits"),
    (b"\x00\x01", "has an invalid field number"),
    (b"\x88\x80\x80\x80\x80\x00\x01", "has an invalid field number"),
    (b"\x63\x6b\x64", "has an invalid wire type"),
    (b"\x64", "has an invalid wire type"),
    (b"\x66", "has an invalid wire type"),
    (b"\x63" * (MAX_DEPTH + 1), "has an invalid wire type"),
    (b"\x62\x81\x80\x10" + b"\x01" * 262_145, "has more than 250000 parts"),
    (b"\x6a\x00" * (MAX_PARTS + 1), "has more than 250000 parts"),
]


@pytest.mark.parametrize(("data", "how"), REFUSED, ids=[how + data[:4].hex() for data, how in REFUSED])
def test_malformed_bytes_are_refused(data: bytes, how: str) -> None:
    with pytest.raises(ProtocolViolated, match=f"^a protobuf message {how}$"):
        Every.decode(data)


UNKNOWN = {
    "a varint": b"\x60\x80\x01",
    "eight bytes": b"\x61" + bytes(8),
    "four bytes": b"\x65" + bytes(4),
    "bytes": b"\x62\x03abc",
    "an empty group": b"\x63\x64",
    "a group of fields": b"\x63\x60\x01\x62\x01a\x64",
    "a group in a group": b"\x63\x6b\x61" + bytes(8) + b"\x6c\x64",
}


@pytest.mark.parametrize("unknown", UNKNOWN.values(), ids=UNKNOWN)
def test_unknown_fields_are_skipped(unknown: bytes) -> None:
    assert Lone.decode(unknown + b"\x0a\x01a" + unknown) == Lone(text="a")


def test_all_kinds_of_fields_go_through_bytes_unchanged() -> None:
    message = Every(truths=(True, False), numbers=(1, -1), names={"a": "b", "c": "d"}, insides=(Every(),))
    assert Every.decode(message.encode()) == message
    assert Every.decode(Every(numbers=()).encode()) == Every()


def test_two_copies_of_a_message_are_merged() -> None:
    first, second = Every(inside=Every(text="a", numbers=(1,))), Every(inside=Every(text="b", numbers=(2,)))
    assert Every.decode(first.encode() + second.encode()).inside == Every(text="b", numbers=(1, 2))


def test_messages_are_not_nested_without_end() -> None:
    message = Every()
    for _ in range(MAX_DEPTH):
        message = Every(inside=message)
    assert Every.decode(message.encode()) == message
    with pytest.raises(ProtocolViolated, match="nested more than 100 deep"):
        Every.decode(Every(inside=message).encode())


def test_a_text_that_is_no_utf8_goes_through_unchanged() -> None:
    data = b"\x0a\x03a\xff\xfe"
    assert Every.decode(data) == Every(text="a\udcff\udcfe")
    assert Every(text="a\udcff\udcfe").encode() == data
    with pytest.raises(ValueError, match="surrogates not allowed"):
        Every(text="\ud800").encode()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"int32": 1 << 31}, "2147483648 is not from -2147483648 to 2147483647"),
        ({"uint32": -1}, "-1 is not from 0 to 4294967295"),
        ({"numbers": (1 << 63,)}, "9223372036854775808 is not from"),
        ({"counts": {"a": 1 << 31}}, "2147483648 is not from"),
    ],
)
def test_an_integer_that_does_not_fit_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Every(**values).encode()


def test_a_message_of_one_field_is_a_message() -> None:
    assert Lone.decode(Lone("a").encode()) == Lone("a")
    assert Lone.decode(Every(text="a", int64=5).encode()) == Lone("a")
    assert Lone().encode() == b""
