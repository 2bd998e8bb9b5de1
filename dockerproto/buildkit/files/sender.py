"""Send files to the engine: it asks for a directory, then for the contents that it does not have yet.

Batches of entries and batches of contents alternate. A file that changes meanwhile is never passed off as the
one announced: if it has vanished or become shorter, the build fails; if it has grown, the announced size is
sent.
"""

from __future__ import annotations

import stat
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from typing import Final

from msgspec import Struct

from dockerproto.buildcontext.entry import FileEntry
from dockerproto.buildkit.files.fsutil import Packet, PacketType, encode_data, encode_entry
from dockerproto.buildkit.files.selection import Selection, metadata_values, select
from dockerproto.buildkit.rpc.handler import (
    OK,
    BlockingStep,
    Code,
    Failed,
    Metadata,
    RpcError,
    Services,
    Status,
    Step,
)
from dockerproto.errors import ProtocolViolated, UploadFailed
from dockerproto.transport.host import FileReader, FileSystem

CHUNK_SIZE: Final = 64 * 2**10
"""Largest chunk of a file in one message, in bytes; engines accept messages of 4 MiB."""
BATCH: Final = 256
"""Limit on the entries visited, or the packets of contents made, in one step."""
BATCH_BYTES: Final = 4 * CHUNK_SIZE
"""Approximate number of bytes read in one step."""


def file_sync(directories: Mapping[str, FileSystem], *, requires_utf8: bool = False) -> Services:
    """Serve directories by the engine's names for them: ``context``, ``dockerfile``.

    Args:
        directories: File systems to send from.
        requires_utf8: Reject names that are not UTF-8, as the engine would do without naming the file.
    """

    def make_sender(metadata: Metadata) -> FileSender:
        name = "".join(metadata_values(metadata, "dir-name")[:1])
        if name not in directories:
            raise RpcError(Code.NOT_FOUND, f"unknown directory {name!r}")
        return FileSender(directories[name], Selection.of(metadata), requires_utf8=requires_utf8)

    return {"/moby.filesync.v1.FileSync/DiffCopy": make_sender}


class FileSender:
    """Handler of a call that sends a directory.

    Args:
        files: File system to send from.
        selection: The engine's request.
        requires_utf8: Reject names that are not UTF-8.
    """

    def __init__(self, files: FileSystem, selection: Selection, *, requires_utf8: bool = False) -> None:
        entries = select(files, selection)
        self._entries = _Entries(map(_check_utf8, entries) if requires_utf8 else entries)
        self._contents = _Contents(files)
        self._outbox: deque[bytes | Failed] = deque()
        self._contents_next = False
        self._failure: UploadFailed | None = None
        self._status: Status | None = None
        self._packet_handlers: Mapping[int, Callable[[Packet], bool]] = {
            PacketType.REQ: self._on_request,
            PacketType.FIN: self._on_finish,
            PacketType.ERR: self._on_error,
        }

    @property
    def requested(self) -> int:
        """Number of files that the engine requested."""
        return self._contents.requested

    @property
    def sent(self) -> int:
        """Number of content bytes read to be sent."""
        return self._contents.bytes

    def receive(self, message: bytes) -> bool:
        """Handle a packet of the engine, and return True until requests fill a batch.

        Raises:
            ProtocolViolated: A receiver must not send this packet.
        """
        if self._failure is not None:
            return True
        packet = Packet.decode(message)
        handle = self._packet_handlers.get(packet.type)
        if handle is None or self._status is not None:
            raise ProtocolViolated(0, f"unexpected packet type {packet.type} while sending files")
        return handle(packet)

    def end(self) -> None:
        """Note that the engine sends no more.

        Raises:
            ProtocolViolated: The engine has not confirmed that it has everything.
            UploadFailed: A file could not be read; the engine has been told.
        """
        if self._failure is not None:
            raise self._failure
        if self._status is None:
            raise ProtocolViolated(0, "the engine stopped receiving files before it had all of them")

    def next(self) -> Step:
        """Return the next packet, or the next batch of work."""
        if self._outbox:
            return self._outbox.popleft()
        if self._failure is not None or self._status is not None:
            return self._status
        if self._contents.pending and (self._contents_next or self._entries.complete):
            return BlockingStep(partial(self._read_batch, self._contents.read), self._queue_packets)
        if not self._entries.complete:
            return BlockingStep(partial(self._read_batch, self._entries.read), self._queue_packets)
        return None

    def close(self) -> None:
        """Close the file that is being read."""
        self._contents.close()

    def _read_batch(self, read: Callable[[], Sequence[bytes]]) -> Sequence[bytes | Failed]:
        """Read a batch, in a worker thread, and return the packets."""
        try:
            return read()
        except OSError as error:
            self._failure = UploadFailed(0, f"cannot read the build context: {error}")
            self._failure.__cause__ = error
        except UploadFailed as error:
            self._failure = error
        message = Packet(type=PacketType.ERR, data=self._failure.message.encode()).encode()
        return [message, Failed(self._failure)]

    def _queue_packets(self, packets: Sequence[bytes | Failed]) -> None:
        self._outbox.extend(packets)
        self._contents_next = not self._contents_next

    def _on_request(self, packet: Packet) -> bool:
        entry = self._entries.files.pop(packet.ID, None)
        if entry is None:
            raise ProtocolViolated(
                0, f"the engine requested entry {packet.ID}, which is not a file or was requested before"
            )
        self._contents.request(packet.ID, entry)
        return self._contents.queued < BATCH

    def _on_finish(self, _: Packet) -> bool:
        self._outbox.append(Packet(type=PacketType.FIN).encode())
        self._status = OK
        return False

    def _on_error(self, packet: Packet) -> bool:
        # The build's response has the reason; here it is often only "context canceled".
        self._outbox.clear()
        self._status = Status(Code.CANCELLED, packet.data.decode(errors="replace"))
        return False


def _check_utf8(entry: FileEntry | None) -> FileEntry | None:
    """Return an entry; raise UploadFailed if its path or target is not UTF-8."""
    if entry is not None and not _is_utf8(entry.path + entry.target):
        raise UploadFailed(
            0,
            f"cannot send {entry.path!r}: BuildKit of Docker 27.4 and later requires file names and symlink "
            "targets in UTF-8; rename it, exclude it in .dockerignore, or use builder='classic'",
        )
    return entry


def _is_utf8(text: str) -> bool:
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


class _Entries:
    """The entries to announce."""

    def __init__(self, entries: Iterator[FileEntry | None]) -> None:
        self._entries = entries
        self._count = 0
        self.complete = False
        self.files: Final = dict[int, FileEntry]()
        """Files that may be requested: announced, and not requested yet."""

    def read(self) -> list[bytes]:
        batch = list(islice(self._entries, BATCH))
        packets = [self._announce(entry) for entry in batch if entry is not None]
        self.complete = len(batch) < BATCH
        return [*packets, Packet().encode()] if self.complete else packets

    def _announce(self, entry: FileEntry) -> bytes:
        if stat.S_ISREG(entry.mode) and not entry.hard:
            self.files[self._count] = entry
        self._count += 1
        return encode_entry(entry)


class _OpenFile(Struct):
    """A file that is being read."""

    id: int
    entry: FileEntry
    file: FileReader
    remaining: int


class _Contents:
    """The contents of the requested files, one file after the other."""

    def __init__(self, files: FileSystem) -> None:
        self._files = files
        self._open_file: _OpenFile | None = None
        self._queue = deque[tuple[int, FileEntry]]()
        self.requested = 0
        self.bytes = 0

    @property
    def pending(self) -> bool:
        return bool(self._open_file or self._queue)

    @property
    def queued(self) -> int:
        return len(self._queue)

    def request(self, identifier: int, entry: FileEntry) -> None:
        self.requested += 1
        self._queue.append((identifier, entry))

    def read(self) -> list[bytes]:
        packets: list[bytes] = []
        limit = self.bytes + BATCH_BYTES
        while self.pending and self.bytes < limit and len(packets) < BATCH:
            if self._open_file is not None:
                packets.append(self._next_chunk(self._open_file))
            else:
                packets += self._read_next(*self._queue.popleft())
        return packets

    def close(self) -> None:
        if self._open_file is not None:
            self._open_file.file.close()
            self._open_file = None

    def _read_next(self, identifier: int, entry: FileEntry) -> tuple[bytes, ...]:
        """Read a small file at once, or open a large one."""
        file = self._files.open(entry.path)
        if entry.size > CHUNK_SIZE:
            self._open_file = _OpenFile(identifier, entry, file, entry.size)
            return ()
        with closing(file):
            data = file.read(entry.size) if entry.size else b""
            while len(data) < entry.size and (more := file.read(entry.size - len(data))):
                data += more
        if len(data) < entry.size:
            raise _became_shorter(entry, len(data))
        self.bytes += len(data)
        end = encode_data(identifier, b"")
        return (encode_data(identifier, data), end) if data else (end,)

    def _next_chunk(self, current: _OpenFile) -> bytes:
        data = current.file.read(min(CHUNK_SIZE, current.remaining)) if current.remaining else b""
        if current.remaining and not data:
            raise _became_shorter(current.entry, current.entry.size - current.remaining)
        if not data:
            self.close()
        current.remaining -= len(data)
        self.bytes += len(data)
        return encode_data(current.id, data)


def _became_shorter(entry: FileEntry, size: int) -> UploadFailed:
    message = f"{entry.path!r} became shorter while it was sent: {size} instead of {entry.size} bytes"
    return UploadFailed(0, message)
