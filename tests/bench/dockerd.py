"""A private Docker Engine: no network, its own socket, storage and containerd, nothing of it left afterwards.

It needs root. It neither reads nor touches what an engine of the machine uses.
"""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

from .process_table import Process, family, process_table
from .processes import Child, ChildError, NotInTimeError, environment, short_directory, wait_until
from .unix_http import answers

_BINARIES = ("dockerd", "containerd", "runc", "umount")
_CAP_SYS_ADMIN = 1 << 21  # the right to mount


class Dockerd:
    """A Docker Engine that runs inside the `with`.

    `socket` is its unix socket, `url` the same as a `unix://` URL, `log` the file with its output, which
    stays. The storage driver is the engine's own choice; if it does not come up with that, it is vfs, which
    works anywhere.
    """

    socket: Path
    url: str

    def __init__(self, directory: Path, *options: str) -> None:
        """Take the directory for what is large, and more options of dockerd."""
        self._options = options
        self.log = directory / "dockerd.log"
        self._directory = directory
        self._child: Child | None = None

    def __enter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._run = short_directory()
        self._data = (self._directory / self._run.name).resolve()
        self.socket = self._run / "docker.sock"
        self.url = f"unix://{self.socket}"
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        _kill(process for process in self._members() if self._contains(process))  # or it gives each 10 s
        if self._child is not None:
            self._child.stop()
        _kill(self._members())
        for directory in (self._run, self._data):
            _unmount_below(directory)
            shutil.rmtree(directory, ignore_errors=True)

    @property
    def pid(self) -> int:
        """Give the process id of the dockerd."""
        if self._child is None:
            raise RuntimeError("dockerd is not running")
        return self._child.pid

    def processes(self, needle: str) -> list[int]:
        """Give the ids of the processes in this engine whose command line contains `needle`."""
        return [process.pid for process in self._members() if needle in process.command]

    def _start(self) -> None:
        (self._run / "daemon.json").write_text("{}")  # not the machine's /etc/docker/daemon.json
        for driver in ((), ("--storage-driver=vfs",)):
            self._child = Child((*self._command(), *driver), self.log)
            try:
                self._child.start(lambda: answers(self.socket), timeout=60)
                break
            except ChildError:
                if driver:
                    raise

    def _command(self) -> tuple[str, ...]:
        return (
            *(shutil.which("dockerd", path=environment()["PATH"]) or "dockerd", "--host", self.url),
            *("--config-file", str(self._run / "daemon.json")),
            *("--data-root", str(self._data)),
            *("--exec-root", str(self._exec_root)),
            *("--pidfile", str(self._run / "dockerd.pid")),
            *("--bridge=none", "--iptables=false", "--ip6tables=false"),
            *("--insecure-registry", "127.0.0.0/8"),
            *self._options,
        )

    @property
    def _exec_root(self) -> Path:
        return self._run / "x"

    def _members(self) -> list[Process]:
        """List the processes of this engine: daemons, shims, containers, and what descends from them."""
        table = process_table()
        roots = (p for p in table if str(self._exec_root) in p.command or self._contains(p))
        return family(table, {process.pid for process in roots})

    def _contains(self, process: Process) -> bool:
        """Tell whether a process is inside a container: its root lies in the engine's storage.

        This finds also one whose parents are gone.
        """
        return self._data.name in process.root_mount


def available() -> str | None:
    """Give None if a private dockerd can be started here, else the reason why not."""
    if not Path("/proc/self/mountinfo").exists():
        return "this is not Linux"
    if os.geteuid() != 0:
        return "a private dockerd needs root"
    effective = re.search(r"^CapEff:\s*(\w+)", Path("/proc/self/status").read_text(), re.MULTILINE)
    if effective and not int(effective[1], 16) & _CAP_SYS_ADMIN:
        return "a private dockerd needs the right to mount (CAP_SYS_ADMIN)"
    missing = [name for name in _BINARIES if shutil.which(name, path=environment()["PATH"]) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


def _kill(processes: Iterator[Process] | list[Process]) -> None:
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
