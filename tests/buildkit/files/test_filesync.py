"""Senders against receivers: any tree arrives unchanged, however its bytes are split."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerproto import DockerError
from dockerproto.buildcontext.entry import FileEntry
from dockerproto.buildkit.files.fsutil import Packet, PacketType, Stat, entry_to_stat
from dockerproto.buildkit.files.receiver import TreeReceiver
from dockerproto.buildkit.files.selection import Selection, select
from dockerproto.buildkit.files.sender import FileSender
from dockerproto.transport.file_tree import FileTree
from dockerproto_local.directory import Directory
from dockerproto_local.output_directory import OutputDirectory
from tests.support.feeding import any_cuts
from tests.support.filesync import ALL, MemoryOutput, copy, feed, packets, seen
from tests.support.recorded_sessions import RECORDED, answers, sent_by

names = st.text(st.sampled_from("ab.-\u00e4\udcff"), min_size=1, max_size=3).filter(
    lambda name: name not in (".", "..")
)
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
modes = st.integers(0, 0o7777)
times = st.integers(-(2**63), 2**63 - 1)
contents = st.binary(max_size=300) | st.integers(60_000, 140_000).map(lambda size: b"x" * size)
targets = st.sampled_from(["a", "../..", "/", "b/\udcff", "/etc/passwd"])


@st.composite
def trees(draw: st.DrawFn) -> FileTree:
    """Make an arbitrary tree."""
    tree = FileTree()
    for path in draw(st.lists(paths, max_size=12)):
        kind = draw(st.sampled_from([stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFIFO]))
        content = draw(contents)
        entry = FileEntry(
            path=path,
            mode=kind | draw(modes),
            size=len(content) if kind == stat.S_IFREG else 0,
            mtime=draw(times),
            target=draw(targets) if kind == stat.S_IFLNK else "",
        )
        _add(tree, entry, content)
    for path, target in draw(st.lists(st.tuples(paths, paths), max_size=4)):
        _add(tree, FileEntry(path=path, mode=stat.S_IFREG, target=target, hard=True), b"")
    return tree


def _add(tree: FileTree, entry: FileEntry, content: bytes) -> None:
    source = FileTree.of({"content": content})
    try:
        tree.add(entry, lambda: source.open("content"))
    except ValueError:
        return  # it would be below a file, or links to none


def selected(tree: FileTree, selection: Selection = ALL) -> dict[str, FileEntry]:
    return {
        entry.path: entry
        for entry in select(tree, selection)
        if entry is not None and not stat.S_ISFIFO(entry.mode)
    }


@pytest.mark.filterwarnings("ignore:devices, named pipes and sockets")
@any_cuts
@given(tree=trees())
def test_a_tree_arrives_as_it_was(tree: FileTree) -> None:
    output = MemoryOutput()
    receiver = copy(tree, output)
    expected = selected(tree)
    assert output.entries == expected
    assert output.contents == {
        path: tree.open(path).read(10**6)
        for path, entry in expected.items()
        if stat.S_ISREG(entry.mode) and not entry.hard
    }
    assert receiver.files == len(output.contents)
    assert output.parts == {}


@pytest.mark.filterwarnings("ignore:devices, named pipes and sockets")
@any_cuts
@given(tree=trees(), follow=st.lists(paths, max_size=3), exclude=st.lists(paths, max_size=3))
def test_what_is_selected_is_a_tree_too(tree: FileTree, follow: list[str], exclude: list[str]) -> None:
    selection = Selection(follow=tuple(follow), exclude=tuple(exclude))
    output = MemoryOutput()
    copy(tree, output, selection)
    assert output.entries == selected(tree, selection)
    assert output.entries.keys() <= selected(tree).keys()


def test_a_directory_arrives_as_it_was(tmp_path: Path) -> None:
    root = tmp_path / "context"
    (root / "d/e").mkdir(parents=True)
    (root / "d/a").write_bytes(bytes(300_000))
    (root / "d/a").chmod(0o4755)
    (root / "d/e/h").hardlink_to(root / "d/a")
    (root / "empty").touch()
    (root / "d/e/s").symlink_to("/etc")
    (root / "d").chmod(0o555)
    for number in range(600):
        (root / f"d/e/{number}").write_text(str(number))
    receiver = copy(Directory(root), OutputDirectory(tmp_path / "dist"))
    assert seen(tmp_path / "dist") == seen(root)
    assert (tmp_path / "dist/d/a").samefile(tmp_path / "dist/d/e/h")
    for path in ("d", "d/e", "d/e/s", "d/e/17"):
        assert (tmp_path / "dist" / path).lstat().st_mtime_ns == (root / path).lstat().st_mtime_ns
    assert receiver.files == 602


@any_cuts
@given(
    script=st.lists(
        st.builds(
            Packet,
            type=st.integers(-1, 5),
            stat=st.none()
            | st.builds(
                Stat,
                path=paths | st.text(max_size=3),
                mode=st.sampled_from([0o644, 1 << 31, 1 << 27, 1 << 26, 1 << 25]) | st.integers(0, 2**32 - 1),
                size=st.integers(-1, 3),
                linkname=st.just("") | targets,
            ),
            ID=st.integers(0, 3),
            data=st.binary(max_size=2),
        ),
        max_size=30,
    )
)
def test_whatever_comes_ends_in_our_own_errors(script: list[Packet]) -> None:
    output = MemoryOutput()
    for handler in (TreeReceiver(output), FileSender(FileTree.of({"a": b"1", "b": b"23"}), ALL)):
        try:
            feed(handler, *script)
        except DockerError as error:
            assert error.message  # noqa: PT017  # nothing has to be raised
        handler.close()
    assert output.parts == {}


@pytest.mark.parametrize("engine", RECORDED)
def test_recorded_calls(engine: str) -> None:
    client, theirs = recorded(engine, "client"), recorded(engine, "engine")
    calls = [stream for stream in client if theirs.get(stream, [])[-1:] == [Packet(type=PacketType.FIN)]]
    assert len(calls) >= 2
    for stream in calls:
        tree = recorded_tree(client[stream])
        sender = FileSender(tree, ALL)
        sent = packets(sender) + feed(sender, *theirs[stream])
        assert sent == client[stream]


def recorded_tree(*calls: list[Packet]) -> FileTree:
    """Return the files that a recorded client sent in some calls, as a file system."""
    tree = FileTree()
    for sent in calls:
        _add_recorded(tree, sent)
    return tree


def _add_recorded(tree: FileTree, sent: list[Packet]) -> None:
    contents = {packet.ID: packet.data for packet in sent if packet.type == PacketType.DATA and packet.data}
    for identifier, packet in enumerate(each for each in sent if each.stat is not None):
        assert packet.stat is not None
        content = contents.get(identifier, bytes(packet.stat.size))
        entry = FileEntry(
            path=packet.stat.path,
            mode=stat.S_IFREG | packet.stat.mode,
            size=packet.stat.size,
            mtime=packet.stat.mod_time,
        )
        assert entry_to_stat(entry) == packet.stat
        _add(tree, entry, content)


def recorded(engine: str, side: str) -> dict[int, list[Packet]]:
    """Return the packets of one side of a recorded session, by stream; other services yield other data."""
    messages = answers(sent_by(side, engine)).messages
    return {stream: list(map(Packet.decode, each)) for stream, each in messages.items()}
