"""Directories as contexts of builds: what is looked at before anything is sent, and how it is sent then."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from functools import partial
from itertools import chain
from pathlib import Path

from dockerproto.buildcontext.dockerfile_spec import DOCKERFILE
from dockerproto.buildcontext.entry import FileEntry
from dockerproto.buildcontext.plan import IGNORE_FILE, BuildContext, ContextSource, Found, Plan, plan
from dockerproto.errors import UploadFailed
from dockerproto_local.pack import compress, pack
from dockerproto_local.walk import cannot_read, entry_at, walk


def open_context(context: BuildContext) -> ContextSource:
    """Find the Dockerfile and the ignore file of a context, and return what can be sent.

    Raises:
        InvalidPattern: The ignore file has a pattern that is none.
        UploadFailed: The directory, the Dockerfile or the ignore file cannot be read.
    """
    content = context.content
    if context.directory is None:
        found = Found(content=content or b"")
    elif not (context.directory and Path(context.directory).is_dir()):
        raise UploadFailed(0, f"{context.directory!r} is no directory")
    elif content is None:
        found = _find(Path(context.directory), context.dockerfile)
    else:
        found = _found(Path(context.directory), content)
    decided = plan(found, classic=context.classic)
    return ContextSource(
        directory=context.directory,
        plan=decided,
        content=found.content,
        pieces=partial(_pieces, context, decided),
    )


def _find(root: Path, dockerfile: str | None) -> Found:
    path = _default(root) if dockerfile is None else root / dockerfile
    try:
        content = path.read_bytes()
    except OSError as error:
        raise cannot_read(str(path), error) from error
    name = os.path.relpath(path.resolve(), root.resolve())
    own = path.with_name(path.name + IGNORE_FILE)
    return _found(root, content, None if name.startswith("../") else name, own)


def _default(root: Path) -> Path:
    """Return the path of the Dockerfile; it may be written in small letters, as for the docker command."""
    other = root / DOCKERFILE.lower()
    path = root / DOCKERFILE
    return other if not os.path.lexists(path) and os.path.lexists(other) else path


def _found(root: Path, content: bytes, dockerfile: str | None = None, own: Path | None = None) -> Found:
    ignore = None if own is None else _read(own)
    return Found(
        content=content,
        dockerfile=dockerfile,
        ignore=ignore or _read(root / IGNORE_FILE),
        specific=ignore is not None,
        names=lambda name: os.path.lexists(root / name),
    )


def _read(path: Path) -> tuple[str, bytes] | None:
    """Return a file with its path, None if there is none."""
    try:
        return str(path), path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise cannot_read(str(path), error) from error


def _pieces(context: BuildContext, decided: Plan) -> Generator[bytes]:
    root = context.directory
    entries = () if root is None else _entries(root, context, decided)
    pieces = pack(root or "", entries, decided.added)
    return pieces if context.compression is None else compress(pieces)


def _entries(root: str, context: BuildContext, decided: Plan) -> Iterable[FileEntry]:
    walked = walk(root, decided.patterns.root, parents=not context.classic)
    return chain(walked, (entry_at(root, path) for path in decided.kept))
