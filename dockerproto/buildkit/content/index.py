"""The ``index.json`` of an OCI layout, which gives tags to manifests.

Documented at https://github.com/opencontainers/image-spec/blob/main/image-index.md.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct, field

from dockerproto.request.layouts import is_digest

DEFAULT_TAG: Final = "latest"
_TAG: Final = "org.opencontainers.image.ref.name"
"""Annotation that has the tag of a manifest."""
_NEW: Final = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'


class StoredManifest(Struct, frozen=True, rename={"media_type": "mediaType"}):
    """The descriptor of a manifest."""

    digest: str
    media_type: str = ""
    size: int = 0
    annotations: dict[str, str] | None = None

    def __post_init__(self) -> None:
        if not is_digest(self.digest):
            raise ValueError("a digest is not sha256: and 64 hexadecimal digits")

    @property
    def tag(self) -> str | None:
        """Tag of the manifest, if it has one."""
        return (self.annotations or {}).get(_TAG)


class _Index(Struct, frozen=True):
    manifests: list[StoredManifest] = field(default_factory=list[StoredManifest])


def find_manifest(index: bytes, tag: str | None) -> str | None:
    """Return the digest of the manifest with a tag; None without one.

    Without a tag, the manifest with the tag ``latest`` is meant, or else the only one.

    Raises:
        ValueError: The index is malformed.
    """
    manifests = _validated(_document(index)).manifests
    tagged = [each for each in manifests if each.tag == (tag or DEFAULT_TAG)]
    if not tagged and tag is None and len(manifests) == 1:
        tagged = manifests
    return tagged[0].digest if tagged else None


def with_manifest(index: bytes | None, manifest: StoredManifest, tag: str) -> bytes:
    """Return an index, in which the manifest has the tag; everything else stays.

    Raises:
        ValueError: The index is malformed.
    """
    document = _document(_NEW if index is None else index)
    manifests = _validated(document).manifests
    own = {
        "mediaType": manifest.media_type,
        "digest": manifest.digest,
        "size": manifest.size,
        "annotations": {_TAG: tag},
    }
    others = [
        raw for raw, each in zip(document.get("manifests", ()), manifests, strict=True) if each.tag != tag
    ]
    return msgspec.json.encode({**document, "manifests": [*others, own]})


def read_manifest(descriptor: object) -> StoredManifest:
    """Return the descriptor of a manifest in an engine's message; raise ValueError if it is malformed."""
    return msgspec.convert(descriptor, StoredManifest)


def _document(index: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(index, type=dict[str, Any])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"malformed index.json: {error}") from error


def _validated(document: dict[str, Any]) -> _Index:
    try:
        return msgspec.convert(document, _Index)
    except ValueError as error:
        raise ValueError(f"malformed index.json: {error}") from error
