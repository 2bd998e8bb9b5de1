"""The files of docker contexts: their names, and what is read of them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerproto import ContextError
from dockerproto.endpoint.contexts import (
    Stored,
    context_id,
    is_context_name,
    meta_path,
    read_current_context,
    read_meta,
    tls_path,
)


@pytest.mark.parametrize("name", ["ab", "remote", "a.b_c-d+e", "0x", "Desktop-Linux", "ab-"])
def test_a_name_that_a_context_can_have(name: str) -> None:
    assert is_context_name(name)


@pytest.mark.parametrize(
    "name", ["", "a", "default", " ", "a b", "-a", ".ab", "a/b", "../ab", "aé", "ab\n", "a\\b"]
)
def test_a_name_that_no_context_can_have(name: str) -> None:
    assert not is_context_name(name)


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("test", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
        ("é", "4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c"),
        ("\udcff", "a8100ae6aa1940d0b663bb31cd466142ebbdbd5187131b92d93818987832eb89"),
    ],
)
def test_the_directories_of_a_context(name: str, digest: str) -> None:
    assert context_id(name) == digest
    assert meta_path(name) == f"contexts/meta/{digest}/meta.json"
    assert tls_path(name) == f"contexts/tls/{digest}/docker"


def test_a_name_that_no_file_can_have() -> None:
    with pytest.raises(ContextError, match="invalid Docker context name"):
        context_id("\ud800")


@pytest.mark.parametrize(
    ("config", "current"),
    [
        ("", None),
        (" \n", None),
        ("{}", None),
        ("null", None),
        ('{"currentContext": ""}', None),
        ('{"currentContext": null}', None),
        ('{"currentContext": "x"}', "x"),
        (' \n{"currentContext": "x"} trailing', "x"),
        ('{"currentcontext": "x"}', "x"),
        ('{"CURRENTCONTEXT": "x", "currentContext": null}', "x"),
        ('{"currentContext": "x", "currentContext": "y"}', "y"),
        ('{"currentContext": "x", "auths": 5, "HttpHeaders": [{}]}', "x"),
        ('{"auths": {"r": {"auth": "!"}}, "currentContext": "x"}', "x"),
        ('{"inner": {"currentContext": "x"}}', None),
        ('{"currentContext": "\\ud800"}', "\ufffd"),
        ('{"currentContext": "default"}', "default"),
    ],
)
def test_the_current_context(config: str, current: str | None) -> None:
    assert read_current_context(config.encode()) == current


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ("{", "Expecting property name"),
        ("x", "Expecting value"),
        ("\ufeff{}", "Expecting value"),
        ('{"currentContext": "x"', "Expecting ',' delimiter"),
        ('{"currentContext": 5}', "currentContext is of another type"),
        ('{"currentContext": ["x"]}', "currentContext is of another type"),
        ("[]", "it is no JSON object"),
        ('"x"', "it is no JSON object"),
        ('{"a": NaN, "currentContext": "x"}', "NaN is no JSON"),
        ("[" * 100_000, "it is nested too deeply"),
    ],
    ids=[*range(10)],
)
def test_a_configuration_that_is_broken(config: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_current_context(config.encode())


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert read_current_context(b'{"currentContext": "\xff"}') == "\ufffd"


@pytest.mark.parametrize(
    ("meta", "stored"),
    [
        (
            '{"Name":"x","Metadata":{},"Endpoints":{"docker":{"Host":"tcp://h","SkipTLSVerify":true}}}',
            ("tcp://h", True),
        ),
        ('{"Endpoints":{"docker":{"Host":"tcp://h","SkipTLSVerify":false}}}', ("tcp://h", False)),
        ('{"Endpoints":{"docker":{"Host":"tcp://h"}}}', ("tcp://h", False)),
        ('{"endpoints":{"docker":{"host":"tcp://h","skiptlsverify":true}}}', ("tcp://h", True)),
        ('{"Endpoints":{"docker":{"Host":null,"SkipTLSVerify":null}}}', ("", False)),
        ('{"Endpoints":{"docker":{},"kubernetes":5}}\n', ("", False)),
    ],
)
def test_a_stored_context(meta: str, stored: tuple[str, bool]) -> None:
    assert read_meta("x", "/c/meta.json", meta.encode()) == Stored(*stored)


@pytest.mark.parametrize(
    ("meta", "problem"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("[]", "the document is of another type"),
        ("null", "it has no docker endpoint"),
        ("{}", "it has no docker endpoint"),
        ('{"Endpoints":{}}', "it has no docker endpoint"),
        ('{"Endpoints":null}', "it has no docker endpoint"),
        ('{"Endpoints":{"docker":null}}', "it has no docker endpoint"),
        ('{"Endpoints":{"Docker":{"Host":"tcp://h"}}}', "it has no docker endpoint"),
        ('{"Endpoints":5}', "Endpoints is of another type"),
        ('{"Endpoints":{"docker":"tcp://h"}}', "docker is of another type"),
        ('{"Endpoints":{"docker":{"Host":5}}}', "Host is of another type"),
        ('{"Endpoints":{"docker":{"SkipTLSVerify":"yes"}}}', "SkipTLSVerify is of another type"),
        ('{"Endpoints":{"docker":{"SkipTLSVerify":1}}}', "SkipTLSVerify is of another type"),
        ('{"Endpoints":{"docker":{}}} trailing', "something follows the JSON document"),
    ],
)
def test_a_stored_context_that_is_broken(meta: str, problem: str) -> None:
    with pytest.raises(ContextError) as caught:
        read_meta("x", "/c/meta.json", meta.encode())
    assert caught.value.status == 0
    assert caught.value.message.startswith("cannot read the Docker context 'x' from /c/meta.json: " + problem)
    assert isinstance(caught.value.__cause__, ValueError)


@given(
    st.binary()
    | st.recursive(
        st.none() | st.booleans() | st.text(),
        lambda inner: st.dictionaries(
            st.sampled_from(["Endpoints", "docker", "Host", "SkipTLSVerify", "currentContext"]), inner
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_file_is_read_or_refused(content: bytes) -> None:
    try:
        read_meta("x", "/c/meta.json", content)
    except ContextError as error:
        assert "/c/meta.json" in error.message  # noqa: PT017
    try:
        read_current_context(content)
    except ValueError as error:
        assert str(error)  # noqa: PT017
