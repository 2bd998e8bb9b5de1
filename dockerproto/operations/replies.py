"""How the answers of operations are read: a decoder for the status of success, then a finish."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from dockerproto.errors import ProtocolViolated
from dockerproto.messages.decoding import Archive, Decoder, Decoders, Document, Messages, Missing, Value
from dockerproto.messages.models import Message, fill_lists
from dockerproto.messages.reduce import Reducer
from dockerproto.operations.operation import Call, Downloaded, Reported, Whole
from dockerproto.request.request import Request

T = TypeVar("T")
R = TypeVar("R")

_JSON: Final[Mapping[type, str]] = {dict: "JSON object", list: "JSON array"}
_OK: Final = 200
_CREATED: Final = 201
_NOT_FOUND: Final = 404

_DOCUMENT: Final[Decoders[Any]] = {_OK: lambda _: Document()}
_ARCHIVE: Final[Decoders[bytes]] = {_OK: lambda _: Archive()}
# Engines from 24.0 on answer 200 to a tag that they did not make.
_MADE: Final[Decoders[bool]] = {_CREATED: lambda _: Value(value=True)}
_FOUND: Final[Decoders[bool]] = {_OK: lambda _: Value(value=True), _NOT_FOUND: lambda _: Missing()}


def json_object(request: Request) -> Call[Any]:
    """Return an operation that answers with one JSON object."""
    return _call(request, _DOCUMENT, _object)


def json_list(request: Request) -> Call[Any]:
    """Return an operation that answers with a list of JSON objects."""
    return _call(request, _DOCUMENT, _objects)


def created(request: Request) -> Call[bool]:
    """Return an operation that answers that it created something."""
    return _call(request, _MADE, _first)


def existence(request: Request) -> Call[bool]:
    """Return an operation that answers whether an image is there."""
    return _call(request, _FOUND, _first)


def archive(request: Request) -> Downloaded:
    """Return an operation that answers with a tar."""
    return Downloaded(request, _ARCHIVE)


def progress(
    request: Request,
    stream: bool,
    fold: Callable[[], Reducer[R]],
    decoder: Callable[[int], Decoder[Message]] = Messages,
) -> Call[list[Message]] | Reported[R]:
    """Return an operation that answers with messages, as they come or in a list, and folds them."""
    messages = Reported(request, {_OK: decoder}, fold)
    return messages if stream else Call(messages, list)


def _call(request: Request, decoders: Decoders[Any], finish: Callable[[list[Any]], T]) -> Call[T]:
    return Call(Whole(request, decoders), finish)


def _first(items: list[Any]) -> Any:
    return items[0]


def _object(items: list[Any]) -> Any:
    return _filled(items)[0]


def _objects(items: list[Any]) -> Any:
    # Docker up to API 1.42 and Podman give null for an empty list.
    return _filled(_typed([] if items[0] is None else items[0], list))


def _filled(documents: list[Any]) -> list[Any]:
    for each in documents:
        if not isinstance(each, dict):
            raise _mistyped(each, dict)
    fill_lists(documents)
    return documents


def _typed(value: Any, expected: type) -> Any:
    if not isinstance(value, expected):
        raise _mistyped(value, expected)
    return value


def _mistyped(value: Any, expected: type) -> ProtocolViolated:
    return ProtocolViolated(0, f"the answer is no {_JSON[expected]}: {value!r:.200}")
