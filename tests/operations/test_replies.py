"""Responses of the wrong shape."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dockerproto.errors import ProtocolViolated
from dockerproto.operations.replies import json_list, json_object
from dockerproto.request.request import Request

NO_OBJECTS: list[Any] = [None, [], "x", 5, True]


@pytest.mark.parametrize("value", NO_OBJECTS, ids=repr)
def test_an_answer_that_is_no_object(value: object) -> None:
    operation = json_object(Request(method="GET", path="/x"))
    with pytest.raises(ProtocolViolated) as caught:
        operation.finish([value])
    assert caught.value.message == f"the response must be a JSON object, not {value!r}"


@pytest.mark.parametrize("value", [{}, "x", 5, False], ids=repr)
def test_an_answer_that_is_no_list(value: object) -> None:
    operation = json_list(Request(method="GET", path="/x"))
    with pytest.raises(ProtocolViolated) as caught:
        operation.finish([value])
    assert caught.value.message == f"the response must be a JSON array, not {value!r}"


@pytest.mark.parametrize("value", NO_OBJECTS, ids=repr)
def test_an_answer_that_is_a_list_of_something_else(value: object) -> None:
    operation = json_list(Request(method="GET", path="/x"))
    with pytest.raises(ProtocolViolated) as caught:
        operation.finish([[{}, value]])
    assert caught.value.message == f"the response must be a JSON object, not {value!r}"


def test_an_answer_is_quoted_in_part() -> None:
    operation = json_object(Request(method="GET", path="/x"))
    with pytest.raises(ProtocolViolated) as caught:
        operation.finish([json.loads(json.dumps(["x" * 1000]))])
    assert len(caught.value.message) == len("the response must be a JSON object, not ") + 200
