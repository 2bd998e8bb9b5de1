"""Plan what a build context made of a directory contains, and under which names.

The files themselves are not read here: the facts about the directory are an argument. The classic builder
always gets the Dockerfile and the ignore file, as the engine reads them from the context, and excludes from
COPY those that the ignore file lists. A Dockerfile from outside the directory gets a name that no file of the
directory has, derived from its content.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Generator
from os import PathLike, fspath
from typing import Final, Literal, Protocol, TypeAlias

from msgspec import Struct

from dockerproto.buildcontext.entry import FileEntry, PathFilter
from dockerproto.buildcontext.misuse import check_directory, check_dockerfile, path_as_dockerfile
from dockerproto.redacted import Redacted

Compression: TypeAlias = Literal["gzip"]
"""Compression of a build context."""

IGNORE_FILE: Final = ".dockerignore"
"""Name of the ignore file; the name of a Dockerfile before it makes it apply to that Dockerfile only."""
_NAME_DIGITS: Final = 20


class BuildContext(Redacted, frozen=True, kw_only=True):
    """A directory to be sent as a build context."""

    _hidden = ("content",)

    directory: str | None
    """Path of the directory; None if the context is the Dockerfile alone."""
    dockerfile: str | None = None
    """Path of the Dockerfile, relative to the directory; None for the default or one in memory."""
    content: bytes | None = None
    """Dockerfile text, if it is given in memory."""
    compression: Compression | None = None
    """Compression of the archive."""
    classic: bool = True
    """True for the classic builder."""


def parse_context(
    path: str | PathLike[str] | None,
    dockerfile: str | bytes | None,
    path_dockerfile: str | PathLike[str] | None,
    compression: Compression | None,
) -> BuildContext | None:
    """Return the build context that the arguments of a build describe, or None if they describe none.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: The arguments contradict each other.
    """
    if compression not in (None, "gzip"):
        raise ValueError(f"compression must be 'gzip' or None, not {compression!r}")
    if path is None and dockerfile is None and compression is None:
        return None
    if not isinstance(path, str | PathLike | None):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"path must be a str or a path, not {type(path).__name__}")
    if path is not None:
        check_directory(fspath(path))
    if not isinstance(path_dockerfile, str | PathLike | None):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"path_dockerfile must be a str or a path, not {type(path_dockerfile).__name__}")
    if dockerfile is not None and path_dockerfile is not None:
        raise ValueError("dockerfile (its text) and path_dockerfile (its path) must not both be given")
    return BuildContext(
        directory=None if path is None else fspath(path),
        dockerfile=None if path_dockerfile is None else fspath(path_dockerfile),
        content=None if dockerfile is None else _encode_dockerfile(dockerfile),
        compression=compression,
    )


def _encode_dockerfile(dockerfile: str | bytes) -> bytes:
    if isinstance(dockerfile, PathLike):
        raise path_as_dockerfile(str(dockerfile))
    if not isinstance(dockerfile, str | bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"dockerfile must be a str or bytes, not {type(dockerfile).__name__}")
    text = dockerfile.encode("utf-8", "surrogateescape") if isinstance(dockerfile, str) else dockerfile
    check_dockerfile(text)
    return text


class ContextFacts(Redacted, frozen=True, kw_only=True):
    """Facts about a directory that its plan depends on."""

    _hidden = ("content",)

    content: bytes
    """Dockerfile text."""
    dockerfile: str | None = None
    """Path of the Dockerfile in the directory, clean and without links; None if it is elsewhere."""
    ignore: tuple[str, bytes] | None = None
    """Path and content of the ignore file that applies."""
    own_ignore_file: bool = False
    """True if the ignore file is for this Dockerfile only."""
    exists: Callable[[str], bool] = lambda _: False
    """Returns True if the directory contains a name."""


class ExclusionPatterns(Protocol):
    """Interface of `dockerproto.buildcontext.dockerignore.Patterns`, which is loaded only to make a plan."""

    @property
    def root(self) -> PathFilter:
        """Filter for the entries of the directory, starting at its root."""
        ...


class Plan(Struct, frozen=True, kw_only=True):
    """The contents of a build context."""

    dockerfile: str
    """Path of the Dockerfile in the context."""
    patterns: ExclusionPatterns
    """Patterns of paths in the directory that are excluded."""
    always_sent: tuple[str, ...] = ()
    """Paths in the directory that are sent although they are excluded."""
    generated: tuple[tuple[FileEntry, bytes], ...] = ()
    """Files sent in addition to those of the directory, with their contents."""


class ContextSource(Redacted, frozen=True, kw_only=True):
    """A build context ready to be sent: an iterable of bytes, and the plan they follow."""

    _hidden = ("content", "chunks")

    directory: str | None
    """Path of the directory."""
    plan: Plan
    """Contents of the context."""
    content: bytes
    """Dockerfile text."""
    chunks: Callable[[], Generator[bytes]]
    """Returns a generator that makes the archive; it blocks."""

    def __iter__(self) -> Generator[bytes]:
        """Make the archive; this blocks."""
        return self.chunks()

    def dockerfile(self, path: str, /) -> bytes | None:
        """Return the Dockerfile if `path` is its path in the context."""
        return self.content if path == self.plan.dockerfile else None


def plan_context(facts: ContextFacts, *, classic: bool = True) -> Plan:
    """Plan the contents of a build context.

    Raises:
        InvalidPattern: The ignore file has a malformed pattern.
    """
    from dockerproto.buildcontext.dockerignore import PatternLine, Patterns, parse_ignore_file  # noqa: PLC0415  # see `ExclusionPatterns`

    lines = [] if facts.ignore is None else parse_ignore_file(facts.ignore[1], facts.ignore[0])
    patterns = Patterns(lines, classic=classic)
    always_sent: list[str] = []
    generated: list[tuple[FileEntry, bytes]] = []
    dockerfile = facts.dockerfile
    replaced = classic and (dockerfile is None or facts.own_ignore_file)
    if dockerfile is None:
        dockerfile = _unused_name(facts)
        generated.append(_generated_file(dockerfile, facts.content))
    elif not patterns.includes(dockerfile):
        always_sent.append(dockerfile)
    if facts.dockerfile is None and facts.own_ignore_file and facts.ignore is not None and not classic:
        generated.append(_generated_file(f"{dockerfile}{IGNORE_FILE}", facts.ignore[1]))
    if replaced:
        generated.append(_generated_file(IGNORE_FILE, _amended_ignore_file(facts, dockerfile)))
        lines.append(PatternLine(IGNORE_FILE))
    elif classic and facts.exists(IGNORE_FILE) and not patterns.includes(IGNORE_FILE):
        always_sent.append(IGNORE_FILE)
    if replaced or always_sent:
        patterns = Patterns(lines, classic=classic, exceptions=always_sent)
    return Plan(
        dockerfile=dockerfile, patterns=patterns, always_sent=tuple(always_sent), generated=tuple(generated)
    )


def _unused_name(facts: ContextFacts) -> str:
    """Return a name for the Dockerfile that the directory does not have; equal contents get equal names."""
    from hashlib import sha256  # noqa: PLC0415  # needed only for a Dockerfile from outside the directory

    digest = sha256(facts.content)
    while facts.exists(name := f".dockerfile.{digest.hexdigest()[:_NAME_DIGITS]}"):
        digest.update(b"another")
    return name


def _amended_ignore_file(facts: ContextFacts, dockerfile: str) -> bytes:
    """Return the ignore file, extended by the generated files, so that no image contains them."""
    ours = [] if facts.exists(IGNORE_FILE) else [IGNORE_FILE]
    if facts.dockerfile is None:
        ours.append(dockerfile)
    content = b"" if facts.ignore is None else facts.ignore[1] + b"\n"
    return content + "".join(f"{name}\n" for name in ours).encode()


def _generated_file(path: str, content: bytes) -> tuple[FileEntry, bytes]:
    return FileEntry(path=path, mode=stat.S_IFREG | 0o600, size=len(content)), content
