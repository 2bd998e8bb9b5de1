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
    meta_path,
    read_meta,
    tls_path,
)


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
        ('{"Endpoints":{"docker":{"Host":"tcp://h","HOST":null}},"endpoints":{"x":1}}', ("tcp://h", False)),
        ('{"Endpoints":{"docker":{"Host":"a"},"docker":{"SkipTLSVerify":true}}}', ("", True)),
    ],
)
def test_a_stored_context(meta: str, stored: tuple[str, bool]) -> None:
    assert read_meta("x", "/c/meta.json", meta.encode()) == Stored(*stored)


@pytest.mark.parametrize(
    ("meta", "problem"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("[]", "the document must be an object, not an array"),
        ("null", "it has no docker endpoint"),
        ("{}", "it has no docker endpoint"),
        ('{"Endpoints":{}}', "it has no docker endpoint"),
        ('{"Endpoints":null}', "it has no docker endpoint"),
        ('{"Endpoints":{"docker":null}}', "it has no docker endpoint"),
        ('{"Endpoints":{"Docker":{"Host":"tcp://h"}}}', "it has no docker endpoint"),
        ('{"Name":5,"Endpoints":{"docker":{}}}', "Name must be a string, not a number"),
        ('{"Endpoints":5}', "Endpoints must be an object, not a number"),
        ('{"Endpoints":{"docker":"tcp://h"}}', "docker must be an object, not a string"),
        ('{"Endpoints":{"docker":{"Host":5}}}', "Host must be a string, not a number"),
        ('{"Endpoints":{"docker":{"SkipTLSVerify":"yes"}}}', "SkipTLSVerify must be a boolean, not a string"),
        ('{"Endpoints":{"docker":{"SkipTLSVerify":1}}}', "SkipTLSVerify must be a boolean, not a number"),
        ('{"Endpoints":{"docker":{}}} trailing', "more text follows the JSON document"),
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
            st.sampled_from(["Endpoints", "docker", "Host", "SkipTLSVerify"]), inner
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_file_is_read_or_refused(content: bytes) -> None:
    try:
        read_meta("x", "/c/meta.json", content)
    except ContextError as error:
        assert "/c/meta.json" in error.message  # noqa: PT017
