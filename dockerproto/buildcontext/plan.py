"""The context of a build that is made of a directory: what is sent of it, and under what names.

Files are not looked at here: what was found is handed in. The Dockerfile and the ignore file are always
sent to the classic builder, as the engine takes them from there; it keeps from COPY those that the ignore
file lists. A Dockerfile that is no file of the directory gets a name that no file has, made of its content.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Generator
from os import PathLike, fspath
from typing import Final, Literal, Protocol, TypeAlias

from msgspec import Struct

from dockerproto.buildcontext.entry import FileEntry, PathFilter
from dockerproto.redacted import Redacted

Compression: TypeAlias = Literal["gzip"]
"""How a context is compressed."""

IGNORE_FILE: Final = ".dockerignore"
"""What says what is left out; with the name of a Dockerfile before it, for that one alone."""
_DIGITS: Final = 20


class BuildContext(Redacted, frozen=True, kw_only=True):
    """A directory to be sent as a context."""

    _hidden = ("content",)

    directory: str | None
    """Its path; None: there is none but the Dockerfile."""
    dockerfile: str | None = None
    """The path of the Dockerfile, from the directory; None: the default, or it is in memory."""
    content: bytes | None = None
    """The Dockerfile, if it is in memory."""
    compression: Compression | None = None
    """How it is compressed."""
    classic: bool = True
    """Whether it is for the classic builder."""


def read_context(
    path: str | PathLike[str] | None,
    dockerfile: str | bytes | None,
    path_dockerfile: str | PathLike[str] | None,
    compression: Compression | None,
) -> BuildContext | None:
    """Return the context of the arguments of a build, None if they are not about one.

    Raises:
        TypeError: One of them is of another type.
        ValueError: They do not go together.
    """
    if compression not in (None, "gzip"):
        raise ValueError(f"compression is 'gzip' or None, not {compression!r}")
    if path is None and dockerfile is None and compression is None:
        return None
    if not isinstance(path, str | PathLike | None):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"path is a str or a path, not {type(path).__name__}")
    if not isinstance(path_dockerfile, str | PathLike | None):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"path_dockerfile is a str or a path, not {type(path_dockerfile).__name__}")
    if dockerfile is not None and path_dockerfile is not None:
        raise ValueError("dockerfile is the text of a Dockerfile, and path_dockerfile its path: one of them")
    return BuildContext(
        directory=None if path is None else fspath(path),
        dockerfile=None if path_dockerfile is None else fspath(path_dockerfile),
        content=_text(dockerfile),
        compression=compression,
    )


def _text(dockerfile: str | bytes | None) -> bytes | None:
    if isinstance(dockerfile, str):
        return dockerfile.encode("utf-8", "surrogateescape")
    if not isinstance(dockerfile, bytes | None):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"dockerfile is a str or bytes, not {type(dockerfile).__name__}")
    return dockerfile


class Found(Redacted, frozen=True, kw_only=True):
    """What was found in a directory."""

    _hidden = ("content",)

    content: bytes
    """The Dockerfile."""
    dockerfile: str | None = None
    """Its path in the directory, clean and without links; None: it is elsewhere."""
    ignore: tuple[str, bytes] | None = None
    """The path and the content of the ignore file that counts."""
    specific: bool = False
    """Whether that is the Dockerfile's own."""
    names: Callable[[str], bool] = lambda _: False
    """Whether the directory has something of a name."""


class Excluded(Protocol):
    """Patterns of excluded paths, see `dockerproto.buildcontext.dockerignore`; loaded for a plan only."""

    @property
    def root(self) -> PathFilter:
        """Which entries of the directory are taken, asked from its root down."""
        ...


class Plan(Struct, frozen=True, kw_only=True):
    """What is sent as a context."""

    dockerfile: str
    """The path of the Dockerfile in it."""
    patterns: Excluded
    """What is left out of the directory."""
    kept: tuple[str, ...] = ()
    """Paths of the directory that are sent all the same."""
    added: tuple[tuple[FileEntry, bytes], ...] = ()
    """Files that are sent though the directory has none of the kind."""


class ContextSource(Redacted, frozen=True, kw_only=True):
    """A context that is ready to be sent: an iterable of bytes, and what they will be."""

    _hidden = ("content", "pieces")

    directory: str | None
    """The directory that it is of."""
    plan: Plan
    """What is sent of it."""
    content: bytes
    """The Dockerfile."""
    pieces: Callable[[], Generator[bytes]]
    """What makes the archive."""

    def __iter__(self) -> Generator[bytes]:
        """Make the archive; it blocks."""
        return self.pieces()

    def dockerfile(self, path: str, /) -> bytes | None:
        """Return the Dockerfile, if this is its path in the context."""
        return self.content if path == self.plan.dockerfile else None


def plan(found: Found, *, classic: bool = True) -> Plan:
    """Decide what is sent.

    Raises:
        InvalidPattern: The ignore file has a pattern that is none.
    """
    from dockerproto.buildcontext.dockerignore import PatternLine, Patterns, read_ignore_file  # noqa: PLC0415  # see `Excluded`

    lines = [] if found.ignore is None else read_ignore_file(found.ignore[1], found.ignore[0])
    patterns = Patterns(lines, classic=classic)
    kept: list[str] = []
    added: list[tuple[FileEntry, bytes]] = []
    dockerfile = found.dockerfile
    replaced = classic and (dockerfile is None or found.specific)
    if dockerfile is None:
        dockerfile = _unused(found)
        added.append(_file(dockerfile, found.content))
    elif not patterns.takes(dockerfile):
        kept.append(dockerfile)
    if found.dockerfile is None and found.specific and found.ignore is not None and not classic:
        added.append(_file(f"{dockerfile}{IGNORE_FILE}", found.ignore[1]))
    if replaced:
        added.append(_file(IGNORE_FILE, _amended(found, dockerfile)))
        lines.append(PatternLine(IGNORE_FILE))
    elif classic and found.names(IGNORE_FILE) and not patterns.takes(IGNORE_FILE):
        kept.append(IGNORE_FILE)
    if replaced or kept:
        patterns = Patterns(lines, classic=classic, kept=kept)
    return Plan(dockerfile=dockerfile, patterns=patterns, kept=tuple(kept), added=tuple(added))


def _unused(found: Found) -> str:
    """Return a name for the Dockerfile that the directory does not have: the same for the same content."""
    from hashlib import sha256  # noqa: PLC0415  # only for a Dockerfile from elsewhere

    digest = sha256(found.content)
    while found.names(name := f".dockerfile.{digest.hexdigest()[:_DIGITS]}"):
        digest.update(b"another")
    return name


def _amended(found: Found, dockerfile: str) -> bytes:
    """Return an ignore file that also lists what the directory does not have, so that no image gets it."""
    ours = [] if found.names(IGNORE_FILE) else [IGNORE_FILE]
    if found.dockerfile is None:
        ours.append(dockerfile)
    content = b"" if found.ignore is None else found.ignore[1] + b"\n"
    return content + "".join(f"{name}\n" for name in ours).encode()


def _file(path: str, content: bytes) -> tuple[FileEntry, bytes]:
    return FileEntry(path=path, mode=stat.S_IFREG | 0o600, size=len(content)), content
