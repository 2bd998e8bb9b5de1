"""Serve content stores: the engine reads blobs of them, and writes blobs into those that are writable.

The engine names a store in a header of each call. A blob is known by its digest only, so nothing that the
engine sends becomes a path, except 64 hexadecimal digits. What it writes must have the size and the digest
that it announced first, and appears in the directory only then.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from hashlib import sha256
from typing import Final

from msgspec import Struct

from dockerproto.buildcontext.limits import DEFAULT_LIMITS, display_path
from dockerproto.buildkit.content.messages import (
    COMMIT,
    STAT,
    WRITE,
    Info,
    InfoRequest,
    InfoResponse,
    ReadRequest,
    ReadResponse,
    WriteRequest,
    WriteResponse,
)
from dockerproto.buildkit.rpc.handler import (
    OK,
    BlockingStep,
    BlockingUnary,
    Code,
    Handler,
    Metadata,
    RpcError,
    Services,
    Step,
)
from dockerproto.errors import OutputFailed
from dockerproto.request.layouts import is_digest
from dockerproto.transport.host import FileReader, FileWriter, LayoutDirectory

CHUNK: Final = 256 * 2**10
"""Bytes of a blob that are read in one step, and sent in one message."""
BLOB_LIMIT: Final = DEFAULT_LIMITS.size
"""Limit on the size of a blob that the engine writes, in bytes."""
_SERVICE: Final = "/containerd.services.content.v1.Content/"
_STORE: Final = "buildkit-attachable-store-id"
"""Header that has the id of the store."""


class ContentStore(Struct, frozen=True):
    """A directory with an OCI layout that the engine may read."""

    layout: LayoutDirectory
    writable: bool = False
    """True if the engine may write blobs too."""


def content(stores: Mapping[str, ContentStore]) -> Services:
    """Serve content stores by id."""

    def store_of(metadata: Metadata) -> ContentStore:
        name = metadata.get(_STORE, ("",))[0]
        if name not in stores:
            raise RpcError(Code.NOT_FOUND, f"unknown content store {display_path(name)}")
        return stores[name]

    def write(metadata: Metadata) -> Handler:
        store = store_of(metadata)
        if not store.writable:
            raise RpcError(Code.PERMISSION_DENIED, "this content store is only for reading")
        return BlobWriter(store.layout)

    return {
        f"{_SERVICE}Info": lambda metadata: BlockingUnary(partial(_info, store_of(metadata).layout)),
        f"{_SERVICE}Read": lambda metadata: BlobReader(store_of(metadata).layout),
        f"{_SERVICE}Write": write,
    }


def _info(layout: LayoutDirectory, message: bytes) -> bytes:
    digest = _checked(InfoRequest.decode(message).digest)
    return InfoResponse(Info(digest, _existing_size(layout, digest))).encode()


class BlobReader:
    """Handler of a call that reads a part of a blob.

    Args:
        layout: Directory with the blob.
    """

    def __init__(self, layout: LayoutDirectory) -> None:
        self._layout = layout
        self._message = b""
        self._step: Step = None
        self._file: FileReader | None = None
        self._position = self._end = 0
        """Position in the response, and its end."""

    def receive(self, message: bytes) -> None:
        """Store the request."""
        self._message = message

    def end(self) -> None:
        """Open the blob."""
        request = ReadRequest.decode(self._message)
        self._step = BlockingStep(partial(self._open, request), self._continue)

    def next(self) -> Step:
        """Return the next step: a message, or the reading of one."""
        step, self._step = self._step, None
        if isinstance(step, bytes):
            self._continue(None)
        return step

    def close(self) -> None:
        """Close the blob."""
        if self._file is not None:
            self._file.close()

    def _open(self, request: ReadRequest) -> None:
        digest = _checked(request.digest)
        rest = _existing_size(self._layout, digest) - request.offset
        if request.offset < 0 or rest < 0:
            raise RpcError(Code.OUT_OF_RANGE, f"{digest} does not have offset {request.offset}")
        self._end = rest if request.size <= 0 else min(rest, request.size)
        self._file = self._layout.open(digest, request.offset)

    def _continue(self, _: None) -> None:
        done = self._position == self._end
        self._step = OK if done else BlockingStep(self._read, self._reply)

    def _read(self) -> bytes:
        data = b"" if self._file is None else self._file.read(min(CHUNK, self._end - self._position))
        if not data:
            raise RpcError(Code.UNKNOWN, "the blob was truncated while it was read")
        return data

    def _reply(self, data: bytes) -> None:
        self._step = ReadResponse(self._position, data).encode()
        self._position += len(data)


class BlobWriter:
    """Handler of a call that writes a blob.

    Args:
        layout: Directory for the blob.
        limit: Limit on its size in bytes.
    """

    def __init__(self, layout: LayoutDirectory, limit: int = BLOB_LIMIT) -> None:
        self._layout = layout
        self._limit = limit
        self._step: Step = None
        self._file: FileWriter | None = None
        self._first: WriteRequest | None = None
        """First request, which announces the blob."""
        self._hash = sha256()
        self._written = 0
        self._committed = False

    def receive(self, message: bytes) -> None:
        """Handle a request."""
        request = WriteRequest.decode(message)
        self._step = BlockingStep(partial(self._write, request), self._reply)

    def end(self) -> None:
        """End the call; a blob that is incomplete is discarded."""
        self._step = OK

    def next(self) -> Step:
        """Return the step that handles a request, then the reply to it."""
        step, self._step = self._step, None
        if isinstance(step, bytes) and self._committed:
            self._step = OK
        return step

    def close(self) -> None:
        """Remove the blob, unless it is complete."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                file.discard()

    def _reply(self, message: bytes) -> None:
        self._step = message

    def _write(self, request: WriteRequest) -> bytes:
        if request.action not in (STAT, WRITE, COMMIT):
            raise RpcError(Code.INVALID_ARGUMENT, f"unknown action {request.action}")
        try:
            first, file = self._first or request, self._file or self._create(request)
            if request.action != STAT:
                self._append(first, file, request)
            if request.action == COMMIT:
                self._commit(first, file, request)
        except OSError as error:
            raise OutputFailed(0, f"cannot write the cache: {error}") from error
        digest = f"sha256:{self._hash.hexdigest()}"
        return WriteResponse(request.action, self._written, first.total, digest).encode()

    def _create(self, request: WriteRequest) -> FileWriter:
        digest = _checked(request.expected)
        if not (request.ref and 0 <= request.total <= self._limit):
            raise RpcError(
                Code.INVALID_ARGUMENT, f"a blob needs a ref, and a size of at most {self._limit} bytes"
            )
        if self._layout.size(digest) == request.total:
            raise RpcError(Code.ALREADY_EXISTS, f"{digest} exists")
        self._first, self._file = request, self._layout.create(digest)
        return self._file

    def _append(self, first: WriteRequest, file: FileWriter, request: WriteRequest) -> None:
        size = self._written + len(request.data)
        if request.offset != self._written or size > first.total:
            raise RpcError(
                Code.OUT_OF_RANGE,
                f"cannot write {len(request.data)} bytes at {request.offset}: "
                f"{self._written} of {first.total} bytes were written",
            )
        file.write(request.data)
        self._hash.update(request.data)
        self._written = size

    def _commit(self, first: WriteRequest, file: FileWriter, request: WriteRequest) -> None:
        digest = f"sha256:{self._hash.hexdigest()}"
        expected = {first.expected, request.expected or first.expected}
        sizes = {first.total, request.total or first.total}
        if expected != {digest} or sizes != {self._written}:
            raise RpcError(
                Code.FAILED_PRECONDITION,
                f"{first.expected} with {first.total} bytes was announced, "
                f"but {digest} with {self._written} bytes was written",
            )
        file.commit()
        self._file, self._committed = None, True


def _checked(digest: str) -> str:
    if not is_digest(digest):
        raise RpcError(
            Code.INVALID_ARGUMENT,
            f"digest must be sha256: and 64 hexadecimal digits, not {display_path(digest)}",
        )
    return digest


def _existing_size(layout: LayoutDirectory, digest: str) -> int:
    size = layout.size(digest)
    if size is None:
        raise RpcError(Code.NOT_FOUND, f"{digest} does not exist")
    return size
