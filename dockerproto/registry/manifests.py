"""Manifests: their parsing, and the index that joins several, as data.

A manifest is identified by its exact bytes, which are kept. Its descriptors are somebody else's: each is
validated before a digest of it becomes a part of a path.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

import msgspec

from dockerproto.errors import ProtocolViolated
from dockerproto.messages.models import Descriptor, Platform
from dockerproto.redacted import Redacted
from dockerproto.references import is_digest
from dockerproto.registry.bodies import check_digest, verify
from dockerproto.registry.requests import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST

MANIFEST_LIMIT: Final = 4 * 2**20
"""Limit of a manifest and of a configuration, in bytes; registries have the same."""
INDEXES: Final = frozenset({OCI_INDEX, DOCKER_LIST})
_IMAGES: Final = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
_CONFIGS: Final = frozenset(
    {"application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"}
)
_KINDS: Final[Mapping[str, str]] = {"manifests": OCI_INDEX, "layers": OCI_MANIFEST}
"""Media type of a document without one, by a key of it."""
_PLATFORM: Final = ("os", "architecture", "variant", "os.version", "os.features")


class Manifest(Redacted, frozen=True):
    """A manifest of an image, or an index of several manifests."""

    _hidden = ("data", "document")

    descriptor: Descriptor
    """Its media type, digest and size."""
    data: bytes
    """Its exact bytes."""
    document: Mapping[str, Any]
    """The same as parsed JSON."""

    @property
    def is_index(self) -> bool:
        """True for an index, also called manifest list; False for the manifest of one image."""
        return self.descriptor["mediaType"] in INDEXES

    @property
    def manifests(self) -> list[Descriptor]:
        """Manifests in an index, with their platforms; empty for the manifest of one image."""
        return self._descriptors("manifests") if self.is_index else []

    @property
    def layers(self) -> list[Descriptor]:
        """Layers of an image; empty for an index."""
        return [] if self.is_index else self._descriptors("layers")

    @property
    def config(self) -> Descriptor | None:
        """Configuration of an image; None for an index."""
        return None if self.is_index else check_descriptor(self.document.get("config"))

    def _descriptors(self, key: str) -> list[Descriptor]:
        found = self.document.get(key)
        if not isinstance(found, list):
            raise ProtocolViolated(0, f"manifest {self.descriptor['digest']} has no list of {key}")
        return [check_descriptor(each) for each in cast("list[object]", found)]


def parse_manifest(data: bytes, *, media_type: str, digest: str, subject: str) -> Manifest:
    """Parse a manifest, and validate its descriptors.

    Args:
        data: Its bytes.
        media_type: Media type of the response, which counts if the document has none.
        digest: Digest that the bytes must have.
        subject: Name of the image, for messages.

    Raises:
        ProtocolViolated: It is malformed, has another digest, or has an unknown media type, such as that of
            schema 1.
    """
    verify(digest, data, subject)
    try:
        document: Any = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolViolated(0, f"{subject}: the manifest is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ProtocolViolated(0, f"{subject}: the manifest is not a JSON object")
    fields = cast("dict[str, Any]", document)
    kind = _media_type(fields, media_type.partition(";")[0].strip(), subject)
    manifest = Manifest({"mediaType": kind, "digest": digest, "size": len(data)}, data, fields)
    _ = manifest.manifests, manifest.layers, manifest.config  # each raises for an invalid descriptor
    return manifest


def check_descriptor(value: object) -> Descriptor:
    """Return a descriptor.

    Raises:
        ProtocolViolated: Its media type, digest or size is missing or invalid.
    """
    fields = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    media_type, digest, size = fields.get("mediaType"), fields.get("digest"), fields.get("size")
    is_size = isinstance(size, int) and not isinstance(size, bool) and size >= 0
    if not (isinstance(media_type, str) and isinstance(digest, str) and is_digest(digest) and is_size):
        raise ProtocolViolated(0, f"invalid descriptor in a manifest: {value!r:.200}")
    return cast("Descriptor", fields)  # the rest is the registry's: described, not checked


def parse_platform(config: Descriptor, data: bytes) -> Platform | None:
    """Return the platform in the configuration of an image; None for the configuration of something else.

    Raises:
        ProtocolViolated: It is malformed.
    """
    check_digest(str(len(data)), str(config["size"]), f"size of {config['digest']}")
    if config["mediaType"] not in _CONFIGS:
        return None
    try:
        document = msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolViolated(0, f"invalid configuration {config['digest']}: {error}") from error
    if not all(isinstance(document.get(key), str) for key in _PLATFORM[:2]):
        raise ProtocolViolated(0, f"configuration {config['digest']} has no platform")
    return cast("Platform", {key: document[key] for key in _PLATFORM if document.get(key)})


def join(
    sources: Sequence[Manifest], members: Iterable[Descriptor], annotations: Mapping[str, str]
) -> tuple[str, bytes]:
    """Return the media type and the bytes of the index that joins manifests, as ``buildx imagetools`` does.

    It is a Docker manifest list if all sources are in Docker's format and it has no annotations, otherwise an
    OCI index.

    Args:
        sources: Manifests and indexes to join.
        members: Descriptors of the manifests in the index; of several with one digest, the last platform
            and all annotations count.
        annotations: Annotations of the index.
    """
    by_digest: dict[str, dict[str, Any]] = {}
    for each in members:
        known = by_digest.setdefault(each["digest"], {})
        merged = {**known.get("annotations", {}), **each.get("annotations", {})}
        known.update(each)
        if merged:
            known["annotations"] = merged
    formats = {each.descriptor["mediaType"] for each in sources}
    media_type = DOCKER_LIST if formats <= {DOCKER_LIST, DOCKER_MANIFEST} and not annotations else OCI_INDEX
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "manifests": [*by_digest.values()],
    }
    if annotations:
        document["annotations"] = dict(annotations)
    return media_type, msgspec.json.format(msgspec.json.encode(document), indent=2)


def _media_type(document: Mapping[str, Any], of_response: str, subject: str) -> str:
    own = document.get("mediaType")
    kind = own if isinstance(own, str) else of_response
    keys = [key for key in _KINDS if key in document]
    if (
        kind not in INDEXES | _IMAGES
        and len(keys) == 1
        and own is None
        and document.get("schemaVersion") != 1
    ):
        kind = _KINDS[keys[0]]
    if kind not in INDEXES | _IMAGES:
        raise ProtocolViolated(0, f"{subject}: unsupported media type of a manifest: {kind:.100}")
    # A document that is both could be read differently by each program: see CVE-2021-41190.
    if len(keys) > 1 or (of_response in INDEXES | _IMAGES and of_response != kind):
        raise ProtocolViolated(0, f"{subject}: the manifest is of two media types at once")
    return kind
