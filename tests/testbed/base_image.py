"""Images without a network: a base image made of busybox, and build contexts in memory.

Both are deterministic: the same input gives the same bytes, so the same layer digest.
"""

import io
import tarfile
from pathlib import Path

from .unix_http import ask

_BUSYBOX = Path("/bin/busybox")
_APPLETS = (
    "sh",
    "ls",
    "cat",
    "echo",
    "sleep",
    "dd",
    "head",
    "true",
    "false",
    "env",
    "test",
    "wc",
    "od",
    "mkdir",
)


def busybox_layer() -> bytes:
    """Make the tar of a root file system with a statically linked busybox and some of its applets.

    See `import_layer`. The image has an empty config: no command, no environment.
    """
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        directory = tarfile.TarInfo("bin")
        directory.type, directory.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(directory)
        _add(archive, "bin/busybox", _BUSYBOX.read_bytes(), mode=0o755)
        for applet in _APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    return output.getvalue()


def import_layer(socket: Path, name: str, layer: bytes) -> None:
    """Import a tar into an engine, as the only layer of the image ``name:latest``."""
    target = f"/images/create?fromSrc=-&repo={name}&tag=latest"
    response = ask(socket, "POST", target, layer, {"Content-Type": "application/x-tar"})
    assert response.status == 200, response.body


def context(dockerfile: str, **files: bytes) -> bytes:
    """Make the tar of a build context: a Dockerfile and more files, by their names.

    Pass names that are not identifiers as `**{"folder/file.txt": b"..."}`.
    """
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        _add(archive, "Dockerfile", dockerfile.encode())
        for name, content in files.items():
            _add(archive, name, content)
    return output.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes, *, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))
