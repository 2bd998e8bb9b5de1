"""Docker 26.1 and Python 3.13, from Debian 13 ("trixie"), on a machine with an older libc: in a tree.

The tree is made once, by debootstrap, and kept in the cache: `$DOCKERPROTO_CACHE/trixie-python`, by default
`~/.cache/dockerproto/trixie-python`. It is not changed afterwards, so any number of engines can use it.

A chroot would not do: builds remount `/`, which has to be a mount point. So each engine has a mount
namespace, in which the tree is the root. The directories of the engine have the same paths inside and
outside. All mounts end with the last process of the namespace.
"""

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from .dockerd import Dockerd
from .private import hindrance
from .processes import environment

_PACKAGES = (
    *("docker.io", "git"),  # git is for contexts that the engine clones
    *("python3", "python3-h11", "python3-h2", "python3-httpx", "python3-msgspec"),
)
_PROGRAMS = ("unshare", "mount", "umount", "pivot_root")
_ENTER = """
set -eu
tree=$1 directories=$2
shift 2
mount --make-rprivate /
mount --bind "$tree" "$tree"
mount -t proc proc "$tree/proc"
mount --rbind /sys "$tree/sys"
mount --rbind /dev "$tree/dev"
mount -t tmpfs tmpfs "$tree/run"
mount -t tmpfs tmpfs "$tree/tmp"
IFS=:
for directory in $directories; do
    mkdir -p "$tree$directory"
    mount --bind "$directory" "$tree$directory"
done
cd "$tree"
pivot_root . mnt
cd /
umount -l /mnt
exec "$@"
"""
_MAKE = """
set -eu
tree=$1
shift
mount --make-rprivate /
debootstrap --variant=minbase --include=ca-certificates trixie "$tree"
printf '#!/bin/sh\\nexit 101\\n' >"$tree/usr/sbin/policy-rc.d" # packages start no services
chmod 755 "$tree/usr/sbin/policy-rc.d"
export DEBIAN_FRONTEND=noninteractive
chroot "$tree" apt-get -qq -o Acquire::Retries=3 install --yes --no-install-recommends "$@"
chroot "$tree" apt-get clean
"""


class DockerdOfTrixie(Dockerd):
    """Docker 26.1, with images in the store of a graph driver."""

    name = "docker-26.1"

    def _command(self) -> tuple[str, ...]:
        directories = f"{self._run}:{self._data}"
        _, *arguments = super()._command()
        return command("dockerd", *arguments, directories=directories)


class DockerdWithContainerdStore(DockerdOfTrixie):
    """Docker 26.1, with images in the store of containerd, as fresh installs of 29 and later have it."""

    name = "docker-26.1-containerd"
    settings: ClassVar[dict[str, Any]] = {"features": {"containerd-snapshotter": True}}
    plainest_driver = "native"


def command(*words: str, directories: str) -> tuple[str, ...]:
    """Return the command that runs a program in the tree; it sees these directories, ":" between them."""
    return ("unshare", "--mount", "sh", "-c", _ENTER, "sh", str(tree()), directories, *words)


def available() -> str | None:
    """Return None if programs of the tree can be started here, else the reason."""
    return hindrance(*_PROGRAMS, *(() if _place().exists() else ("debootstrap",)))


def tree() -> Path:
    """Return the tree; the first time it is made, which takes about a minute and a Debian mirror."""
    place = _place()
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix="trixie-", dir=place.parent))
        try:
            _make(unfinished)
            unfinished.chmod(0o755)
            with suppress(OSError):  # somebody else was faster
                unfinished.rename(place)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return place


def _place() -> Path:
    cache = os.environ.get("DOCKERPROTO_CACHE")
    return (Path(cache) if cache else Path.home() / ".cache" / "dockerproto").resolve() / "trixie-python"


def _make(directory: Path) -> None:
    command = ("unshare", "--mount", "sh", "-c", _MAKE, "sh", str(directory), *_PACKAGES)
    made = subprocess.run(
        command, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment()
    )
    if made.returncode:
        end = "\n".join(made.stdout.splitlines()[-30:])
        raise RuntimeError(f"the tree of Debian 13 could not be made. The end of the log:\n{end}")
