"""Constructors of operations, one per kind of response: decoders by status, then what makes the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from os import PathLike
from typing import Any, Final, TypeVar

from dockerproto.errors import ProtocolViolated
from dockerproto.messages.decoding import (
    ArchiveBody,
    Decoder,
    Decoders,
    Document,
    Messages,
    MissingImage,
    Value,
)
from dockerproto.messages.empty_fields import NONE, EmptyFields, fill
from dockerproto.messages.models import Message
from dockerproto.messages.reduce import Reducer
from dockerproto.messages.results import MessageList
from dockerproto.operations.operation import (
    Call,
    Downloaded,
    Reduced,
    Reported,
    Saved,
    Streamed,
    Whole,
)
from dockerproto.request.control_call import AnyRequest
from dockerproto.request.request import Request

T = TypeVar("T")
R = TypeVar("R")

_JSON: Final[Mapping[type, str]] = {dict: "JSON object", list: "JSON array"}
_OK: Final = 200
_CREATED: Final = 201
_NOT_FOUND: Final = 404

_DOCUMENT: Final[Decoders[Any]] = {_OK: Document}
_STREAM: Final[Decoders[Any]] = {_OK: Messages}
_ARCHIVE: Final[Decoders[bytes]] = {_OK: lambda _: ArchiveBody()}
# Engines from 24.0 on respond with 200 to a tag that they did not create.
_CREATION: Final[Decoders[bool]] = {_CREATED: lambda _: Value(value=True)}
_EXISTENCE: Final[Decoders[bool]] = {_OK: lambda _: Value(value=True), _NOT_FOUND: lambda _: MissingImage()}


def json_object(request: Request, fields: EmptyFields = NONE) -> Call[Any]:
    """Return an operation whose result is one JSON object, with its empty fields."""
    return _call(request, _DOCUMENT, partial(_object, fields))


def converted(request: Request, convert: Callable[[dict[str, Any]], T]) -> Call[T]:
    """Return an operation whose result is made of one JSON object."""
    return _call(request, _DOCUMENT, lambda items: convert(_object(NONE, items)))


def json_list(
    request: Request, fields: EmptyFields = NONE, make_list: Callable[[list[Any]], list[Any]] = list
) -> Call[Any]:
    """Return an operation whose result is a list of JSON objects, with their empty fields."""
    return _call(request, _DOCUMENT, partial(_objects, fields, make_list))


def created(request: Request) -> Call[bool]:
    """Return an operation whose result is True if it created something."""
    return _call(request, _CREATION, _first)


def existence(request: Request) -> Call[bool]:
    """Return an operation whose result is True if an image exists."""
    return _call(request, _EXISTENCE, _first)


def archive(request: Request) -> Downloaded:
    """Return an operation whose result is a tar."""
    return Downloaded(request, _ARCHIVE)


def saved(download: Downloaded, path: str | PathLike[str]) -> Call[int]:
    """Return an operation that saves a tar to a file, and whose result is its size."""
    return Call(Saved(download, path), _unchanged)


def streamed(request: Request) -> Streamed[Any]:
    """Return an operation whose result is a stream of JSON objects."""
    return Streamed(request, _STREAM)


def progress(
    request: AnyRequest,
    stream: bool,
    make_reducer: Callable[[], Reducer[R]],
    decoder: Callable[[int], Decoder[Message]] = Messages,
) -> Call[MessageList[R]] | Reported[R]:
    """Return an operation whose result is messages, in a stream or in a list; either has their result."""
    messages = Reported(request, {_OK: decoder}, make_reducer)
    return messages if stream else Call(messages, _unchanged)


def reduced(
    request: AnyRequest, make_reducer: Callable[[], Reducer[R]], decoder: Callable[[int], Decoder[Message]]
) -> Call[R]:
    """Return an operation whose result is that of its messages, which are not kept."""
    return Call(Reduced(Reported(request, {_OK: decoder}, make_reducer)), _unchanged)


def _call(request: Request, decoders: Decoders[Any], finish: Callable[[list[Any]], T]) -> Call[T]:
    return Call(Whole(request, decoders), finish)


def _unchanged(items: Any) -> Any:
    return items


def _first(items: list[Any]) -> Any:
    return items[0]


def _object(fields: EmptyFields, items: list[Any]) -> Any:
    return _fill(fields, items)[0]


def _objects(fields: EmptyFields, make_list: Callable[[list[Any]], list[Any]], items: list[Any]) -> Any:
    # Docker up to API 1.42 and Podman give null for an empty list.
    return make_list(_fill(fields, _check_type([] if items[0] is None else items[0], list)))


def _fill(fields: EmptyFields, documents: list[Any]) -> list[Any]:
    for each in documents:
        if not isinstance(each, dict):
            raise _wrong_type(each, dict)
    fill(documents, fields)
    return documents


def _check_type(value: Any, expected: type) -> Any:
    if not isinstance(value, expected):
        raise _wrong_type(value, expected)
    return value


def _wrong_type(value: Any, expected: type) -> ProtocolViolated:
    return ProtocolViolated(0, f"the response must be a {_JSON[expected]}, not {value!r:.200}")
