"""Driving the handlers of files: one against the other, or by the packets of a script."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from dockerproto.buildcontext.entry import FileEntry
from dockerproto.buildkit.files.fsutil import Packet, PacketType
from dockerproto.buildkit.files.receiver import TreeReceiver
from dockerproto.buildkit.files.selection import Selection
from dockerproto.buildkit.files.sender import FileSender
from dockerproto.buildkit.rpc.handler import BlockingStep, Handler, Status, Step
from dockerproto.transport.host import Destination, FileSystem

ALL = Selection()


def step(handler: Handler) -> Step:
    """Do the work of a handler; return what it wants then."""
    wanted = handler.next()
    while isinstance(wanted, BlockingStep):
        wanted.done(wanted.run())
        wanted = handler.next()
    return wanted


def drain(handler: Handler) -> tuple[list[bytes], Status | None]:
    """Return what a handler sends before it waits, or ends the call."""
    messages: list[bytes] = []
    while isinstance(wanted := step(handler), bytes):
        messages.append(wanted)
    assert wanted is None or isinstance(wanted, Status)
    return messages, wanted


def packets(handler: Handler) -> list[Packet]:
    """Return the packets that a handler sends before it waits, or ends the call."""
    return [Packet.decode(message) for message in drain(handler)[0]]


def feed(handler: Handler, *sent: Packet) -> list[Packet]:
    """Feed packets, and return those that come back."""
    back: list[Packet] = []
    for packet in sent:
        handler.receive(packet.encode())
        back += packets(handler)
    return back


def request(identifier: int) -> Packet:
    return Packet(type=PacketType.REQ, ID=identifier)


def data(identifier: int, content: bytes = b"") -> Packet:
    return Packet(type=PacketType.DATA, ID=identifier, data=content)


FIN = Packet(type=PacketType.FIN)


def copy(files: FileSystem, destination: Destination, selection: Selection = ALL) -> TreeReceiver:
    """Send files from one side to the other, until both have ended."""
    sender, receiver = FileSender(files, selection), TreeReceiver(destination)
    ended = [False, False]
    try:
        while not all(ended):
            moved = _carry(sender, receiver, ended, 0) + _carry(receiver, sender, ended, 1)
            assert moved or all(ended), "both wait"
    finally:
        sender.close()
        receiver.close()
    return receiver


def _carry(source: Handler, sink: Handler, ended: list[bool], side: int) -> int:
    """Carry a few messages; return how many, the end being one."""
    moved = 0
    while moved < 3 and not ended[side]:
        wanted = step(source)
        if wanted is None:
            break
        moved += 1
        if isinstance(wanted, Status):
            assert wanted.code == 0
            ended[side] = True
        else:
            assert isinstance(wanted, bytes)
            sink.receive(wanted)
    return moved


class Seen(NamedTuple):
    """The visible properties of a file, except its time."""

    path: str
    mode: int
    content: Any = None


def seen(root: Path) -> list[Seen]:
    """Return what is in a directory, with the times left out of it."""
    return [_seen(root, path) for path in sorted(_walk(root), key=os.fsencode)]


def _walk(root: Path) -> Iterable[str]:
    for directory, directories, files in os.walk(root):
        for name in (*directories, *files):
            yield str(Path(directory, name).relative_to(root))


def _seen(root: Path, path: str) -> Seen:
    full = root / path
    mode = full.lstat().st_mode
    if stat.S_ISLNK(mode):
        return Seen(path, mode, os.readlink(full))  # noqa: PTH115  # as it is
    return Seen(path, mode, full.read_bytes() if stat.S_ISREG(mode) else None)


def listing(directory: str | Path) -> list[str]:
    """Return the names in a directory."""
    return sorted(each.name for each in Path(directory).iterdir())


def file(path: str, size: int = 0, mode: int = 0o644, mtime: int = 0) -> FileEntry:
    return FileEntry(path=path, mode=stat.S_IFREG | mode, size=size, mtime=mtime)


def directory(path: str, mode: int = 0o755, mtime: int = 0) -> FileEntry:
    return FileEntry(path=path, mode=stat.S_IFDIR | mode, mtime=mtime)


def symlink(path: str, target: str, mtime: int = 0) -> FileEntry:
    return FileEntry(path=path, mode=stat.S_IFLNK | 0o777, target=target, mtime=mtime)


def link(path: str, target: str) -> FileEntry:
    return FileEntry(path=path, mode=stat.S_IFREG | 0o644, target=target, hard=True)


class MemoryOutput:
    """A destination in memory, which tells in which order it was written to."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.entries: dict[str, FileEntry] = {}
        self.contents: dict[str, bytes] = {}
        self.parts: dict[str, MemoryFile] = {}
        self.closed = False

    @property
    def names(self) -> list[str]:
        """The files that are there, or were begun."""
        return [*self.contents, *self.parts]

    def prepare(self) -> None:
        self.done.append("prepare")

    def directory(self, entry: FileEntry, /) -> None:
        self._take("directory", entry)

    def symlink(self, entry: FileEntry, /) -> None:
        self._take("symlink", entry)

    def create(self, entry: FileEntry, /) -> MemoryFile:
        self.parts[entry.path] = MemoryFile(self, entry)
        return self.parts[entry.path]

    def write(self, entry: FileEntry, data: bytes, /) -> None:
        self._take("file", entry)
        self.contents[entry.path] = data

    def link(self, entry: FileEntry, /) -> None:
        assert entry.target in self.contents
        self._take("link", entry)

    def settle(self, entry: FileEntry, /) -> None:
        self.done.append(f"settle {entry.path}")
        assert self.entries[entry.path] == entry

    def close(self) -> None:
        self.closed = True

    def complete(self, file: MemoryFile) -> None:
        self._take("file", file.entry)
        self.contents[file.entry.path] = file.content

    def _take(self, what: str, entry: FileEntry) -> None:
        self.done.append(f"{what} {entry.path}")
        self.entries[entry.path] = entry


class MemoryFile:
    """A file that is written in memory."""

    def __init__(self, output: MemoryOutput, entry: FileEntry) -> None:
        self._output = output
        self.entry = entry
        self.content = b""

    def write(self, data: bytes, /) -> None:
        self.content += data

    def commit(self) -> None:
        self._output.complete(self)
        del self._output.parts[self.entry.path]

    def discard(self) -> None:
        del self._output.parts[self.entry.path]
