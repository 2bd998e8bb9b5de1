"""Exchanges of real engines with a client, byte by byte; their format is in `tests/vectors/README.md`."""

import lzma
import tarfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

ARCHIVES: Final = Path(__file__).parent.parent / "vectors" / "recordings"
ENGINES: Final = (
    *("docker-20.10", "docker-26.1", "docker-28.5", "docker-28.5-containerd"),
    *("docker-29.7", "docker-29.7-containerd", "podman-4.3", "podman-5.4", "podman-5.8", "podman-6.1"),
)
"""Recorded engines; ``-containerd`` is the same engine with the containerd image store."""


class Recording(NamedTuple):
    """One exchange."""

    request: str
    """Method and target: ``GET /v1.41/images/json``."""
    response: bytes
    """The whole response as received: status line, headers, framed body."""


@cache
def recordings_of(engine: str) -> Mapping[str, Recording]:
    """Return the recordings of an engine by name."""
    with lzma.open(ARCHIVES / f"{engine}.tar.xz") as data, tarfile.open(fileobj=data) as archive:
        files = {each.name: _content(archive, each) for each in archive}
    names = [name.removesuffix(".http") for name in files if name.endswith(".http")]
    return {
        name: Recording(files[f"{name}.request"].decode().strip(), files[f"{name}.http"]) for name in names
    }


def recorded(path: str) -> bytes:
    """Return a response that an engine sent, by engine and name: "docker-20.10/list"."""
    engine, _, name = path.partition("/")
    return recordings_of(engine)[name].response


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    assert file is not None, member.name
    return file.read()
