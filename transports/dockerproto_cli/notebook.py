"""Show progress in a notebook: an output of the cell that is updated in place.

IPython is used if the program runs in its kernel, which has loaded it; it is not a dependency.
"""

from __future__ import annotations

import io
import sys
import threading
from time import monotonic
from typing import Any, Final
from weakref import WeakValueDictionary

from rich.console import Console
from rich.text import Text

from dockerproto_cli.drawing import UNICODE
from dockerproto_cli.region import Canvas, Region

_WIDTH: Final = 100
_HEIGHT: Final = 40
_INTERVAL: Final = 0.1
_PRE: Final = '<pre style="font-family: monospace; line-height: 1.25">{code}</pre>'


def running_shell() -> Any | None:
    """Return IPython's shell if this program runs in a kernel, which can display HTML; else None."""
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = None if get_ipython is None else get_ipython()
    return shell if hasattr(shell, "kernel") else None


class NotebookSurface:
    """An output of a cell, updated at most ten times a second.

    Args:
        canvas: Function that draws.
    """

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._handle: Any = None
        self._lock = threading.Lock()
        self._drawn = 0.0

    def start(self) -> None:
        """Add the output to the cell."""
        self._drawn = monotonic()
        self._handle = sys.modules["IPython.display"].display(self, display_id=True)

    def update(self) -> None:
        """Update the output, unless that was done just now or another thread is doing it."""
        now = monotonic()
        if now - self._drawn >= _INTERVAL and self._lock.acquire(blocking=False):
            try:
                self._drawn = now
                self._handle.update(self)
            finally:
                self._lock.release()

    def stop(self) -> None:
        """Update the output for the last time."""
        self._handle.update(self)

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        lines = self._canvas(_WIDTH, _HEIGHT, UNICODE)
        return {"text/plain": "\n".join(line.plain.rstrip() for line in lines), "text/html": html_of(lines)}


def html_of(lines: list[Text]) -> str:
    """Return styled lines as HTML, in which their text is escaped."""
    console = Console(
        file=io.StringIO(),
        record=True,
        width=_WIDTH,
        color_system="truecolor",
        force_terminal=True,
        force_jupyter=False,  # or it would display each line in the notebook too
    )
    for line in lines:
        console.print(line, soft_wrap=True)
    return console.export_html(code_format=_PRE, inline_styles=True)


_BY_CELL: Final[WeakValueDictionary[int, Region]] = WeakValueDictionary()


def cell_region(shell: Any) -> Region:
    """Return the region of the cell that runs, the same one for all displays in it."""
    return _BY_CELL.setdefault(shell.execution_count, Region())
