"""Print results to standard output, as text or JSON, and everything else to standard error."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct
from rich.cells import cell_len, set_cell_size
from rich.console import Console

from dockerproto import DockerError, DockerStreamError, Message, Stream, to_json
from dockerproto.progress.text import printable
from dockerproto_cli.display import Display
from dockerproto_cli.formatting import encodable
from dockerproto_httpx import Docker

_LIVE: Final[Mapping[str, bool | None]] = {"auto": None, "plain": False, "tty": True}


class Invocation(Struct, frozen=True):
    """One run of a command: its arguments and its client."""

    arguments: Namespace
    docker: Docker

    @property
    def json(self) -> bool:
        """True if the output is JSON."""
        json_output: bool = self.arguments.json
        return json_output

    def line(self, text: str) -> None:
        """Print a line."""
        sys.stdout.write(f"{encodable(printable(text), sys.stdout.encoding)}\n")

    def document(self, value: Mapping[str, object] | Sequence[object]) -> None:
        """Print a JSON document: on one line if the output is JSON, else indented."""
        text = to_json(value).decode() if self.json else json.dumps(value, indent=4)
        sys.stdout.write(f"{text}\n")

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table, with columns as wide as their widest cell."""
        cells = [[*head], *([printable(cell) for cell in row] for row in rows)]
        widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
        for row in cells:
            self.line("   ".join(map(set_cell_size, row, widths)).rstrip())

    def display(self) -> Display:
        """Return a display of progress on standard error."""
        return Display(Console(stderr=True), live=_LIVE[self.arguments.progress])

    def messages(self, stream: Stream[Message], display: Display | None = None) -> list[Message]:
        """Read a stream to its end: show its progress, or print its messages as JSON, one per line."""
        if self.json:
            with stream:
                return [self._print_message(message) for message in stream]
        if self.arguments.quiet:
            return list(stream)
        return list((display or self.display()).show(stream))

    def _print_message(self, message: Message) -> Message:
        self.document(message)
        sys.stdout.flush()
        return message


def report_error(error: DockerError | str, arguments: Namespace) -> None:
    """Write an error to standard error: one line, or one JSON object.

    If a build ran with ``--quiet``, the last lines of its failed step come first.
    """
    text, step = (error, None) if isinstance(error, str) else (_error_text(error), error.step)
    if arguments.json:
        details: dict[str, object] = {} if step is None else {"step": step}
        _write(to_json({"error": text, **details}).decode())
        return
    if step is not None and arguments.quiet:
        for line in step.log:
            _write(printable(line))
    prefix = "" if step is None else f"{step.name}: "
    _write(printable(f"dockerproto: {prefix}{' '.join(text.split())}"))


def report_misuse(error: str, arguments: Namespace) -> None:
    """Write an error about invalid arguments, after the usage of the command unless the output is JSON."""
    if not arguments.json:
        _write(arguments.usage.rstrip())
    report_error(error, arguments)


def _error_text(error: DockerError) -> str:
    """Return the message of an error; for an error from the engine, also its cause in this process."""
    cause = error.__cause__
    if isinstance(error, DockerStreamError) and isinstance(cause, DockerError):
        return f"{error.message} ({cause.message})"
    return error.message


def _write(line: str) -> None:
    sys.stderr.write(f"{encodable(line, sys.stderr.encoding)}\n")
