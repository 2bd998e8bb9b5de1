"""Filters: one shape on the wire whatever was given, and a warning that names its caller."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Coroutine, Iterator
from enum import StrEnum
from types import MappingProxyType
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dockerproto import AsyncImages, DockerError, Images
from dockerproto.client import Client
from dockerproto.credentials.source import CredentialsLookup
from dockerproto.request.filters import encode_filters, repeated_filter


class Kind(StrEnum):
    """A str of another type."""

    CACHE = "exec.cachemount"


def _values() -> Iterator[str]:
    yield from ("a", "b")


@pytest.mark.parametrize(
    ("filters", "encoded"),
    [
        pytest.param(None, None, id="none"),
        pytest.param({}, None, id="no filter"),
        pytest.param({"dangling": True}, '{"dangling":["true"]}', id="true"),
        pytest.param({"dangling": False}, '{"dangling":["false"]}', id="false"),
        pytest.param({"stars": 3}, '{"stars":["3"]}', id="int"),
        pytest.param({"stars": -1}, '{"stars":["-1"]}', id="negative"),
        pytest.param({"reference": "busybox:*"}, '{"reference":["busybox:*"]}', id="str"),
        pytest.param({"reference": ""}, '{"reference":[""]}', id="empty str"),
        pytest.param({"type": Kind.CACHE}, '{"type":["exec.cachemount"]}', id="enum"),
        pytest.param({"label": ["a", "b=c"]}, '{"label":["a","b=c"]}', id="list"),
        pytest.param({"label": ("a", True, 0)}, '{"label":["a","true","0"]}', id="tuple"),
        pytest.param({"label": _values()}, '{"label":["a","b"]}', id="generator"),
        pytest.param({"label": {"a": 1, "b": 2}.keys()}, '{"label":["a","b"]}', id="view"),
        pytest.param({"label": frozenset({"a"})}, '{"label":["a"]}', id="set"),
        pytest.param({"inuse": []}, '{"inuse":[]}', id="empty list"),
        pytest.param(MappingProxyType({"until": "10m"}), '{"until":["10m"]}', id="another mapping"),
        pytest.param({"label!": 'say "x"'}, '{"label!":["say \\"x\\""]}', id="quotes"),
        pytest.param({"label": "\u00fc\u2603"}, '{"label":["\u00fc\u2603"]}', id="non-ascii"),
        pytest.param({"b": "2", "a": 1}, '{"b":["2"],"a":["1"]}', id="several"),
    ],
)
def test_the_shape_on_the_wire(filters: Any, encoded: str | None) -> None:
    assert encode_filters(filters) == encoded


@pytest.mark.parametrize(
    ("filters", "name"),
    [
        ({"label": "a"}, None),
        ({"label": ["a"], "dangling": True, "until": []}, None),
        ({"dangling": True, "label": ["a", "b"]}, "label"),
        ({"label": "a", "label!": "b"}, "label"),
        ({"label!": ("a", "b")}, "label"),
        ({"reference": {"a", "b"}}, "reference"),
    ],
)
def test_filters_that_have_several_values(filters: Any, name: str | None) -> None:
    assert repeated_filter(encode_filters(filters) or "") == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("{}", None),
        ('{"a":{"x":true}}', None),
        ('{"a":{"x":true,"y":true}}', "a"),
        ('{"a":5,"b":"xy"}', None),
    ],
)
def test_the_old_shape_of_filters_has_several_values_too(text: str, name: str | None) -> None:
    assert repeated_filter(text) == name


ONE_VALUE = st.one_of(st.booleans(), st.integers(), st.text(st.characters(exclude_categories=["Cs"])))


@settings(deadline=None)
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.lists(ONE_VALUE), min_size=1))
def test_the_shape_is_always_lists_of_texts(filters: dict[str, list[bool | int | str]]) -> None:
    decoded = json.loads(encode_filters(filters) or "")
    words = {True: "true", False: "false"}
    expected = {
        name: [words[each] if isinstance(each, bool) else str(each) for each in values]
        for name, values in filters.items()
    }
    assert decoded == expected


@pytest.mark.parametrize("filters", [5, True, ["dangling"], {"dangling"}, b"{}", 1.5], ids=repr)
def test_filters_that_are_none(filters: Any) -> None:
    with pytest.raises(TypeError, match=f"^filters must be a mapping, not {type(filters).__name__}$"):
        encode_filters(filters)


@pytest.mark.parametrize("value", [None, 1.5, b"x", {"a": True}, object()], ids=lambda v: type(v).__name__)
def test_a_value_that_is_none(value: Any) -> None:
    kind = type(value).__name__
    with pytest.raises(
        TypeError, match=f"^filter 'x' must be a str, bool, int or several of them, not {kind}$"
    ):
        encode_filters({"x": value})


@pytest.mark.parametrize("value", [None, 1.5, b"x", ["a"], {"a": True}], ids=lambda v: type(v).__name__)
def test_one_of_several_values_that_is_none(value: Any) -> None:
    with pytest.raises(
        TypeError, match=f"^a value of filter 'x' must be a str, bool or int, not {type(value).__name__}$"
    ):
        encode_filters({"x": ["a", value]})


class NoEngine(DockerError):
    """Raised when something would have been sent."""


class NoClient:
    """A client that sends nothing."""

    credentials = CredentialsLookup(None)

    def begin(self, *_: object) -> None:
        raise NoEngine(0, "sent")


CLIENT = cast("Client", NoClient())


def listed_async(filters: Any) -> None:
    cast("Coroutine[Any, Any, Any]", AsyncImages(CLIENT).list(filters=filters)).close()


def listed_blocking(filters: Any) -> None:
    with pytest.raises(NoEngine):
        Images(CLIENT).list(filters=filters)


FACADES = pytest.mark.parametrize("listed", [listed_async, listed_blocking])


@FACADES
@pytest.mark.parametrize("text", ['{"dangling":["true"]}', '{"label":{"a":true}}', "{}", ""])
def test_a_text_is_deprecated_where_it_was_written(listed: Callable[[Any], None], text: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        listed(text)
    assert [(each.category, each.filename) for each in caught] == [(DeprecationWarning, __file__)]
    assert str(caught[0].message) == "filters as a JSON string are deprecated; pass a mapping"


@FACADES
@pytest.mark.parametrize("filters", [None, {}, {"dangling": True}], ids=repr)
def test_a_mapping_is_not(listed: Callable[[Any], None], filters: Any) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        listed(filters)
    assert caught == []


@pytest.mark.filterwarnings("ignore:filters as a JSON string:DeprecationWarning")
@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ('{"dangling":["true"]}', '{"dangling":["true"]}'),
        ('{"label": {"a": true}}', '{"label": {"a": true}}'),
        ("{}", "{}"),
        ("", None),
    ],
)
def test_a_text_is_passed_through(text: str, encoded: str | None) -> None:
    assert encode_filters(text) == encoded


@pytest.mark.filterwarnings("ignore:filters as a JSON string:DeprecationWarning")
@pytest.mark.parametrize("text", ["dangling=true", "[]", '"x"', "5", "{", "{'a': 1}", "null", " "])
def test_a_text_that_is_no_object(text: str) -> None:
    with pytest.raises(ValueError, match=r"^filters must be a JSON object: "):
        encode_filters(text)
