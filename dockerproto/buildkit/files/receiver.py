"""Receive the output of a build: a tree of files, or a byte stream such as a tar.

Every entry of a tree is validated (see `EntryValidator`) before anything is written. A file appears when it
is complete, hard links are made to complete files, and directories get their modes and times when everything
in them is written. Writes are batched, as each batch is a blocking step.
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
from dockerproto.buildcontext.limits import DEFAULT_LIMITS, Limits, display_path
from dockerproto.buildkit.files.fsutil import (
    BytesMessage,
    Packet,
    PacketType,
    Stat,
    decode_data,
    decode_entry,
    encode_request,
    stat_to_entry,
)
from dockerproto.buildkit.files.validation import EntryValidator
from dockerproto.buildkit.rpc.handler import (
    OK,
    BlockingStep,
    Code,
    Handler,
    Metadata,
    RpcError,
    Services,
    Status,
    Step,
)
from dockerproto.errors import OutputFailed, ProtocolViolated
from dockerproto.transport.host import Destination, FileWriter

WINDOW: Final = 128
"""Limit on the files requested, and so open, at once; more are requested when half of them are complete."""
BATCH: Final = 256
"""Limit on the writes done in one step."""
BATCH_BYTES: Final = 256 * 2**10
"""Bytes collected before they are written, unless they are the last."""
SMALL: Final = 16 * 2**10
"""Limit on the size of files that are received whole before they are opened."""
_PATHS_IN_WARNING: Final = 5
"""Number of skipped paths that a warning lists."""
_TAR_END: Final = 1024
"""Number of zero bytes at the end of a tar."""
_BLOCK: Final = 512
_OUTPUT: Final = "buildkit-attachable-exporter-id"
"""Header that has the number of the output."""


def file_send(receivers: Mapping[int, Callable[[], Handler]]) -> Services:
    """Serve the service to which the engine sends the outputs of a build.

    Args:
        receivers: Factories of handlers, by the number of the output: of a `TreeReceiver` or a `TarReceiver`,
            as the engine does not say which it sends.
    """

    def make_receiver(metadata: Metadata) -> Handler:
        number = metadata.get(_OUTPUT, ("0",))[0]  # engines with one output send none
        make_handler = {str(known): make for known, make in receivers.items()}.get(number)
        if make_handler is None:
            raise RpcError(Code.NOT_FOUND, f"unknown output {number:.20}")
        return make_handler()

    return {"/moby.filesync.v1.FileSend/DiffCopy": make_receiver}


class _WriteQueue:
    """Pending writes in order, and the files being written."""

    def __init__(self) -> None:
        self._queue = deque[Callable[[], None]]()
        self._files = dict[int, FileWriter]()
        self._bytes = 0

    def add(self, write: Callable[[], None]) -> None:
        self._queue.append(write)

    def write_whole(self, write: Callable[[], None], size: int) -> None:
        self._bytes += size
        self.add(write)

    def begin(self, identifier: int, create: Callable[[], FileWriter]) -> None:
        self.add(lambda: self._files.update({identifier: create()}))

    def write(self, identifier: int, data: bytes) -> None:
        self._bytes += len(data)
        self.add(lambda: self._files[identifier].write(data))

    def commit(self, identifier: int) -> None:
        self.add(lambda: self._commit(identifier))

    @property
    def full(self) -> bool:
        """True if there is a batch to write."""
        return len(self._queue) >= BATCH or self._bytes >= BATCH_BYTES

    def step(self, *, last: bool) -> BlockingStep | None:
        """Return a step that does a batch of writes, if the batch is full or it is the last."""
        due = self._queue and (last or self.full)
        return BlockingStep(self._write_batch, self._reset_size) if due else None

    def discard(self) -> None:
        """Remove incomplete files."""
        while self._files:
            _, file = self._files.popitem()
            with suppress(OSError):
                file.discard()

    def _commit(self, identifier: int) -> None:
        self._files[identifier].commit()
        del self._files[identifier]

    def _write_batch(self) -> None:
        try:
            for _ in range(min(BATCH, len(self._queue))):
                self._queue.popleft()()
        except OSError as error:
            raise OutputFailed(0, f"cannot write the build output: {error}") from error

    def _reset_size(self, _: None) -> None:
        self._bytes = 0


class _ExpectedFile(Struct, gc=False):
    """A file that is to be received."""

    entry: FileEntry
    remaining: int
    """Number of bytes still to come."""
    opened: bool = False
    data: bytes = b""
    """Received content of a small file."""


class TreeReceiver:
    """Handler of a call that receives a tree of files.

    Args:
        destination: Where the tree is written.
        limits: Limits on the tree.
    """

    def __init__(self, destination: Destination, limits: Limits = DEFAULT_LIMITS) -> None:
        self._destination = destination
        self._validator = EntryValidator(limits)
        self._writes = _WriteQueue()
        self._count = 0
        self._to_request = deque[tuple[int, _ExpectedFile]]()
        self._requested = dict[int, _ExpectedFile]()
        self._requesting = True
        self._links = list[FileEntry]()
        self._directories = list[FileEntry]()
        self._all_announced = self._all_received = self._confirmed = False
        self._status: Status | None = None
        self.skipped: Final = list[str]()
        """Paths of devices, named pipes and sockets, which are not created."""
        self.files: int = 0
        """Number of regular files received."""
        self.bytes: int = 0
        """Total size of these files."""
        self._packet_handlers: Mapping[int, Callable[[Packet], None]] = {
            PacketType.STAT: self._on_stat,
            PacketType.DATA: lambda packet: self._on_data(packet.ID, packet.data),
            PacketType.FIN: self._on_finish,
            PacketType.ERR: self._on_error,
        }
        self._entry_handlers: Mapping[int, Callable[[FileEntry], None]] = {
            stat.S_IFDIR: self._make_directory,
            stat.S_IFLNK: self._make_symlink,
            stat.S_IFREG: self._defer_link,
        }
        self._writes.add(destination.prepare)

    def receive(self, message: bytes) -> bool:
        """Handle a packet of the engine, and return True until there is a batch to write.

        Raises:
            OutputFailed: The output contains something that must not be written.
            ProtocolViolated: A sender must not send this packet.
        """
        if self._status is None and (chunk := decode_data(message)) is not None:
            self._on_data(*chunk)
        elif self._status is None and (entry := decode_entry(message)) is not None:
            self._on_entry(entry)
        else:
            self._on_packet(Packet.decode(message))
        if self._all_announced and not (self._to_request or self._requested or self._all_received):
            self._queue_completion()
        return not (self._writes.full or self._all_received or self._status is not None)

    def end(self) -> None:
        """Note that the engine sends no more.

        Raises:
            ProtocolViolated: The engine has not sent everything.
        """
        if self._status is None:
            raise ProtocolViolated(0, "the engine stopped sending files before it had sent all of them")

    def next(self) -> Step:
        """Return a request for a file, or a step that writes.

        The step raises `OutputFailed` if a write fails.
        """
        if self._status is not None:
            return self._status
        if self._to_request and self._may_request():
            return self._next_request()
        step = self._writes.step(last=self._all_received)
        if step is None and self._all_received and not self._confirmed:
            self._confirmed = True
            return Packet(type=PacketType.FIN).encode()
        return step

    def close(self) -> None:
        """Remove incomplete files."""
        self._writes.discard()
        self._destination.close()

    def _may_request(self) -> bool:
        """Return whether to request a file; several at once, as each time wakes the engine."""
        requested = len(self._requested)
        self._requesting = requested < WINDOW if self._requesting else requested <= WINDOW // 2
        return self._requesting

    def _on_packet(self, packet: Packet) -> None:
        handle = self._packet_handlers.get(packet.type)
        if handle is None or self._status is not None:
            raise ProtocolViolated(0, f"unexpected packet type {packet.type} while receiving files")
        handle(packet)

    def _next_request(self) -> bytes:
        identifier, file = self._to_request.popleft()
        self._requested[identifier] = file
        return encode_request(identifier)

    def _on_stat(self, packet: Packet) -> None:
        if packet.stat is None and not self._all_announced:
            self._all_announced = True
        else:
            self._on_entry(stat_to_entry(packet.stat or Stat()))

    def _on_entry(self, entry: FileEntry) -> None:
        if self._all_announced:
            raise ProtocolViolated(0, "the engine sent an entry after the end of the entries")
        self._validator.check(entry)
        identifier, self._count = self._count, self._count + 1
        if stat.S_ISREG(entry.mode) and not entry.hard:
            self._to_request.append((identifier, _ExpectedFile(entry, entry.size)))
        else:
            self._entry_handlers.get(stat.S_IFMT(entry.mode), self._skip)(entry)

    def _make_directory(self, entry: FileEntry) -> None:
        self._directories.append(entry)
        self._writes.add(partial(self._destination.directory, entry))

    def _make_symlink(self, entry: FileEntry) -> None:
        self._writes.add(partial(self._destination.symlink, entry))

    def _defer_link(self, entry: FileEntry) -> None:
        self._links.append(entry)

    def _skip(self, entry: FileEntry) -> None:
        self.skipped.append(entry.path)

    def _on_data(self, identifier: int, data: bytes) -> None:
        file = self._requested.get(identifier)
        if file is None:
            raise ProtocolViolated(0, f"the engine sent data for entry {identifier}, which was not requested")
        file.remaining -= len(data)
        if file.remaining < 0 or (file.remaining and not data):
            path, size = display_path(file.entry.path), file.entry.size
            raise OutputFailed(0, f"{path} in the build output does not have the announced {size} bytes")
        if file.entry.size <= SMALL:
            self._add_to_small(identifier, file, data)
        else:
            self._add_to_large(identifier, file, data)

    def _add_to_small(self, identifier: int, file: _ExpectedFile, data: bytes) -> None:
        file.data += data
        if not data:
            self._note_end(identifier, file)
            self._writes.write_whole(partial(self._destination.write, file.entry, file.data), file.entry.size)

    def _add_to_large(self, identifier: int, file: _ExpectedFile, data: bytes) -> None:
        if not file.opened:
            file.opened = True
            self._writes.begin(identifier, partial(self._destination.create, file.entry))
        if data:
            self._writes.write(identifier, data)
        else:
            self._note_end(identifier, file)
            self._writes.commit(identifier)

    def _note_end(self, identifier: int, file: _ExpectedFile) -> None:
        del self._requested[identifier]
        self.files += 1
        self.bytes += file.entry.size

    def _queue_completion(self) -> None:
        """Queue the writes that must wait until every file is complete."""
        self._all_received = True
        for entry in self._links:
            self._writes.add(partial(self._destination.link, entry))
        for entry in reversed(self._directories):
            self._writes.add(partial(self._destination.settle, entry))

    def _on_finish(self, _: Packet) -> None:
        if not self._confirmed:
            raise ProtocolViolated(0, "the engine finished before it had sent all files")
        self._status = OK
        if self.skipped:
            warnings.warn(_skipped_warning(self.skipped), stacklevel=2)

    def _on_error(self, packet: Packet) -> None:
        # The build's response has the reason too.
        self._status = Status(Code.CANCELLED, packet.data.decode(errors="replace"))


def _skipped_warning(paths: list[str]) -> str:
    more = len(paths) - _PATHS_IN_WARNING
    named = ", ".join(map(display_path, paths[:_PATHS_IN_WARNING])) + (
        f" and {more} more" if more > 0 else ""
    )
    return f"devices, named pipes and sockets in the build output are not created: {named}"


class TarEnd:
    """The end of a tar that is received: engines end the call normally when they fail."""

    def __init__(self) -> None:
        self._tail = b""
        self.bytes: int = 0
        """Number of bytes received."""

    def add(self, data: bytes) -> None:
        """Note a chunk."""
        self.bytes += len(data)
        self._tail = (self._tail + data[-_TAR_END:])[-_TAR_END:]

    def check(self) -> None:
        """Raise OutputFailed if the tar is truncated."""
        if self.bytes % _BLOCK or self._tail != bytes(_TAR_END):
            raise OutputFailed(0, f"the tar output of the build is truncated after {self.bytes} bytes")


class TarReceiver:
    """Handler of a call that receives a tar.

    Args:
        create: Opens the file; it blocks, and raises OSError.
    """

    def __init__(self, create: Callable[[], FileWriter]) -> None:
        self._writes = _WriteQueue()
        self._end = TarEnd()
        self._complete = False
        self._writes.begin(0, create)

    def receive(self, message: bytes) -> bool:
        """Take a chunk of the tar, and return True until there is a batch to write."""
        data = BytesMessage.decode(message).data
        self._end.add(data)
        self._writes.write(0, data)
        return not self._writes.full

    def end(self) -> None:
        """Note that the engine sends no more.

        Raises:
            OutputFailed: The tar is truncated.
        """
        self._end.check()
        self._complete = True
        self._writes.commit(0)

    def next(self) -> Step:
        """Return a step that writes; it raises `OutputFailed` if the write fails."""
        step = self._writes.step(last=self._complete)
        return OK if step is None and self._complete else step

    def close(self) -> None:
        """Remove the tar, unless it is complete."""
        self._writes.discard()
