"""A private Podman: the service of its Docker-compatible API, with its own storage and settings."""

from typing import ClassVar

from .private import PrivateEngine
from .process_table import Process
from .processes import Child
from .unix_http import answers


class Podman(PrivateEngine):
    """The Podman of this machine's packages; on Debian 12 that is 4.3.

    The storage driver is vfs, which works anywhere.
    """

    name = "podman-4.3"
    programs = ("podman", "conmon", "umount")
    limits: ClassVar[str] = ""
    """More lines of the section `containers` of its settings."""

    def _start(self) -> None:
        for name, text in self._settings().items():
            (self._run / name).write_text(text)
        (self._data / "tmp").mkdir()
        self._child = Child(self._command(), self.log)
        self._child.start(lambda: answers(self.socket), timeout=60)

    def _settings(self) -> dict[str, str]:
        storage = f'driver = "vfs"\ngraphroot = "{self._data}/storage"\nrunroot = "{self._run}/storage"\n'
        # Podman raises the limits for containers, which a root without CAP_SYS_RESOURCE may not.
        containers = 'default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n' + self.limits
        engine = 'cgroup_manager = "cgroupfs"\nevents_logger = "file"\nlock_type = "file"\n'
        # Any port: where a prefix has none, Podman 4.3 matches it with all.
        registries = 'location = "127.0.0.1"\ninsecure = true\n'
        return {
            "storage.conf": f"[storage]\n{storage}",
            "containers.conf": f"[containers]\n{containers}[engine]\n{engine}",
            "registries.conf": f"[[registry]]\n{registries}",
        }

    def _command(self) -> tuple[str, ...]:
        return self._inside(
            "env",
            f"CONTAINERS_STORAGE_CONF={self._run}/storage.conf",
            f"CONTAINERS_CONF={self._run}/containers.conf",
            f"CONTAINERS_REGISTRIES_CONF={self._run}/registries.conf",
            f"TMPDIR={self._data}/tmp",
            *("podman", "--tmpdir", f"{self._run}/tmp", "system", "service", "--time=0", self.url),
        )

    def _serves(self, process: Process) -> bool:
        return str(self._run) in process.command
