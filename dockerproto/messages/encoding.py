"""Messages and results as JSON, decoded BuildKit traces included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from msgspec import Struct
from msgspec.structs import asdict

from dockerproto.messages.text import replace_surrogates
from dockerproto.protobuf.codec import ProtoMessage
from dockerproto.redacted import Redacted


def to_json(value: Mapping[str, object] | Sequence[object] | Struct) -> bytes:
    r"""Return a message, a result, or a list of them as JSON: one line of ASCII, without a line end.

    Keys have the engine's names and order. The ``trace`` of a BuildKit message has the fields of
    `dockerproto.messages.trace.StatusResponse`, without those that are zero or empty; its bytes are text,
    where bytes that are not UTF-8 are replaced by U+FFFD. The engine's own form of the trace stays in
    ``aux``, so `message_text`, `build_result` and ``Tracker.feed`` accept a message that was read back.
    A result has its fields, as `BuildResult` and the others list them.

    >>> to_json({"stream": "hello\n"})
    b'{"stream": "hello\\n"}'

    Raises:
        TypeError: The value is neither JSON nor a type of this library.
    """
    import json  # noqa: PLC0415  # no client needs it

    return json.dumps(value, default=_jsonable).encode("ascii")


def _jsonable(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, ProtoMessage):
        return {name: _field(part) for name, part in asdict(value).items() if part}
    if isinstance(value, Struct) and not isinstance(value, Redacted):  # credentials stay secret
        return asdict(value)
    raise TypeError(f"cannot encode {type(value).__name__} as JSON")


def _field(value: object) -> object:
    """Return the value of a field of protobuf; a str of it may have surrogates, which JSON forbids."""
    if isinstance(value, str):
        return replace_surrogates(value)
    if isinstance(value, tuple):
        return [_field(each) for each in cast("tuple[object, ...]", value)]  # repeated fields are tuples
    return value
