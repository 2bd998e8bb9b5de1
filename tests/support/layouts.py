"""OCI layouts for tests: digests, an index, and a layout in memory."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from io import BytesIO
from typing import Any, Final

TAG: Final = "org.opencontainers.image.ref.name"
MANIFEST_TYPE: Final = "application/vnd.oci.image.index.v1+json"


def digest_of(content: bytes) -> str:
    """Return the digest of a blob."""
    return f"sha256:{sha256(content).hexdigest()}"


def descriptor(content: bytes, tag: str | None = None, **more: Any) -> dict[str, Any]:
    """Return the descriptor of a manifest."""
    annotations = {} if tag is None else {"annotations": {TAG: tag}}
    return {
        "mediaType": MANIFEST_TYPE,
        "digest": digest_of(content),
        "size": len(content),
        **annotations,
        **more,
    }


def index_of(*manifests: Mapping[str, Any], **more: Any) -> bytes:
    """Return the content of ``index.json``."""
    return json.dumps({"schemaVersion": 2, "manifests": manifests, **more}).encode()


class MemoryLayout:
    """A layout in memory; `parts` has the blobs that are being written."""

    def __init__(self, *blobs: bytes) -> None:
        self.blobs: dict[str, bytes] = {digest_of(each): each for each in blobs}
        self.parts: list[MemoryBlob] = []
        self.read: list[BytesIO] = []
        self.index: bytes | None = None

    def read_index(self) -> bytes | None:
        return self.index

    def update_index(self, update: Callable[[bytes | None], bytes], /) -> None:
        self.index = update(self.index)

    def size(self, digest: str, /) -> int | None:
        return len(self.blobs[digest]) if digest in self.blobs else None

    def open(self, digest: str, offset: int, /) -> BytesIO:
        file = BytesIO(self.blobs[digest])
        file.seek(offset)
        self.read.append(file)
        return file

    def create(self, digest: str, /) -> MemoryBlob:
        return MemoryBlob(self, digest)


class MemoryBlob:
    """A blob that is being written."""

    def __init__(self, layout: MemoryLayout, digest: str) -> None:
        self.content = b""
        self.fails = False
        self._layout = layout
        self._digest = digest
        layout.parts.append(self)

    def write(self, data: bytes, /) -> None:
        if self.fails:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.content += data

    def commit(self) -> None:
        self._layout.parts.remove(self)
        self._layout.blobs[self._digest] = self.content

    def discard(self) -> None:
        self._layout.parts.remove(self)
        if self.fails:
            raise OSError(errno.EIO, "Input/output error")
