"""Named contexts: their forms, and those that are rejected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dockerproto import InvalidReference, Layout
from dockerproto.request.layouts import LayoutReference
from dockerproto.request.named_contexts import read_contexts


@pytest.mark.parametrize(
    ("contexts", "attributes", "directories"),
    [
        (None, {}, {}),
        ({}, {}, {}),
        ({"lib": Path("../lib")}, {"context:lib": "local:lib"}, {"lib": "../lib"}),
        (
            {"context": Path("a"), "dockerfile": Path("b")},
            {"context:context": "local:_context", "context:dockerfile": "local:_dockerfile"},
            {"_context": "a", "_dockerfile": "b"},
        ),
        (
            {"docker.io/library/alpine:latest": "docker-image://busybox:1"},
            {"context:alpine": "docker-image://busybox:1"},
            {},
        ),
        ({"src": "https://h/a.git#main"}, {"context:src": "https://h/a.git#main"}, {}),
    ],
    ids=["none", "empty", "directory", "names in use", "image", "url"],
)
def test_contexts(contexts: Any, attributes: dict[str, str], directories: dict[str, str]) -> None:
    read = read_contexts(contexts)
    assert (read.attributes, read.directories) == (attributes, directories)


DIGEST = f"sha256:{'ab' * 32}"


def test_layouts() -> None:
    contexts: Any = {
        "lib": Path("lib"),
        "a:latest": Layout("one", "1"),
        "b": Layout(Path("two"), digest=DIGEST),
    }
    read = read_contexts(contexts)
    assert read.attributes == {"context:lib": "local:lib"}
    assert read.layouts == {
        "context:a": LayoutReference(store="oci:layout-1", path="one", tag="1"),
        "context:b": LayoutReference(store="oci:layout-2", path="two", digest=DIGEST),
    }


@pytest.mark.parametrize(
    ("contexts", "error", "message"),
    [
        ([], TypeError, "contexts must be a mapping, not list"),
        ({"a": 5}, TypeError, r"contexts\['a'\] must be a path object, a Layout or a str, not int"),
        ({"a": "../lib"}, ValueError, r"contexts\['a'\] must be a path object for a directory, or a text"),
        ({"a": Path(), "a:latest": Path()}, ValueError, "two names of contexts mean the same: 'a:latest'"),
        ({"a": Layout(""), "a:latest": Path()}, ValueError, "two names of contexts mean the same"),
        (
            {"a": Layout("b", "")},
            ValueError,
            r"contexts\['a'\] must have a tag that is not empty, or a digest",
        ),
        (
            {"a": Layout("b", digest="c")},
            ValueError,
            r"digest of contexts\['a'\] must be sha256: and 64 hexad",
        ),
        ({"A": Path()}, InvalidReference, "invalid image name or id: 'A'"),
        ({"a": "docker-image://A"}, InvalidReference, "invalid image name or id: 'A'"),
    ],
)
def test_other_contexts(contexts: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        read_contexts(contexts)
