"""Open directories as build contexts: find the Dockerfile and the ignore file, then stream the archive."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import suppress
from functools import partial
from itertools import chain
from pathlib import Path

from dockerproto.buildcontext.dockerfile_spec import DOCKERFILE
from dockerproto.buildcontext.entry import FileEntry
from dockerproto.buildcontext.misuse import is_github, path_as_dockerfile, single_line
from dockerproto.buildcontext.plan import (
    IGNORE_FILE,
    BuildContext,
    ContextFacts,
    ContextSource,
    Plan,
    plan_context,
)
from dockerproto.errors import UploadFailed
from dockerproto.transport.host import TimeLeft, no_limit
from dockerproto_local.beneath import Beneath
from dockerproto_local.pack import compress, pack
from dockerproto_local.small_files import (
    PIPE_SECONDS,
    READ_LIMIT,
    check_size,
    pipe_seconds,
    read_any,
    read_open,
)
from dockerproto_local.walk import cannot_read, entry_at, walk


def open_context(context: BuildContext, time_left: TimeLeft = no_limit) -> ContextSource:
    """Read the Dockerfile and the ignore file of a build context, and return the source to send.

    Args:
        context: The build context.
        time_left: See `TimeLeft`.

    Raises:
        InvalidPattern: The ignore file has a malformed pattern.
        UploadFailed: The directory, the Dockerfile or the ignore file cannot be read.
        ValueError: The text of the Dockerfile is the path of a file.
    """
    content = context.content
    _check_not_path(context)
    if context.directory is None:
        facts = ContextFacts(content=content or b"")
    elif not (context.directory and Path(context.directory).is_dir()):
        hint = "; to let the engine fetch a URL, use remote" if is_github(context.directory) else ""
        raise UploadFailed(0, f"{context.directory!r} is not a directory{hint}")
    elif content is None:
        facts = _look_up(Path(context.directory), context.dockerfile, pipe_seconds(time_left))
    else:
        facts = _facts(Path(context.directory), content)
    plan = plan_context(facts, classic=context.classic)
    return ContextSource(
        directory=context.directory,
        plan=plan,
        content=facts.content,
        chunks=partial(_chunks, context, plan, time_left),
    )


def _check_not_path(context: BuildContext) -> None:
    """Raise ValueError if the text of the Dockerfile names a file, such as ``Copy of Dockerfile``."""
    content = context.content or b""
    line = None if content.endswith(b"\n") else single_line(content)
    with suppress(OSError):  # too long for a path, or in a directory that is not readable
        if line is not None and (Path(context.directory or "") / line).is_file():
            raise path_as_dockerfile(line)


def _look_up(root: Path, dockerfile: str | None, seconds: float) -> ContextFacts:
    path = _default_dockerfile(root) if dockerfile is None else root / dockerfile
    try:
        name, content = _read(root, path, seconds)
    except OSError as error:
        raise cannot_read(str(path), error) from error
    return _facts(root, content, name, path.with_name(path.name + IGNORE_FILE))


def _read(root: Path, path: Path, seconds: float = PIPE_SECONDS) -> tuple[str | None, bytes]:
    """Return a file with its path in the context without links; only an argument may lead out of the context.

    Raises:
        OSError: The file cannot be read, or is too long.
        UploadFailed: The file is a link that leads out of the context.
    """
    name = os.path.relpath(os.path.realpath(path), os.path.realpath(root))
    if not name.startswith("../"):
        with Beneath(root) as tree:
            return name, read_open(tree.open_file(name), str(path))
    if not os.path.relpath(path, root).startswith("../"):
        raise UploadFailed(0, f"cannot read {path}: it is a symlink out of the build context")
    content = read_any(str(path), READ_LIMIT + 1, seconds)
    check_size(len(content), str(path))
    return None, content


def _default_dockerfile(root: Path) -> Path:
    """Return the path of the Dockerfile; as for the Docker CLI, it may be in lower case."""
    other = root / DOCKERFILE.lower()
    path = root / DOCKERFILE
    return other if not os.path.lexists(path) and os.path.lexists(other) else path


def _facts(
    root: Path, content: bytes, dockerfile: str | None = None, own_ignore_file: Path | None = None
) -> ContextFacts:
    ignore = None if own_ignore_file is None else _read_if_exists(root, own_ignore_file)
    return ContextFacts(
        content=content,
        dockerfile=dockerfile,
        ignore=ignore or _read_if_exists(root, root / IGNORE_FILE),
        own_ignore_file=ignore is not None,
        exists=lambda name: os.path.lexists(root / name),
    )


def _read_if_exists(root: Path, path: Path) -> tuple[str, bytes] | None:
    """Return a file with its path, or None if it does not exist."""
    try:
        return str(path), _read(root, path)[1]
    except FileNotFoundError:
        return None
    except OSError as error:
        raise cannot_read(str(path), error) from error


def _chunks(context: BuildContext, plan: Plan, time_left: TimeLeft) -> Generator[bytes]:
    root = context.directory
    entries = () if root is None else _entries(root, context, plan, time_left)
    chunks = pack(root or "", entries, plan.generated)
    return chunks if context.compression is None else compress(chunks)


def _entries(root: str, context: BuildContext, plan: Plan, time_left: TimeLeft) -> Generator[FileEntry]:
    walked = walk(root, plan.patterns.root, time_left, parents=not context.classic)
    for entry in chain(walked, (entry_at(root, path) for path in plan.always_sent)):
        time_left()
        yield entry
