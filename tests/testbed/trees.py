"""Trees of newer Debian releases, for engines and Pythons that need a newer libc than this machine has.

A tree is made once, by debootstrap, and kept in the cache: `$DOCKERPROTO_CACHE`, by default
`~/.cache/dockerproto`. It is not changed afterwards, so any number of engines can use it; one whose recipe
here changes is made anew, beside the old one.

A chroot would not do: builds remount `/`, which has to be a mount point. So each program has a mount
namespace, in which the tree is the root, with directories of this machine. All mounts end with the last
process of the namespace. A program that runs in the tree can start others there.
"""

import os
import re
import shutil
import subprocess
import tempfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .processes import environment, hindrance

_PROGRAMS = ("unshare", "mount", "umount", "pivot_root")
_SCRIPT = "sid"  # of debootstrap: the same for every release, and older machines lack those of newer ones
_SITES = ("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Label: Debian")
_MAKE = r"""
set -eu
tree=$1 suite=$2 mirror=$3 script=$4 more=$5
shift 5
mount --make-rprivate /
debootstrap --variant=minbase --include=ca-certificates "$suite" "$tree" "$mirror" "$script"
printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d" # packages start no services
chmod 755 "$tree/usr/sbin/policy-rc.d"
[ -e "$tree/etc/hosts" ] || echo '127.0.0.1 localhost' >"$tree/etc/hosts"
export DEBIAN_FRONTEND=noninteractive
if [ -n "$more" ]; then
    sed "s/ $suite / $more /" "$tree/etc/apt/sources.list" >"$tree/etc/apt/sources.list.d/$more.list"
    # A machine's clock may be ahead of its mirror.
    chroot "$tree" apt-get -qq -o Acquire::Retries=3 -o Acquire::Check-Valid-Until=false update
fi
chroot "$tree" apt-get -qq -o Acquire::Retries=3 install --yes --no-install-recommends "$@"
chroot "$tree" apt-get clean
"""
_ENTER = """
set -eu
tree=$1 suite=$2 cgroups=$3 directories=$4
shift 4
mount --make-rprivate /
if [ -n "$tree" ]; then
    mount --bind "$tree" "$tree"
    mount -t proc proc "$tree/proc"
    mount --rbind /sys "$tree/sys"
    [ "$cgroups" = 1 ] || mount -t cgroup2 cgroup2 "$tree/sys/fs/cgroup"
    mount --rbind /dev "$tree/dev"
    mount -t tmpfs tmpfs "$tree/run"
    mount -t tmpfs tmpfs "$tree/tmp"
fi
IFS=:
for directory in $directories; do
    mkdir -p "$tree$directory"
    mount --bind "$directory" "$tree$directory"
done
if [ -n "$tree" ]; then
    cd "$tree"
    pivot_root . mnt
    cd /
    umount -l /mnt
    export DOCKERPROTO_TREE="$suite"
fi
exec "$@"
"""


@dataclass(frozen=True)
class Tree:
    """A Debian release with the programs that the tests need from it."""

    suite: str
    packages: tuple[str, ...]
    more: str = ""
    """Another suite that packages may come from."""
    cgroups: int = 1
    """Version of the control groups that programs see; 1 means those of this machine, whatever they are."""

    @property
    def place(self) -> Path:
        """Directory of the tree, whether or not it exists yet; its name tells the recipe."""
        cache = os.environ.get("DOCKERPROTO_CACHE")
        recipe = zlib.crc32("\n".join((_MAKE, self.more, *self.packages)).encode())
        directory = Path(cache) if cache else Path.home() / ".cache" / "dockerproto"
        return directory.resolve() / f"{self.suite}-{recipe:08x}"

    @property
    def _entered(self) -> bool:
        return os.environ.get("DOCKERPROTO_TREE") == self.suite

    def available(self) -> str | None:
        """Return None if programs of the tree can be started here, else the reason."""
        if self._entered:
            return hindrance("unshare", "mount")
        return hindrance(*_PROGRAMS, *(() if self.place.exists() else ("debootstrap",)))

    def command(self, *words: str, directories: str) -> tuple[str, ...]:
        """Return the command that runs a program in the tree.

        It sees these directories, with ":" between them.
        """
        tree = "" if self._entered else str(self.make())
        arguments = (tree, self.suite, str(self.cgroups), directories)
        return ("unshare", "--mount", "sh", "-c", _ENTER, "sh", *arguments, *words)

    def make(self) -> Path:
        """Return the directory; the first time it is made, which takes about a minute and a Debian mirror."""
        place = self.place
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=place.parent))
            try:
                self._make_in(unfinished)
                unfinished.chmod(0o755)
                with suppress(OSError):  # somebody else was faster
                    unfinished.rename(place)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
        return place

    def _make_in(self, directory: Path) -> None:
        arguments = (str(directory), self.suite, _mirror(), _SCRIPT, self.more, *self.packages)
        made = subprocess.run(
            ("unshare", "--mount", "sh", "-c", _MAKE, "sh", *arguments),
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment(),
        )
        if made.returncode:
            end = "\n".join(made.stdout.splitlines()[-30:])
            raise RuntimeError(f"cannot make a tree of Debian's {self.suite}; its log ends with:\n{end}")


def _mirror() -> str:
    """Return the mirror that this machine's apt uses for Debian; "" is debootstrap's own choice."""
    sites = subprocess.run(_SITES, check=False, capture_output=True, text=True, env=environment()).stdout
    return re.split(r"\s", sites, maxsplit=1)[0]


_ENGINES = ("docker.io", "git", "podman")
_LIBRARIES = ("python3-venv", "python3-h11", "python3-h2", "python3-httpx", "python3-msgspec")
_TESTS = ("docker-cli", "openssh-client", "openssh-server", "busybox-static")  # for tests that run in a tree
TRIXIE: Final = Tree("trixie", (*_ENGINES, *_LIBRARIES, *_TESTS))
"""Debian 13: Docker 26.1, Podman 5.4, Python 3.13. BuildKit clones contexts with git."""
FORKY: Final = Tree("forky", (*_ENGINES, *_LIBRARIES, *_TESTS))
"""Debian 14 to be, which moves on: Docker 28.5, Podman 5.8, Python 3.14 on 2026-11-29."""
SID: Final = Tree("sid", ("podman/experimental", "runc"), more="experimental", cgroups=2)
"""Debian's unstable packages with experimental's Podman 6.1, which requires control groups of version 2."""
