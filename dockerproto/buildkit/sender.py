"""The sender of files: the engine asks for a directory, and for the contents that it does not have yet.

Entries and contents are sent by turns, a batch each. Nothing that changed under way is passed off as
what was announced: a file that is gone, or has become shorter, fails the build. Of one that has grown
as much is sent as was announced.
"""

from __future__ import annotations

import stat
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Final

from msgspec import Struct

from dockerproto.buildcontext.entry import FileEntry
from dockerproto.buildkit.fsutil import Kind, Packet, stat_of
from dockerproto.buildkit.handler import OK, BlockingStep, Code, Metadata, RpcError, Services, Status, Step
from dockerproto.buildkit.selection import Selection, metadata_values, select
from dockerproto.errors import ProtocolViolated, UploadFailed
from dockerproto.transport.files import FileSystem, Opened

PIECE: Final = 64 * 2**10
"""The longest piece of a file in one message, in bytes; engines take messages of 4 MiB."""
BATCH: Final = 256
"""How many entries are looked at in one step, or packets of contents made."""
BATCH_BYTES: Final = 4 * PIECE
"""About how many bytes are read in one step."""


def file_sync(directories: Mapping[str, FileSystem]) -> Services:
    """Serve directories, by the names that the engine has for them: ``context``, ``dockerfile``."""

    def answer(metadata: Metadata) -> Sender:
        name = "".join(metadata_values(metadata, "dir-name")[:1])
        if name not in directories:
            raise RpcError(Code.NOT_FOUND, f"there is no directory {name!r} in this build")
        return Sender(directories[name], Selection.of(metadata))

    return {"/moby.filesync.v1.FileSync/DiffCopy": answer}


class Sender:
    """A call in which a directory is sent, as a handler.

    Args:
        files: What is sent from.
        selection: What the engine asks for.
    """

    def __init__(self, files: FileSystem, selection: Selection) -> None:
        self._entries: Final = _Entries(select(files, selection))
        self._contents: Final = _Contents(files)
        self._packets: deque[bytes] = deque()
        self._contents_next = False
        self._failure: UploadFailed | None = None
        self._status: Status | None = None
        self._takes: Final[Mapping[int, Callable[[Packet], None]]] = {
            Kind.REQ: self._request,
            Kind.FIN: self._finish,
            Kind.ERR: self._give_up,
        }

    @property
    def requested(self) -> int:
        """How many files the engine asked for."""
        return self._contents.requested

    @property
    def sent(self) -> int:
        """How many bytes of contents were read to be sent."""
        return self._contents.bytes

    def receive(self, message: bytes) -> None:
        """Take a packet of the engine.

        Raises:
            ProtocolViolated: It is none that a receiver sends.
        """
        packet = Packet.decode(message)
        take = self._takes.get(packet.type)
        if take is None or self._status is not None:
            raise ProtocolViolated(0, f"the engine sent a packet of type {packet.type} to who sends files")
        take(packet)

    def end(self) -> None:
        """Take note that the engine sends no more.

        Raises:
            ProtocolViolated: It did not say that it has all.
        """
        if self._status is None:
            raise ProtocolViolated(0, "the engine stopped taking files before it had all")

    def next(self) -> Step:
        """Return the next packet, or the next batch of work.

        Raises:
            UploadFailed: Something could not be read; the engine has been told.
        """
        if self._packets:
            return self._packets.popleft()
        if self._failure is not None:
            raise self._failure
        if self._status is not None:
            return self._status
        if self._contents.wanted and (self._contents_next or self._entries.complete):
            return BlockingStep(partial(self._attempt, self._contents.read), self._send)
        if not self._entries.complete:
            return BlockingStep(partial(self._attempt, self._entries.read), self._send)
        return None

    def close(self) -> None:
        """Close the file that is being read."""
        self._contents.close()

    def _attempt(self, read: Callable[[], list[Packet]]) -> list[bytes]:
        """Read a batch, in a worker thread, and return what is to be sent."""
        try:
            return [packet.encode() for packet in read()]
        except OSError as error:
            self._failure = UploadFailed(0, f"cannot read what is to be sent: {error}")
            self._failure.__cause__ = error
        except UploadFailed as error:
            self._failure = error
        return [Packet(type=Kind.ERR, data=self._failure.message.encode()).encode()]

    def _send(self, packets: list[bytes]) -> None:
        self._packets.extend(packets)
        self._contents_next = not self._contents_next

    def _request(self, packet: Packet) -> None:
        entry = self._entries.files.pop(packet.ID, None)
        if entry is None:
            raise ProtocolViolated(0, f"the engine asked for entry {packet.ID}: it is no file, or was sent")
        self._contents.request(packet.ID, entry)

    def _finish(self, _: Packet) -> None:
        self._packets.append(Packet(type=Kind.FIN).encode())
        self._status = OK

    def _give_up(self, packet: Packet) -> None:
        # Why, is in the answer to the build: here it is often no more than "context canceled".
        self._packets.clear()
        self._status = Status(Code.CANCELLED, packet.data.decode(errors="replace"))


class _Entries:
    """The entries, on their way to be announced."""

    def __init__(self, entries: Iterator[FileEntry | None]) -> None:
        self._entries: Final = entries
        self._count = 0
        self.complete = False
        self.files: Final = dict[int, FileEntry]()
        """What may be requested: files that were announced, and not requested yet."""

    def read(self) -> list[Packet]:
        batch = list(islice(self._entries, BATCH))
        packets = [self._announce(entry) for entry in batch if entry is not None]
        self.complete = len(batch) < BATCH
        return [*packets, Packet()] if self.complete else packets

    def _announce(self, entry: FileEntry) -> Packet:
        if stat.S_ISREG(entry.mode) and not entry.hard:
            self.files[self._count] = entry
        self._count += 1
        return Packet(stat=stat_of(entry))


class _Reading(Struct):
    """A file that is being read."""

    id: int
    entry: FileEntry
    file: Opened
    left: int


class _Contents:
    """The contents of files, one after the other, as they were requested."""

    def __init__(self, files: FileSystem) -> None:
        self._files: Final = files
        self._current: _Reading | None = None
        self._queue: Final = deque[tuple[int, FileEntry]]()
        self.requested = 0
        self.bytes = 0

    @property
    def wanted(self) -> bool:
        return bool(self._current or self._queue)

    def request(self, identifier: int, entry: FileEntry) -> None:
        self.requested += 1
        self._queue.append((identifier, entry))

    def read(self) -> list[Packet]:
        packets: list[Packet] = []
        limit = self.bytes + BATCH_BYTES
        while self.wanted and self.bytes < limit and len(packets) < BATCH:
            packets.append(self._piece(self._current or self._open(*self._queue.popleft())))
        return packets

    def close(self) -> None:
        if self._current is not None:
            self._current.file.close()
            self._current = None

    def _open(self, identifier: int, entry: FileEntry) -> _Reading:
        self._current = _Reading(identifier, entry, self._files.open(entry.path), entry.size)
        return self._current

    def _piece(self, reading: _Reading) -> Packet:
        data = reading.file.read(min(PIECE, reading.left)) if reading.left else b""
        if reading.left and not data:
            size = reading.entry.size
            short = f"{size - reading.left} bytes instead of {size}"
            raise UploadFailed(0, f"{reading.entry.path!r} became shorter while it was sent: {short}")
        if not data:
            self.close()
        reading.left -= len(data)
        self.bytes += len(data)
        return Packet(type=Kind.DATA, ID=reading.id, data=data)
