"""The exceptions: the tree as drawn, what they show, and that they survive pickling and copying."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from dockerproto import errors
from dockerproto.errors import (
    Conflict,
    DockerError,
    DockerStreamError,
    InvalidHost,
    InvalidReference,
    NotFound,
    NotFoundOrUnauthorized,
    ServerError,
    StreamNotFound,
    StreamNotFoundOrUnauthorized,
    TimedOut,
    Unauthorized,
    UnsupportedVersion,
)

CLASSES = [
    each
    for each in vars(errors).values()
    if isinstance(each, type) and issubclass(each, DockerError) and each.__module__ == errors.__name__
]
STREAM_CLASSES = [each for each in CLASSES if issubclass(each, DockerStreamError)]
PLAIN_CLASSES = [each for each in CLASSES if not issubclass(each, DockerStreamError)]

_LINE = re.compile(
    r"    (?P<bars>(?:│   |    )*)(?P<turn>├── |└── )?(?P<names>[A-Z]\w+(?:, *[A-Z]\w+)*)(?P<note>.*)"
)


def drawn() -> dict[str, set[str]]:
    """Read the drawing: the bases of each class, by name."""
    bases: dict[str, set[str]] = {}
    path: list[str] = []
    notes: dict[str, str] = {}
    drawing = (inspect.getdoc(errors) or "").split("::")[1].split("The message is the engine's own")[0]
    for line in drawing.splitlines():
        if (match := _LINE.match(line)) is None:
            assert not line.strip()
            continue
        depth = len(match["bars"]) // 4 + (match["turn"] is not None)
        parents = path[:depth]
        names = re.split(r", *", match["names"])
        path = [*parents, names[-1]]
        for name in names:
            bases[name] = {parents[-1]} if parents else {"Exception"}
            notes[name] = match["note"]
    return {name: bases[name] | _noted(name, notes[name]) for name in bases}


def _noted(name: str, note: str) -> set[str]:
    if name.startswith("Stream"):
        return {name.removeprefix("Stream")}
    return set(re.findall(r"\(an? (\w+) too\)", note))


def test_the_drawing_is_the_tree() -> None:
    assert drawn() == {each.__name__: {base.__name__ for base in each.__bases__} for each in CLASSES}


def test_the_drawing_says_that_causes_are_bases() -> None:
    assert "each is the class of its cause too" in (errors.__doc__ or "")
    assert len(STREAM_CLASSES) == 10


@pytest.mark.parametrize("name", ["status", "message", "messages", "step", "error_detail"])
def test_the_drawing_names_the_attributes(name: str) -> None:
    assert name in (errors.__doc__ or "")
    assert hasattr(DockerStreamError("m"), name)


@pytest.mark.parametrize(
    ("error", "text", "shown"),
    [
        (NotFound(404, "no such image"), "[404] no such image", "NotFound(404, 'no such image')"),
        (ServerError(0, "gone"), "gone", "ServerError(0, 'gone')"),
        (Conflict(409, ""), "[409] ", "Conflict(409, '')"),
        (DockerStreamError("failed"), "failed", "DockerStreamError(0, 'failed')"),
        (StreamNotFound("it's", status=200), "[200] it's", 'StreamNotFound(200, "it\'s")'),
        (TimedOut(0, "not done"), "not done", "TimedOut(0, 'not done')"),
    ],
    ids=repr,
)
def test_str_and_repr(error: DockerError, text: str, shown: str) -> None:
    assert str(error) == text
    assert repr(error) == shown


def test_what_was_reported_before_is_a_list_of_its_own() -> None:
    first, second = DockerError(500, "one"), DockerError(500, "two")
    assert first.messages == []
    first.messages.append({"status": "x"})
    assert second.messages == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, {"message": "failed"}),
        ({}, {"message": "failed"}),
        ({"message": "failed", "code": 3}, {"message": "failed", "code": 3}),
    ],
    ids=["none", "empty", "code"],
)
def test_error_detail(given: dict[str, Any] | None, kept: dict[str, Any]) -> None:
    assert DockerStreamError("failed", error_detail=given).error_detail == kept


def test_error_detail_is_not_the_mapping_that_was_given() -> None:
    given = {"message": "failed"}
    error = DockerStreamError("failed", error_detail=given)
    given["message"] = "changed"
    assert error.error_detail == {"message": "failed"}


def pickled(protocol: int, error: DockerError) -> Any:
    return pickle.loads(pickle.dumps(error, protocol))


DUPLICATES = [
    pytest.param(copy.copy, id="copy"),
    pytest.param(copy.deepcopy, id="deepcopy"),
    *(
        pytest.param(partial(pickled, protocol), id=f"pickle-{protocol}")
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ),
]


@pytest.mark.parametrize("duplicate", DUPLICATES)
@pytest.mark.parametrize("cls", PLAIN_CLASSES, ids=lambda cls: cls.__name__)
def test_a_duplicate_of_an_error(cls: type[DockerError], duplicate: Callable[[Any], Any]) -> None:
    error = cls(404, "no such thing")
    error.messages = [{"status": "before"}]
    same = duplicate(error)
    assert type(same) is cls
    assert (same.status, same.message, same.messages) == (404, "no such thing", [{"status": "before"}])
    assert (str(same), repr(same)) == (str(error), repr(error))


@pytest.mark.parametrize("duplicate", DUPLICATES)
@pytest.mark.parametrize("cls", STREAM_CLASSES, ids=lambda cls: cls.__name__)
def test_a_duplicate_of_a_stream_error(cls: type[DockerStreamError], duplicate: Callable[[Any], Any]) -> None:
    error = cls("step failed", error_detail={"message": "step failed", "code": 7}, status=200)
    error.messages = [{"stream": "Step 1/1"}]
    same = duplicate(error)
    assert type(same) is cls
    assert (same.status, same.message) == (200, "step failed")
    assert (same.messages, same.error_detail) == (
        [{"stream": "Step 1/1"}],
        {"message": "step failed", "code": 7},
    )


@pytest.mark.parametrize(
    ("error", "also"),
    [
        (TimedOut(0, "x"), TimeoutError),
        (InvalidHost(0, "x"), ValueError),
        (InvalidReference(0, "x"), ValueError),
        (UnsupportedVersion(400, "x"), errors.BadRequest),
        (NotFoundOrUnauthorized(404, "x"), NotFound),
        (NotFoundOrUnauthorized(404, "x"), Unauthorized),
        (StreamNotFoundOrUnauthorized("x"), NotFound),
        (StreamNotFoundOrUnauthorized("x"), Unauthorized),
        (StreamNotFoundOrUnauthorized("x"), NotFoundOrUnauthorized),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else type(value).__name__,
)
def test_an_error_is_caught_as_what_it_also_is(error: DockerError, also: type[Exception]) -> None:
    with pytest.raises(also) as caught:
        raise error
    assert caught.value is error
