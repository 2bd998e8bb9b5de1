"""Recognize arguments of a build that mean something else in docker-py: a Dockerfile, its path, a URL.

There, `dockerfile` is a path, `fileobj` is a Dockerfile and `path` may be a URL. The errors say what an
argument is here, and which one to use instead. Only values with which no build could succeed are rejected.
"""

from __future__ import annotations

import re
from typing import Final

from dockerproto.errors import UploadFailed

HEAD_SIZE: Final = 512
"""Bytes of an archive that show what it is."""
INSTRUCTIONS: Final = frozenset(
    (
        *("add", "arg", "cmd", "copy", "entrypoint", "env", "expose", "from", "healthcheck", "label"),
        *("maintainer", "onbuild", "run", "shell", "stopsignal", "user", "volume", "workdir"),
    )
)
"""Instructions of a Dockerfile, in lower case."""

_BOM: Final = b"\xef\xbb\xbf"
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://|git@[\w.-]+:", re.ASCII | re.IGNORECASE)
_SHOWN: Final = 100
"""Limit on the characters of a value in an error message."""


def single_line(dockerfile: bytes) -> str | None:
    """Return the text of a Dockerfile if it has one line only, which may be a path; otherwise None."""
    text = dockerfile.removeprefix(_BOM).decode("utf-8", "surrogateescape").strip()
    return None if "\n" in text else text or None


def check_dockerfile(dockerfile: bytes) -> None:
    """Raise ValueError if a Dockerfile is a single line that is neither an instruction nor a comment."""
    line = single_line(dockerfile)
    if line is not None and not _begins_dockerfile(line):
        raise path_as_dockerfile(line)


def path_as_dockerfile(path: str) -> ValueError:
    """Return the error for a path in place of the text of a Dockerfile."""
    shown = repr(path if len(path) <= _SHOWN else f"{path[:_SHOWN]}…")
    return ValueError(
        f"dockerfile must be the text of a Dockerfile, not {shown}; to name a file, use path_dockerfile"
    )


def check_directory(path: str) -> None:
    """Raise ValueError if the path of a directory is a URL; it may have a password, so it is not quoted."""
    if _URL.match(path):
        raise ValueError("path must be a directory, not a URL; to let the engine fetch a URL, use remote")


def is_github(path: str) -> bool:
    """Return True if a path, of which no directory exists, is a URL without a scheme."""
    return path.startswith("github.com/")


def check_archive(head: bytes) -> None:
    """Check the first bytes of the archive of a build context.

    Raises:
        UploadFailed: They are the beginning of a Dockerfile.
    """
    text = head[:HEAD_SIZE].removeprefix(_BOM).decode(errors="replace").lstrip()
    if "\0" not in text and _begins_dockerfile(text.partition("\n")[0]):
        raise UploadFailed(
            0,
            "fileobj must be a tar of the build context, not a Dockerfile; "
            "use dockerfile for the text of a Dockerfile, or path_dockerfile for its path",
        )


def _begins_dockerfile(line: str) -> bool:
    """Return True if a line is a comment, or an instruction with arguments."""
    name, *arguments = line.split(None, 1) or ("",)
    return line.startswith("#") or (bool(arguments) and name.lower() in INSTRUCTIONS)
