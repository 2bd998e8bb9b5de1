"""What a command writes: results to standard output, as text or JSON; all else to standard error."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import asdict
from rich.cells import cell_len, set_cell_size
from rich.console import Console

from dockerproto import DockerError, DockerStreamError, Message, Stream
from dockerproto.progress.text import printable
from dockerproto.protobuf.codec import ProtoMessage
from dockerproto_cli.display import Display
from dockerproto_cli.formatting import encodable
from dockerproto_httpx import Docker

_LIVE: Final[Mapping[str, bool | None]] = {"auto": None, "plain": False, "tty": True}


class Invocation(Struct, frozen=True):
    """One run of a command: its arguments, and the engine that it is for."""

    arguments: Namespace
    docker: Docker

    @property
    def json(self) -> bool:
        """Whether JSON is wanted."""
        wanted: bool = self.arguments.json
        return wanted

    def line(self, text: str) -> None:
        """Write a line."""
        sys.stdout.write(f"{encodable(printable(text), sys.stdout.encoding)}\n")

    def document(self, value: object) -> None:
        """Write a JSON document, in one line; by `json`, or for people."""
        sys.stdout.write(json.dumps(value, indent=None if self.json else 4, default=_plain) + "\n")

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Write rows under a head, in columns that are as wide as they have to be."""
        cells = [[*head], *([printable(cell) for cell in row] for row in rows)]
        widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
        for row in cells:
            self.line("   ".join(map(set_cell_size, row, widths)).rstrip())

    def display(self) -> Display:
        """Return what shows progress, on standard error."""
        return Display(Console(stderr=True), live=_LIVE[self.arguments.progress])

    def messages(self, stream: Stream[Message], display: Display | None = None) -> list[Message]:
        """Read a stream to its end: show its progress, or write its messages as JSON, a line each."""
        if self.json:
            with stream:
                return [self._written(message) for message in stream]
        if self.arguments.quiet:
            return list(stream)
        return list((display or self.display()).show(stream))

    def _written(self, message: Message) -> Message:
        self.document(message)
        sys.stdout.flush()
        return message


def complain(error: DockerError | str, arguments: Namespace) -> None:
    """Write an error to standard error: one line, or one JSON object.

    Of a build that was to be quiet, what the failing step wrote comes before it.
    """
    text, step = (error, None) if isinstance(error, str) else (_words(error), error.step)
    if arguments.json:
        known: dict[str, object] = {} if step is None else {"step": asdict(step)}
        _write(json.dumps({"error": text, **known}))
        return
    if step is not None and arguments.quiet:
        for line in step.log:
            _write(printable(line))
    prefix = "" if step is None else f"{step.name}: "
    _write(printable(f"dockerproto: {prefix}{' '.join(text.split())}"))


def _words(error: DockerError) -> str:
    """Return what an error says; of one that the engine reports, also its cause on this side, if any."""
    cause = error.__cause__
    if isinstance(error, DockerStreamError) and isinstance(cause, DockerError):
        return f"{error.message} ({cause.message})"
    return error.message


def _write(line: str) -> None:
    sys.stderr.write(f"{encodable(line, sys.stderr.encoding)}\n")


def _plain(value: bytes | ProtoMessage) -> object:
    """Return what JSON does not know, decoded traces of BuildKit, as what it knows."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return {name: part for name, part in asdict(value).items() if part}
