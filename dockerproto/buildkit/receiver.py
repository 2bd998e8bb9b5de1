"""The receivers of what a build has made: a tree of files, or a stream of bytes such as a tar.

A tree is checked entry by entry (see `EntryValidator`) before anything is written; a file is there when all
of it is, hard links are made of complete files, and directories get their modes and times when
everything is in them. What is written is gathered to batches, as each of them is a step that blocks.
"""

from __future__ import annotations

import stat
import warnings
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Final

from msgspec import Struct

from dockerproto.buildcontext.entry import FileEntry
from dockerproto.buildkit.fsutil import BytesMessage, Kind, Packet
from dockerproto.buildkit.handler import OK, BlockingStep, Code, Handler, Services, Status, Step
from dockerproto.buildkit.validation import DEFAULT_LIMITS, EntryValidator, Limits, shown
from dockerproto.errors import OutputFailed, ProtocolViolated
from dockerproto.transport.files import Destination, Written

WINDOW: Final = 32
"""How many files are asked for at once; so many may be open."""
BATCH: Final = 256
"""How many things are done in one step."""
BATCH_BYTES: Final = 256 * 2**10
"""How many bytes are gathered at the least before they are written, unless they are the last."""
_NAMED: Final = 5
"""How many of the paths that are skipped a warning names."""
_TRAILER: Final = 1024
"""How many zeros a tar ends with, in bytes."""
_BLOCK: Final = 512


def file_send(answer: Callable[[], Handler]) -> Services:
    """Serve what the engine sends the output of a build to.

    Args:
        answer: Makes the handler, a `TreeReceiver` or a `TarReceiver`: the engine does not say which.
    """
    return {"/moby.filesync.v1.FileSend/DiffCopy": lambda _: answer()}


class _Jobs:
    """What is to be written, in order, and the files that are being written."""

    def __init__(self) -> None:
        self._queue: Final = deque[Callable[[], None]]()
        self._files: Final = dict[int, Written]()
        self._bytes = 0

    def add(self, job: Callable[[], None]) -> None:
        self._queue.append(job)

    def begin(self, identifier: int, create: Callable[[], Written]) -> None:
        self.add(lambda: self._files.update({identifier: create()}))

    def write(self, identifier: int, data: bytes) -> None:
        self._bytes += len(data)
        self.add(lambda: self._files[identifier].write(data))

    def commit(self, identifier: int) -> None:
        self.add(lambda: self._commit(identifier))

    def step(self, *, last: bool) -> BlockingStep | None:
        """Return a batch, if there is enough for one, or this is the last."""
        enough = len(self._queue) >= BATCH or self._bytes >= BATCH_BYTES or last
        return BlockingStep(self._do, self._done) if self._queue and enough else None

    def discard(self) -> None:
        """Remove what is not complete."""
        while self._files:
            _, file = self._files.popitem()
            with suppress(OSError):
                file.discard()

    def _commit(self, identifier: int) -> None:
        self._files[identifier].commit()
        del self._files[identifier]

    def _do(self) -> None:
        try:
            for _ in range(min(BATCH, len(self._queue))):
                self._queue.popleft()()
        except OSError as error:
            raise OutputFailed(0, f"the output of the build cannot be written: {error}") from error

    def _done(self, _: None) -> None:
        self._bytes = 0


class _File(Struct):
    """A file that was asked for."""

    entry: FileEntry
    left: int
    """How many bytes are still to come."""
    begun: bool = False


class TreeReceiver:
    """A call in which a tree of files is received, as a handler.

    Args:
        destination: Where it is written to.
        limits: How much is taken.
    """

    def __init__(self, destination: Destination, limits: Limits = DEFAULT_LIMITS) -> None:
        self._destination: Final = destination
        self._validator: Final = EntryValidator(limits)
        self._jobs: Final = _Jobs()
        self._count = 0
        self._wanted: Final = deque[tuple[int, _File]]()
        self._awaited: Final = dict[int, _File]()
        self._links: Final = list[FileEntry]()
        self._directories: Final = list[FileEntry]()
        self._announced = self._completed = self._finished = False
        self._status: Status | None = None
        self.skipped: Final = list[str]()
        """The paths of the devices, named pipes and sockets, which are not made."""
        self.files: int = 0
        """How many regular files came."""
        self.bytes: int = 0
        """How many bytes these have."""
        self._takes: Final[Mapping[int, Callable[[Packet], None]]] = {
            Kind.STAT: self._take_entry,
            Kind.DATA: self._take_data,
            Kind.FIN: self._take_finish,
            Kind.ERR: self._take_error,
        }
        self._admitted: Final[Mapping[int, Callable[[FileEntry], None]]] = {
            stat.S_IFDIR: self._make_directory,
            stat.S_IFLNK: self._make_symlink,
            stat.S_IFREG: self._make_link,
        }
        self._jobs.add(destination.prepare)

    def receive(self, message: bytes) -> None:
        """Take a packet of the engine.

        Raises:
            OutputFailed: It has what must not be written.
            ProtocolViolated: It is none that a sender sends.
        """
        packet = Packet.decode(message)
        take = self._takes.get(packet.type)
        if take is None or self._status is not None:
            raise ProtocolViolated(0, f"the engine sent a packet of type {packet.type} to who receives files")
        take(packet)
        if self._announced and not (self._wanted or self._awaited or self._completed):
            self._complete()

    def end(self) -> None:
        """Take note that the engine sends no more.

        Raises:
            ProtocolViolated: It has not sent everything.
        """
        if self._status is None:
            raise ProtocolViolated(0, "the engine stopped sending files before it had sent all")

    def next(self) -> Step:
        """Return a request, or what is to be written.

        Work raises `OutputFailed`, if something cannot be written.
        """
        if self._status is not None:
            return self._status
        if self._wanted and len(self._awaited) < WINDOW:
            return self._request()
        work = self._jobs.step(last=self._completed)
        if work is None and self._completed and not self._finished:
            self._finished = True
            return Packet(type=Kind.FIN).encode()
        return work

    def close(self) -> None:
        """Remove the files that are not complete."""
        self._jobs.discard()
        self._destination.close()

    def _request(self) -> bytes:
        identifier, file = self._wanted.popleft()
        self._awaited[identifier] = file
        return Packet(type=Kind.REQ, ID=identifier).encode()

    def _take_entry(self, packet: Packet) -> None:
        if self._announced:
            raise ProtocolViolated(0, "the engine sent an entry after the end of the entries")
        if packet.stat is None:
            self._announced = True
            return
        entry = self._validator.check(packet.stat)
        identifier, self._count = self._count, self._count + 1
        if stat.S_ISREG(entry.mode) and not entry.hard:
            self._wanted.append((identifier, _File(entry, entry.size)))
        else:
            self._admitted.get(stat.S_IFMT(entry.mode), self._skip)(entry)

    def _make_directory(self, entry: FileEntry) -> None:
        self._directories.append(entry)
        self._jobs.add(partial(self._destination.directory, entry))

    def _make_symlink(self, entry: FileEntry) -> None:
        self._jobs.add(partial(self._destination.symlink, entry))

    def _make_link(self, entry: FileEntry) -> None:
        self._links.append(entry)

    def _skip(self, entry: FileEntry) -> None:
        self.skipped.append(entry.path)

    def _take_data(self, packet: Packet) -> None:
        file = self._awaited.get(packet.ID)
        if file is None:
            raise ProtocolViolated(0, f"the engine sent data for entry {packet.ID}, which was not asked for")
        if not file.begun:
            file.begun = True
            self._jobs.begin(packet.ID, partial(self._destination.create, file.entry))
        file.left -= len(packet.data)
        if file.left < 0 or (file.left and not packet.data):
            path, size = shown(file.entry.path), file.entry.size
            raise OutputFailed(0, f"{path}, in the output of the build, has not the {size} bytes announced")
        if packet.data:
            self._jobs.write(packet.ID, packet.data)
        else:
            self._end_file(packet.ID, file)

    def _end_file(self, identifier: int, file: _File) -> None:
        del self._awaited[identifier]
        self.files += 1
        self.bytes += file.entry.size
        self._jobs.commit(identifier)

    def _complete(self) -> None:
        """Queue what can be done when every file is complete."""
        self._completed = True
        for entry in self._links:
            self._jobs.add(partial(self._destination.link, entry))
        for entry in reversed(self._directories):
            self._jobs.add(partial(self._destination.settle, entry))

    def _take_finish(self, _: Packet) -> None:
        if not self._finished:
            raise ProtocolViolated(0, "the engine finished sending files before it had sent all")
        self._status = OK
        if self.skipped:
            warnings.warn(_not_made(self.skipped), stacklevel=2)

    def _take_error(self, packet: Packet) -> None:
        # Why, is in the answer to the build too.
        self._status = Status(Code.CANCELLED, packet.data.decode(errors="replace"))


def _not_made(paths: list[str]) -> str:
    more = len(paths) - _NAMED
    named = ", ".join(map(shown, paths[:_NAMED])) + (f" and {more} more" if more > 0 else "")
    return f"devices, named pipes and sockets in the output of the build are not made: {named}"


class TarReceiver:
    """A call in which a tar is received, as a handler.

    Args:
        create: What begins the file; it blocks, and raises OSError.
    """

    def __init__(self, create: Callable[[], Written]) -> None:
        self._jobs: Final = _Jobs()
        self._last = b""
        self._ended = False
        self.bytes: int = 0
        """How many bytes came."""
        self._jobs.begin(0, create)

    def receive(self, message: bytes) -> None:
        """Take a piece of the tar."""
        data = BytesMessage.decode(message).data
        self.bytes += len(data)
        self._last = (self._last + data[-_TRAILER:])[-_TRAILER:]
        self._jobs.write(0, data)

    def end(self) -> None:
        """Take note that the engine sends no more.

        Raises:
            OutputFailed: The tar has no end: engines end the call like that if they fail.
        """
        if self.bytes % _BLOCK or self._last != bytes(_TRAILER):
            raise OutputFailed(0, f"the tar that the build puts out is cut after {self.bytes} bytes")
        self._ended = True
        self._jobs.commit(0)

    def next(self) -> Step:
        """Return what is to be written. Work raises `OutputFailed`, if that cannot be done."""
        work = self._jobs.step(last=self._ended)
        return OK if work is None and self._ended else work

    def close(self) -> None:
        """Remove what there is of the tar, unless all of it is there."""
        self._jobs.discard()
