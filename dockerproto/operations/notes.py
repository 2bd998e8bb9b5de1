"""Notes of exceptions: Python prints them below the message of a traceback."""

from __future__ import annotations

from typing import Final

from dockerproto.errors import FailedStep
from dockerproto.progress.text import printable

_LINES: Final = 10
"""Number of lines of output in a note."""
_WIDTH: Final = 500
"""Number of characters of a line."""


def step_note(step: FailedStep) -> str:
    """Return the failed step of a build, with its exit code and its last lines.

    >>> print(step_note(FailedStep("[2/2] RUN make", "make", 2, ("cc main.c", "main.c:1: error"))))
    failed step: [2/2] RUN make (exit code 2), whose last lines are
      cc main.c
      main.c:1: error
    """
    code = "" if step.exit_code is None else f" (exit code {step.exit_code})"
    title = f"failed step: {printable(step.name)[:_WIDTH]}{code}"
    lines = [f"  {printable(line)[:_WIDTH]}" for line in step.log[-_LINES:]]
    return "\n".join([f"{title}, whose last lines are", *lines]) if lines else title
