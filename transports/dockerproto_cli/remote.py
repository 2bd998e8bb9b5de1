"""The commands that transfer images, with progress."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import IO, BinaryIO

from dockerproto import import_result, parse_reference, push_result
from dockerproto.references import HUB
from dockerproto_cli.build_source import STDIN
from dockerproto_cli.printing import Invocation


def pull(invocation: Invocation) -> None:
    """Pull an image, and print its name."""
    arguments = invocation.arguments
    stream = invocation.docker.images.pull(
        arguments.image, tag="" if arguments.all_tags else None, platform=arguments.platform, stream=True
    )
    invocation.messages(stream)
    if not invocation.json:
        invocation.line(_full_name(arguments.image, all_tags=arguments.all_tags))


def push(invocation: Invocation) -> None:
    """Push an image, and print its name with its digest."""
    arguments = invocation.arguments
    stream = invocation.docker.images.push(
        arguments.image, tag="" if arguments.all_tags else None, platform=arguments.platform, stream=True
    )
    pushed = push_result(invocation.messages(stream))
    for tag in () if invocation.json else pushed.tags:
        invocation.line(f"{pushed.repository}:{tag.tag}@{tag.digest}")


def load(invocation: Invocation) -> None:
    """Load the images of an archive, and print their names."""
    arguments = invocation.arguments
    with _input(arguments.input) as (file, total):
        display = invocation.display()
        stream = invocation.docker.images.import_image(
            file,
            stream=True,
            quiet=arguments.quiet,
            platform=arguments.platform,
            on_upload=lambda sent: display.uploaded(sent, total),
        )
        loaded = import_result(invocation.messages(stream, display))
    for name in () if invocation.json else (*loaded.references, *loaded.ids):
        invocation.line(name)


def save(invocation: Invocation) -> None:
    """Export images to an archive; a file appears only when it is complete."""
    arguments = invocation.arguments
    exported = invocation.docker.images.save(arguments.image, platform=arguments.platform)
    path = arguments.output
    if path is not None and (Path(path).is_file() or not Path(path).exists()):
        exported.save(path)
        return
    # The destination is opened second: only if the engine sends an archive.
    with exported as archive, _stream(path) as file:
        for chunk in archive:
            file.write(chunk)


def import_filesystem(invocation: Invocation) -> None:
    """Import the tar of a root file system, and print the id of the image."""
    arguments = invocation.arguments
    source = arguments.source
    if source == STDIN:
        if sys.stdin.isatty():
            raise ValueError("cannot read an archive from a terminal: redirect standard input")
        source = sys.stdin.buffer
    messages = invocation.docker.images.import_filesystem(
        source,
        repo=arguments.image,
        message=arguments.message,
        changes=arguments.change,
        platform=arguments.platform,
    )
    for message in messages if invocation.json else ():
        invocation.document(message)
    for id in () if invocation.json else dict.fromkeys(messages.result.ids):  # Podman reports it twice
        invocation.line(id)


@contextmanager
def _stream(path: str | None) -> Generator[IO[bytes]]:
    """Open standard output, or a device or pipe, for an archive."""
    if path is not None:  # /dev/null, a pipe
        with Path(path).open("wb") as special:
            yield special
        return
    if sys.stdout.isatty():
        raise ValueError("cannot write an archive to a terminal: use -o, or redirect standard output")
    yield sys.stdout.buffer


@contextmanager
def _input(path: str | None) -> Generator[tuple[BinaryIO, int | None]]:
    """Open an archive, and return its size if it is known."""
    if path is None and sys.stdin.isatty():
        raise ValueError("cannot read an archive from a terminal: use -i, or redirect standard input")
    with nullcontext(sys.stdin.buffer) if path is None else Path(path).open("rb") as file:
        yield file, _size(file)


def _size(file: BinaryIO) -> int | None:
    with suppress(OSError):  # standard input may be replaced by an object without a descriptor
        return os.fstat(file.fileno()).st_size or None
    return None


def _full_name(name: str, *, all_tags: bool) -> str:
    """Return a name with its registry, and with its tag unless all tags were requested."""
    reference = parse_reference(name)
    known = reference.registry
    bare = reference.name.removeprefix(f"index.{HUB}/").removeprefix(f"{known}/")
    if known == HUB and "/" not in bare:
        bare = f"library/{bare}"
    end = f"@{reference.digest}" if reference.digest else f":{reference.tag or 'latest'}"
    return f"{known}/{bare}{'' if all_tags else end}"
