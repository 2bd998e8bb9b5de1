"""The index of an OCI layout: the manifest of a tag, and malformed documents."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dockerproto.buildkit.content.index import find_manifest, read_manifest, with_manifest
from tests.support.layouts import MANIFEST_TYPE, TAG, descriptor, digest_of, index_of

ONE = descriptor(b"1", "one")
LATEST = descriptor(b"2", "latest")
BARE = descriptor(b"3")


@pytest.mark.parametrize(
    ("manifests", "tag", "found"),
    [
        ((), None, None),
        ((ONE, LATEST, BARE), None, b"2"),
        ((ONE, LATEST, BARE), "one", b"1"),
        ((ONE, LATEST), "other", None),
        ((ONE, BARE), None, None),
        ((ONE,), None, b"1"),
        ((BARE,), None, b"3"),
        ((BARE,), "latest", None),
        ((ONE, descriptor(b"4", "one")), "one", b"1"),
        (({**BARE, "annotations": None},), None, b"3"),
    ],
)
def test_finding_a_manifest(manifests: Any, tag: str | None, found: bytes | None) -> None:
    assert find_manifest(index_of(*manifests), tag) == (None if found is None else digest_of(found))


def test_an_index_without_manifests() -> None:
    assert find_manifest(b"{}", None) is None


DIGEST = digest_of(b"")
MALFORMED = [
    b"",
    b"{",
    b"\xff",
    b"[]",
    b"5",
    b'{"manifests": 5}',
    b'{"manifests": [5]}',
    b'{"manifests": [{}]}',
    b'{"manifests": [{"digest": 5}]}',
    b'{"manifests": [{"digest": "../../etc/passwd"}]}',
    json.dumps({"manifests": [{"digest": DIGEST, "size": "5"}]}).encode(),
    json.dumps({"manifests": [{"digest": DIGEST, "annotations": {"a": 5}}]}).encode(),
    b'{"a":' + b"[" * 100_000,
]


@pytest.mark.parametrize("index", MALFORMED, ids=lambda index: index[:60])
def test_a_malformed_index(index: bytes) -> None:
    with pytest.raises(ValueError, match=r"^malformed index.json: \w"):
        find_manifest(index, None)
    with pytest.raises(ValueError, match=r"^malformed index.json: \w"):
        with_manifest(index, read_manifest(ONE), "latest")


def test_a_new_index() -> None:
    assert json.loads(with_manifest(None, read_manifest(BARE), "one")) == {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "manifests": [{**BARE, "annotations": {TAG: "one"}}],
    }


def test_a_tag_is_moved_and_everything_else_stays() -> None:
    other = descriptor(b"5", "two", platform={"os": "linux"})
    index = index_of(ONE, other, BARE, annotations={"a": "b"})
    assert json.loads(with_manifest(index, read_manifest(LATEST), "one")) == {
        "schemaVersion": 2,
        "annotations": {"a": "b"},
        "manifests": [other, BARE, {**LATEST, "annotations": {TAG: "one"}}],
    }


@pytest.mark.parametrize("descriptor", [None, "text", [], {}, {"digest": "sha256:x"}, {**BARE, "size": "1"}])
def test_a_malformed_descriptor(descriptor: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_manifest(descriptor)
