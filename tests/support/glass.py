"""A terminal inside the test: what is written to it can be looked at."""

from __future__ import annotations

import io
from typing import Any

import pyte
from pyte.modes import LNM
from rich.console import Console


class Glass(io.StringIO):
    """A file that is a terminal of some columns and lines."""

    def __init__(self, columns: int = 80, lines: int = 24) -> None:
        super().__init__()
        self._screen: Any = pyte.Screen(columns, lines)
        self._screen.set_mode(LNM)  # no terminal driver makes \r\n of \n
        self._stream: Any = pyte.Stream(self._screen)
        self.console = Console(
            file=self, force_terminal=True, width=columns, height=lines, _environ={"TERM": "xterm-256color"}
        )

    def isatty(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        self._stream.feed(text)
        return len(text)

    @property
    def shown(self) -> list[str]:
        """Return the lines on the screen, without those that are empty at the end."""
        lines: list[str] = [line.rstrip() for line in self._screen.display]
        return "\n".join(lines).rstrip().split("\n")

    @property
    def cursor_hidden(self) -> bool:
        """The cursor is hidden."""
        hidden: bool = self._screen.cursor.hidden
        return hidden
