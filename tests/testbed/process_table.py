"""The processes of this machine, as /proc shows them."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """One process: `command` is its command line, `root_mount` the line of its mountinfo about `/`."""

    pid: int
    parent: int
    command: str
    root_mount: str


def process_table() -> list[Process]:
    """List the processes with a command line: neither kernel threads nor those that wait to be reaped."""
    return list(_processes())


def family(table: Iterable[Process], pids: set[int]) -> list[Process]:
    """Select the processes with the given ids and all that descends from them."""
    rest = list(table)
    members: list[Process] = []
    wanted = set(pids)
    while found := [process for process in rest if process.pid in wanted or process.parent in wanted]:
        members += found
        wanted |= {process.pid for process in found}
        rest = [process for process in rest if process.pid not in wanted]
    return members


def _processes() -> Iterator[Process]:
    for directory in Path("/proc").iterdir():
        if directory.name.isdecimal():
            with suppress(OSError):  # it ended in between
                process = _process(directory)
                if process.command:
                    yield process


def _process(directory: Path) -> Process:
    command = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    after_name = (directory / "stat").read_text(errors="replace").rpartition(")")[2].split()
    mounts = (directory / "mountinfo").read_text(errors="replace").splitlines()
    root_mount = next((line for line in reversed(mounts) if line.split(" ")[4] == "/"), "")
    return Process(int(directory.name), int(after_name[1]), command, root_mount)
