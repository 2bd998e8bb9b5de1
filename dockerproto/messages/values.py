"""Values of an engine's JSON, which may have any type: read as the expected type, or as a default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from dockerproto.errors import ProtocolViolated
from dockerproto.messages.trace import TRACE, StatusResponse, decode_trace

_MAXIMUM: Final = 2**63 - 1


def text_of(value: object) -> str:
    """Return a value if it is a str, otherwise an empty str."""
    return value if isinstance(value, str) else ""


def number_of(value: object) -> int:
    """Return a value if it is a positive 64-bit int, otherwise 0."""
    return value if type(value) is int and 0 < value <= _MAXIMUM else 0


def object_of(value: object) -> dict[str, Any]:
    """Return a value if it is a JSON object, otherwise an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}  # keys of JSON are str


def readable(text: str) -> str:
    """Return a text of protobuf with its bytes that are not UTF-8 replaced."""
    return text.encode(errors="surrogateescape").decode(errors="replace")


def trace_of(message: Mapping[str, object]) -> StatusResponse | None:
    """Return the trace of a message, decoded if it is not yet; None if it has none or it is malformed."""
    trace = message.get("trace")
    if isinstance(trace, StatusResponse):
        return trace
    if message.get("id") != TRACE:
        return None
    try:
        return decode_trace(message.get("aux"))
    except ProtocolViolated:
        return None
