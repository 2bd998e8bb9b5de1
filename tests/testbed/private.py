"""A private engine with its own socket, storage and processes; nothing is left of it afterwards.

It needs root. It neither reads nor touches what an engine of the machine uses. What starts it is up to the
classes for each kind of engine.
"""

import os
import re
import shutil
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Self

from .process_table import Process, family, process_table
from .processes import Child, NotInTimeError, environment, hindrance, short_directory, wait_until
from .trees import Tree

_CONTROLLERS = Path("/sys/fs/cgroup/cgroup.controllers")
"""File of control groups of version 2, if those of this machine are that."""


class PrivateEngine(ABC):
    """An engine that runs inside the `with`.

    `name` says which engine it is, and its version; `programs` what it needs of this machine, unless it runs
    in a `tree`; `socket` is its unix socket, `url` the same as a `unix://` URL, `log` the file with its
    output, which stays.
    """

    name: ClassVar[str]
    programs: ClassVar[tuple[str, ...]]
    tree: ClassVar[Tree | None] = None
    socket: Path
    url: str

    def __init__(self, directory: Path) -> None:
        self.log = directory / "engine.log"
        self._child: Child | None = None

    def __enter__(self) -> Self:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._run = short_directory()
        self._data = self._run / "data"
        self.socket = self._run / "engine.sock"
        self.url = f"unix://{self.socket}"
        try:
            self._data.mkdir()
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        _kill(process for process in self._members() if self._contains(process))  # or it gives each 10 s
        if self._child is not None:
            self._child.stop()
        with suppress(NotInTimeError):  # a kernel that hangs must not keep the tests from ending
            wait_until(self._swept, timeout=20, interval=0.1)

    @classmethod
    def available(cls) -> str | None:
        """Return None if such an engine can be started here, else the reason."""
        return hindrance(*cls.programs) if cls.tree is None else cls.tree.available()

    @property
    def can_limit(self) -> bool:
        """Return whether this machine's control groups can limit the memory and the CPU of containers."""
        return self.tree is None or self.tree.cgroups == 1 or _CONTROLLERS.exists()

    @property
    def pid(self) -> int:
        """Return the process id of the engine."""
        if self._child is None:
            raise RuntimeError(f"{self.name} is not running")
        return self._child.pid

    def _swept(self) -> bool:
        """Remove what is left; False if something of it came back, as what cleans up after a container."""
        _kill(self._members())
        _unmount_below(self._run)
        shutil.rmtree(self._run, ignore_errors=True)
        return not (self._run.exists() or self._members())

    def processes(self, needle: str) -> list[int]:
        """Return the ids of the processes in this engine whose command line contains `needle`.

        The command line of a process that is just executing another program may be empty: wait for it.
        """
        return [process.pid for process in self._members() if needle in process.command]

    @abstractmethod
    def _start(self) -> None:
        """Start `_child`, and wait until it answers."""

    def _inside(self, *command: str) -> tuple[str, ...]:
        """Return the command as it runs in the engine's tree, if it has one."""
        if self.tree is None:
            return command
        return self.tree.command(*command, directories=str(self._run))

    def _members(self) -> list[Process]:
        """List the processes of this engine: daemons, shims, containers, and what descends from them."""
        table = process_table()
        return family(table, {each.pid for each in table if self._serves(each) or self._contains(each)})

    @abstractmethod
    def _serves(self, process: Process) -> bool:
        """Return whether a process is one of the engine's own, by its command line."""

    def _contains(self, process: Process) -> bool:
        """Return whether a process is inside a container: its root lies in the engine's storage.

        This finds also one whose parents are gone.
        """
        return self._run.name in process.root_mount


def _kill(processes: Iterable[Process]) -> None:
    pids = [process.pid for process in processes]
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with suppress(NotInTimeError):  # a kernel that hangs must not keep the rest from being cleaned up
        wait_until(lambda: not any(process.pid in pids for process in process_table()), timeout=10)


def _unmount_below(directory: Path) -> None:
    for mount_point in reversed(list(_mount_points())):
        if mount_point.is_relative_to(directory):
            subprocess.run(
                ("umount", "-l", str(mount_point)), check=False, capture_output=True, env=environment()
            )


def _mount_points() -> Iterator[Path]:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        escaped = line.split(" ")[4]
        yield Path(re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), escaped))
