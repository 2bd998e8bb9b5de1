"""Print results to standard output, as text or JSON, and everything else to standard error."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TextIO

from msgspec import Struct

from dockerproto import DockerError, DockerStreamError, Message, NotInstalled, Stream, to_json
from dockerproto.docker import BlockingDocker
from dockerproto.progress.text import printable
from dockerproto.request.filters import FilterValue
from dockerproto_cli.formatting import encodable, padded, width

if TYPE_CHECKING:
    from dockerproto_cli import Display

_LIVE: Final[Mapping[str, bool | None]] = {"auto": None, "plain": False, "tty": True}

_LONGEST_REPLY: Final = 80


RAW_JSON: Final = "rawjson"
"""Progress as the engine's messages, on standard error."""


class Silence:
    """A display of nothing."""

    def uploaded(self, sent: int, total: int | None = None) -> None:
        """Do nothing."""

    def show(self, stream: Stream[Message]) -> Stream[Message]:
        """Return the stream."""
        return stream


class Invocation(Struct, frozen=True):
    """One run of a command: its arguments and its client."""

    arguments: Namespace
    docker: BlockingDocker

    @property
    def json(self) -> bool:
        """True if the output is JSON."""
        json_output: bool = self.arguments.json
        return json_output

    def line(self, text: str) -> None:
        """Print a line."""
        sys.stdout.write(f"{encodable(printable(text), sys.stdout.encoding)}\n")

    def text(self, text: str) -> None:
        """Print lines of any length, in which tabs stay."""
        for line in text.split("\n"):
            cells = (printable(cell, len(cell)) for cell in line.split("\t"))
            text = "\t".join(cells)
            sys.stdout.write(f"{encodable(text, sys.stdout.encoding)}\n")

    def filters(self, *more: tuple[str, str]) -> dict[str, list[FilterValue]] | None:
        """Return the filters that were given, and some more; None without filters."""
        filters: dict[str, list[FilterValue]] = {}
        for name, value in (*self.arguments.filter, *more):
            filters.setdefault(name, []).append(value)
        return filters or None

    def document(self, value: Mapping[str, object] | Sequence[object]) -> None:
        """Print a JSON document: on one line if the output is JSON, else indented."""
        text = to_json(value).decode() if self.json else json.dumps(value, indent=4)
        sys.stdout.write(f"{text}\n")

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table, with columns as wide as their widest cell."""
        cells = [[*head], *([printable(cell) for cell in row] for row in rows)]
        widths = [max(map(width, column)) for column in zip(*cells, strict=True)]
        for row in cells:
            self.line("   ".join(map(padded, row, widths)).rstrip())

    @property
    def quiet(self) -> bool:
        """True if no progress is displayed."""
        return self.json or self.arguments.quiet or self.arguments.progress == RAW_JSON

    def display(self) -> Display | Silence:
        """Return a display of progress on standard error; raise NotInstalled."""
        if self.quiet:
            return Silence()
        import dockerproto_cli  # noqa: PLC0415  # it loads rich, which names its extra if it is missing

        return dockerproto_cli.Display(live=_LIVE[self.arguments.progress])

    def messages(self, stream: Stream[Message], display: Display | Silence | None = None) -> list[Message]:
        """Read a stream to its end: show its progress, or print its messages as JSON, one per line."""
        if self.json:
            with stream:
                return [self._print_message(message, sys.stdout) for message in stream]
        if self.arguments.progress == RAW_JSON:
            with stream:
                return [self._print_message(message, sys.stderr) for message in stream]
        try:
            shown = (display or self.display()).show(stream)
        except NotInstalled:
            stream.close()
            raise
        return list(shown)

    def _print_message(self, message: Message, file: TextIO) -> Message:
        file.write(f"{to_json(message).decode()}\n")
        file.flush()
        return message


def confirm(question: str) -> bool:
    """Ask on standard error, and return True for a reply that means yes."""
    sys.stderr.write(f"{question} Continue? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline(_LONGEST_REPLY).strip().lower() in ("y", "yes")


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


def report_warning(text: str, arguments: Namespace) -> None:
    """Write a warning to standard error, unless the output is JSON."""
    if not arguments.json:
        _write(f"dockerproto: warning: {text}")


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
