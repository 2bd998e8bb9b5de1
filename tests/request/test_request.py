"""Requests as data: how values are put on the wire, and what an API version has."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Callable
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dockerproto.arguments import json_text, strings
from dockerproto.credentials.credentials import Credentials
from dockerproto.errors import UnsupportedEngine, UnsupportedVersion
from dockerproto.request.dialect import Podman, podman_version
from dockerproto.request.parameters import (
    NotOnPodman,
    Parameter,
    any_parameter,
    flag,
    mapping_json,
    number,
    platform_json,
    switch,
    text,
    texts,
)
from dockerproto.request.request import TAR, Request
from dockerproto.sources import check_source
from dockerproto.timeouts import DEFAULT
from dockerproto.versions import OLDEST, Version

V141, V147, V148 = Version(1, 41), Version(1, 47), Version(1, 48)
V43 = Version(4, 3)


@pytest.mark.parametrize(
    ("value", "pairs"),
    [
        (None, []),
        (False, []),
        ((), []),
        (True, [("x", "1")]),
        (0, [("x", "0")]),
        (-1, [("x", "-1")]),
        (2**63, [("x", "9223372036854775808")]),
        ("", [("x", "")]),
        ("a b", [("x", "a b")]),
        ("0", [("x", "0")]),
        (("a",), [("x", "a")]),
        (("a", "", "b,c"), [("x", "a"), ("x", ""), ("x", "b,c")]),
    ],
    ids=repr,
)
def test_a_parameter_as_pairs(value: Any, pairs: list[tuple[str, str]]) -> None:
    assert list(Parameter("x", value).pairs(OLDEST)) == pairs


@pytest.mark.parametrize("value", [True, 0, "", "a", ("a", "b")], ids=repr)
def test_a_parameter_that_does_not_exist_yet(value: Any) -> None:
    parameter = Parameter("x", value, since=V148)
    assert list(parameter.pairs(V148)) == list(Parameter("x", value).pairs(OLDEST))
    with pytest.raises(UnsupportedVersion) as caught:
        list(parameter.pairs(V147))
    assert caught.value.message == "parameter 'x' needs API 1.48, but API 1.47 is in use"


@pytest.mark.parametrize("value", [None, False, ()], ids=repr)
def test_a_parameter_that_is_not_sent_need_not_exist(value: Any) -> None:
    assert list(Parameter("x", value, since=V148).pairs(OLDEST)) == []


@pytest.mark.parametrize(
    ("spoken", "name"), [(OLDEST, "old"), (V147, "old"), (V148, "new"), (Version(1, 100), "new")], ids=str
)
def test_a_parameter_that_was_renamed(spoken: Version, name: str) -> None:
    parameter = Parameter("new", 5, since=V148, formerly="old")
    assert list(parameter.pairs(spoken)) == [(name, "5")]


@pytest.mark.parametrize("value", ["b", None, False, (), ("c", "d")], ids=repr)
def test_a_parameter_that_podman_wants_in_another_form(value: Any) -> None:
    parameter = Parameter("x", ("a",), for_podman=value)
    assert list(parameter.pairs(OLDEST)) == [("x", "a")]
    assert list(parameter.pairs(OLDEST, podman=V43)) == list(Parameter("x", value).pairs(OLDEST))


@pytest.mark.parametrize(
    ("value", "variables", "pairs"),
    [
        (None, {"X": "b"}, [("x", "b")]),
        ("a", {"X": "b"}, [("x", "a")]),
        (None, {"X": ""}, []),
        (None, {}, []),
    ],
)
def test_a_parameter_that_the_environment_says(
    value: str | None, variables: dict[str, str], pairs: list[tuple[str, str]]
) -> None:
    parameter = Parameter("x", value, variable="X")
    assert list(parameter.pairs(OLDEST, environment=variables.get)) == pairs
    assert list(parameter.pairs(OLDEST, podman=V43, environment=variables.get)) == pairs


@pytest.mark.parametrize(
    ("since", "podman", "message"),
    [
        (None, Version(99, 0), "Podman does not sing"),
        (Version(5, 4), Version(0, 0), "Podman before 5.4 does not sing"),
        (Version(5, 4), Version(5, 3), "Podman before 5.4 does not sing"),
        (Version(5, 4), Version(5, 4), None),
        (Version(5, 4), Version(5, 10), None),
        (None, None, None),
    ],
)
def test_an_ability_that_podman_lacks(
    since: Version | None, podman: Version | None, message: str | None
) -> None:
    parameter = Parameter("x", "a", for_podman=NotOnPodman("sing", since))
    assert parameter.differs
    if message is None:
        assert list(parameter.pairs(OLDEST, podman=podman)) == [("x", "a")]
        return
    with pytest.raises(UnsupportedEngine) as caught:
        parameter.pairs(OLDEST, podman=podman)
    assert caught.value.message == message


PODMANS: list[tuple[str | None, Podman]] = [
    (None, False),
    ("4.3.1", V43),
    ("5.10.0-dev", Version(5, 10)),
    ("", Version(0, 0)),
    ("v5", Version(0, 0)),
]


@pytest.mark.parametrize(("header", "version"), PODMANS)
def test_the_version_of_podman(header: str | None, version: Podman) -> None:
    assert podman_version(header) == version


def test_a_parameter_that_podman_wants_in_the_same_form() -> None:
    request = Request(method="GET", path="/x", query=(Parameter("a", True), Parameter("b", ("c", "d"))))
    assert request.target(V141, podman=V43) == request.target(V141)


@pytest.mark.parametrize(
    ("request_", "target"),
    [
        (Request(method="GET", path="/images/json"), "/v1.41/images/json"),
        (Request(method="GET", path="/_ping", versioned=False), "/_ping"),
        (Request(method="GET", path="/x", query=(Parameter("a", None), Parameter("b", False))), "/v1.41/x"),
        (Request(method="GET", path="/x", query=(Parameter("a", True),)), "/v1.41/x?a=1"),
        (
            Request(method="GET", path="/x", query=(Parameter("b", "2"), Parameter("a", ("1", "2")))),
            "/v1.41/x?b=2&a=1&a=2",
        ),
        (
            Request(method="GET", path="/x", query=(Parameter("a-b", "c d&e=f+g/h:\u00fc%;?#"),)),
            "/v1.41/x?a-b=c+d%26e%3Df%2Bg%2Fh%3A%C3%BC%25%3B%3F%23",
        ),
        (Request(method="GET", path="/x", query=(Parameter("a", "b"),), versioned=False), "/x?a=b"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_targets(request_: Request, target: str) -> None:
    assert request_.target(V141) == target


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["t", "q-x"]), st.text(st.characters(exclude_categories=["Cs"])))))
def test_any_text_survives_the_query(pairs: list[tuple[str, str]]) -> None:
    query = tuple(Parameter(name, value) for name, value in pairs)
    target = Request(method="GET", path="/x", query=query).target(V141)
    assert target.isascii()
    assert not set(target) & set(' \r\n\t;#"<>')
    assert parse_qsl(urlsplit(target).query, keep_blank_values=True, strict_parsing=bool(pairs)) == pairs


def test_an_operation_that_does_not_exist_yet() -> None:
    request = Request(method="POST", path="/build/prune", since=Version(1, 31))
    assert request.target(Version(1, 31)) == "/v1.31/build/prune"
    with pytest.raises(UnsupportedVersion) as caught:
        request.target(Version(1, 30))
    assert caught.value.message == "POST /build/prune needs API 1.31, but API 1.30 is in use"


def test_headers() -> None:
    request = Request(method="POST", path="/x", headers=(TAR,), auth=Credentials(registrytoken="t"))
    assert request.all_headers() == [
        ("Content-Type", "application/x-tar"),
        ("X-Registry-Auth", "eyJyZWdpc3RyeXRva2VuIjoidCJ9"),
    ]
    assert Request(method="POST", path="/x", auth=Credentials()).all_headers() == [
        ("X-Registry-Auth", "e30=")
    ]
    assert Request(method="POST", path="/x").all_headers() == []


def test_a_request_is_data() -> None:
    request = Request(method="GET", path="/x", query=(Parameter("a", 1),))
    assert request == Request(method="GET", path="/x", query=(Parameter("a", 1),))
    assert request != Request(method="GET", path="/x", query=(Parameter("a", 2),))
    assert (request.body, request.timeout, request.pace, request.since) == (None, DEFAULT, "reading", OLDEST)
    with pytest.raises(AttributeError):
        request.path = "/y"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]  # what is tested


def test_flags() -> None:
    assert flag("force", value=True) == Parameter("force", value=True)
    assert flag("force", value=False, since=V148) == Parameter("force", value=False, since=V148)
    assert (switch("rm", value=True), switch("rm", value=False)) == (
        Parameter("rm", "1"),
        Parameter("rm", "0"),
    )


@pytest.mark.parametrize("value", [None, 0, 1, "1", "true", b"", []], ids=repr)
@pytest.mark.parametrize("make", [flag, switch])
def test_a_flag_that_is_none(make: Callable[[str, Any], Parameter], value: Any) -> None:
    with pytest.raises(TypeError, match=f"^rm must be a bool, not {type(value).__name__}$"):
        make("rm", value)


@pytest.mark.parametrize("value", [None, 0, 5, -1, 2**70])
def test_numbers(value: int | None) -> None:
    assert number("memory", value) == Parameter("memory", value)
    assert number("a", value, since=V148, formerly="b") == Parameter("a", value, V148, "b")


@pytest.mark.parametrize("value", [True, False, 1.0, "1", b"1", [1]], ids=repr)
def test_a_number_that_is_none(value: Any) -> None:
    with pytest.raises(TypeError, match=f"^memory must be an int, not {type(value).__name__}$"):
        number("memory", value)


@pytest.mark.parametrize("value", [None, "", "x", "\u2603"], ids=repr)
def test_texts_alone(value: str | None) -> None:
    assert text("target", value, since=V148) == Parameter("target", value, V148)


@pytest.mark.parametrize("value", [5, True, b"x", ["x"], PurePosixPath("x")], ids=repr)
def test_a_text_that_is_none(value: Any) -> None:
    with pytest.raises(TypeError, match=f"^target must be a str, not {type(value).__name__}$"):
        text("target", value)


@pytest.mark.parametrize(
    ("values", "several"),
    [
        (None, ()),
        ("a,b", ("a,b",)),
        ("", ("",)),
        ([], ()),
        (["a", "b"], ("a", "b")),
        (("b", "a"), ("b", "a")),
        ({"a": 1, "b": 2}, ("a", "b")),
    ],
    ids=repr,
)
def test_several_texts(values: Any, several: tuple[str, ...]) -> None:
    assert strings("t", values) == several
    assert texts("t", values, since=V148) == Parameter("t", several, V148)


def test_several_texts_may_come_one_by_one() -> None:
    assert strings("t", iter(["a", "b"])) == ("a", "b")


@pytest.mark.parametrize("values", [5, True, 1.5, object()], ids=lambda value: type(value).__name__)
def test_several_texts_that_are_none(values: Any) -> None:
    with pytest.raises(
        TypeError, match=f"^tag must be a str or an iterable of str, not {type(values).__name__}$"
    ):
        texts("t", values, "tag")


@pytest.mark.parametrize(
    ("values", "wrong"),
    [(b"ab", "int"), ([1], "int"), (["a", None], "NoneType"), ([b"a"], "bytes"), ([["a"]], "list")],
    ids=repr,
)
def test_one_of_several_texts_that_is_none(values: Any, wrong: str) -> None:
    with pytest.raises(TypeError, match=rf"^t must contain only str, not {wrong}$"):
        texts("t", values)


WRONG_KIND: list[tuple[Callable[..., Parameter], str]] = [
    (flag, "shared_size must be a bool, not object"),
    (number, "shared_size must be an int, not object"),
    (text, "shared_size must be a str, not object"),
    (texts, "shared_size must be a str or an iterable of str, not object"),
]


@pytest.mark.parametrize(("make", "message"), WRONG_KIND, ids=[make.__name__ for make, _ in WRONG_KIND])
def test_an_error_names_the_argument_of_python(make: Callable[..., Parameter], message: str) -> None:
    with pytest.raises(TypeError) as caught:
        make("shared-size", object(), "shared_size")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (None, None),
        ("x y", "x y"),
        ("", ""),
        (True, "1"),
        (False, "0"),
        (5, "5"),
        (1.5, "1.5"),
        (["a", 1], '["a",1]'),
        ({"a": True}, '{"a":true}'),
    ],
    ids=repr,
)
def test_any_parameter(value: object, sent: str | None) -> None:
    assert any_parameter("x", value) == Parameter("x", sent)


@pytest.mark.parametrize(
    ("platform", "encoded"),
    [
        (None, None),
        ("linux/amd64", '{"os":"linux","architecture":"amd64"}'),
        ("linux/arm/v7", '{"os":"linux","architecture":"arm","variant":"v7"}'),
        ("windows_x/a-b.c", '{"os":"windows_x","architecture":"a-b.c"}'),
    ],
)
def test_platforms(platform: str | None, encoded: str | None) -> None:
    assert platform_json(platform) == encoded


@pytest.mark.parametrize(
    "platform",
    [
        "",
        "linux",
        "linux/",
        "/amd64",
        "linux/arm/v7/x",
        "linux/arm/",
        "linux amd64",
        "linux/amd 64",
        "a/b\n",
        '{"os"}',
    ],
    ids=repr,
)
def test_platforms_that_are_none(platform: str) -> None:
    with pytest.raises(ValueError, match=r"^platform must be os/arch or os/arch/variant, not ") as caught:
        platform_json(platform)
    assert str(caught.value).endswith(repr(platform))


@pytest.mark.parametrize("platform", [5, b"linux/amd64", ["linux/amd64"]], ids=repr)
def test_platforms_that_are_no_text(platform: Any) -> None:
    with pytest.raises(TypeError):
        platform_json(platform)


@pytest.mark.parametrize(
    ("values", "encoded"),
    [
        (None, None),
        ({}, "{}"),
        ({"A": "1", "C": ""}, '{"A":"1","C":""}'),
        ({"\u00fc": 'say "x"'}, '{"\u00fc":"say \\"x\\""}'),
        (MappingProxyType({"A": "1"}), '{"A":"1"}'),
    ],
    ids=["none", "empty", "an empty one", "escaped", "another mapping"],
)
def test_mappings(values: Any, encoded: str | None) -> None:
    assert mapping_json("labels", values) == encoded


@pytest.mark.parametrize("values", [5, "A=1", ["A=1"], [("A", "1")]], ids=repr)
def test_mappings_that_are_none(values: Any) -> None:
    with pytest.raises(TypeError, match=f"^labels must be a mapping, not {type(values).__name__}$"):
        mapping_json("labels", values)


@pytest.mark.parametrize(
    "values", [{"A": 1}, {"A": True}, {1: "A"}, {"A": b"1"}, {"A": ["1"]}, {"A": None}], ids=repr
)
def test_mappings_of_something_else(values: Any) -> None:
    with pytest.raises(TypeError, match=r"^labels must be a mapping of str to str$"):
        mapping_json("labels", values)


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers(), st.lists, max_leaves=5))
def test_json(value: Any) -> None:
    assert json.loads(json_text(value)) == value
    assert not set(json_text(value)) & set(" \n")


async def _pieces() -> AsyncIterator[bytes]:
    yield b""


class Reader:
    """Something to read from, and no more."""

    def read(self, size: int, /) -> bytes:
        return b""


SOURCES: list[Any] = [
    b"",
    bytearray(b"x"),
    memoryview(b"x"),
    "a/path",
    PurePosixPath("a/path"),
    io.BytesIO(b"x"),
    Reader(),
    [b"x"],
    iter([b"x"]),
    _pieces(),
]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: type(source).__name__)
def test_what_can_be_uploaded(source: Any) -> None:
    assert check_source("fileobj", source) is source


@pytest.mark.parametrize(
    "source", [None, 5, True, 1.5, object(), len], ids=lambda source: type(source).__name__
)
def test_what_cannot_be_uploaded(source: Any) -> None:
    message = f"fileobj must be bytes, a path, a file or an iterable, not {type(source).__name__}"
    with pytest.raises(TypeError) as caught:
        check_source("fileobj", source)
    assert str(caught.value) == message


def test_a_secret_parameter_has_no_value_in_a_log() -> None:
    plain = Parameter("a", "x")
    assert plain.redacted() is plain
    secret = Parameter("a", "hush", for_podman="hush!", secret=True)
    assert "hush" not in repr(secret.redacted())
    assert Parameter("a", None, secret=True).redacted().value is None
