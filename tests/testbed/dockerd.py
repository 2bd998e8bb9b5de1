"""A private Docker Engine: no network, its own containerd."""

import json
from pathlib import Path
from typing import Any, ClassVar

from .private import PrivateEngine
from .process_table import Process
from .processes import Child, ChildError
from .unix_http import answers


class Dockerd(PrivateEngine):
    """The Docker Engine of this machine's packages; on Debian 12 that is 20.10.

    The storage driver is the engine's own choice; if it does not come up with that, it is the one that works
    anywhere.
    """

    name = "docker-20.10"
    programs = ("dockerd", "containerd", "runc", "umount")
    settings: ClassVar[dict[str, Any]] = {}
    plainest_driver = "vfs"

    def __init__(self, directory: Path, *options: str) -> None:
        """Take the directory for the log, and more options of dockerd."""
        super().__init__(directory)
        self._options = options

    def _start(self) -> None:
        (self._run / "daemon.json").write_text(json.dumps(self.settings))  # not /etc/docker/daemon.json
        for driver in ((), (f"--storage-driver={self.plainest_driver}",)):
            self._child = Child((*self._command(), *driver), self.log)
            try:
                self._child.start(lambda: answers(self.socket), timeout=60)
                break
            except ChildError:
                if driver:
                    raise

    def _command(self) -> tuple[str, ...]:
        return self._inside(
            *("dockerd", "--host", self.url),
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

    def _serves(self, process: Process) -> bool:
        return str(self._exec_root) in process.command


class ContainerdStore(Dockerd):
    """A Docker Engine with images in the store of containerd, as fresh installs of 29 and later have it."""

    settings: ClassVar[dict[str, Any]] = {"features": {"containerd-snapshotter": True}}
    plainest_driver = "native"


def tls_options(port: int, ca: str, certificate: str, key: str) -> tuple[str, ...]:
    """Return the options of an engine that also listens on a TCP port, for clients with a certificate."""
    return (
        *("--host", f"tcp://127.0.0.1:{port}", "--tlsverify"),
        *("--tlscacert", ca, "--tlscert", certificate, "--tlskey", key),
    )
