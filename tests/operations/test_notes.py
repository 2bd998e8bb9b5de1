"""Notes of exceptions."""

from __future__ import annotations

import pytest

from dockerproto import FailedStep
from dockerproto.operations.notes import step_note

NUMBERS = tuple(map(str, range(100)))


@pytest.mark.parametrize(
    ("step", "note"),
    [
        pytest.param(FailedStep("[1/2] FROM a"), "failed step: [1/2] FROM a", id="name"),
        pytest.param(
            FailedStep("[2/2] RUN x", "x", 3), "failed step: [2/2] RUN x (exit code 3)", id="exit code"
        ),
        pytest.param(
            FailedStep("[2/2] RUN x", "x", 3, ("a", "b")),
            "failed step: [2/2] RUN x (exit code 3), whose last lines are\n  a\n  b",
            id="lines",
        ),
        pytest.param(
            FailedStep("[2/2] COPY a", log=("a",)),
            "failed step: [2/2] COPY a, whose last lines are\n  a",
            id="lines without an exit code",
        ),
        pytest.param(
            FailedStep("s", log=NUMBERS),
            "\n  ".join(["failed step: s, whose last lines are", *NUMBERS[-10:]]),
            id="many lines",
        ),
        pytest.param(
            FailedStep("n" * 1000, log=("x" * 1000,)),
            f"failed step: {'n' * 500}, whose last lines are\n  {'x' * 500}",
            id="long lines",
        ),
        pytest.param(
            FailedStep("\x1b[2Js", log=("\x1b[91mred\x1b[0m", "10 %\r100 %", "\x07")),
            "failed step: s, whose last lines are\n  red\n  100 %\n  ",
            id="control characters",
        ),
    ],
)
def test_a_failed_step(step: FailedStep, note: str) -> None:
    assert step_note(step) == note
