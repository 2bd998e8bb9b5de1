"""Metadata of a build: what is JSON is decoded, whatever an engine sends."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from dockerproto import BuildResult, build_result
from dockerproto.messages.exported import EXPORTED, metadata_of

DESCRIPTOR = {"mediaType": "m", "digest": "sha256:ab", "size": 5}
ENCODED = b64encode(json.dumps(DESCRIPTOR).encode()).decode()


@pytest.mark.parametrize(
    ("aux", "metadata"),
    [
        (None, {}),
        ("text", {}),
        ({"a": "x", "b": 5, "c": None}, {"a": "x"}),
        ({"a": '{"b": 1}'}, {"a": {"b": 1}}),
        ({"a": ENCODED}, {"a": DESCRIPTOR}),
        ({"a": "{", "b": b64encode(b"{\xff").decode()}, {"a": "{", "b": b64encode(b"{\xff").decode()}),
        ({"a": '{"a":' * 5000}, {"a": '{"a":' * 5000}),
        ({"a": "5", "b": "é"}, {"a": "5", "b": "é"}),
    ],
    ids=["none", "text", "values", "json", "base64", "malformed", "deep", "plain"],
)
def test_metadata(aux: Any, metadata: dict[str, Any]) -> None:
    assert metadata_of(aux) == metadata


@pytest.mark.parametrize(
    ("exported", "digest"),
    [
        ({}, None),
        ({"containerimage.descriptor": ENCODED}, "sha256:ab"),
        ({"containerimage.descriptor": "{}"}, None),
        ({"containerimage.descriptor": '{"digest": 5}'}, None),
        ({"containerimage.descriptor": "text"}, None),
    ],
)
def test_digests(exported: dict[str, str], digest: str | None) -> None:
    result = build_result([{"id": EXPORTED, "aux": exported}, {"id": "moby.image.id", "aux": {"ID": "i"}}])
    assert isinstance(result, BuildResult)
    assert (result.digest, result.image) == (digest, "i")
    assert (result.descriptor is None) == (digest is None)
