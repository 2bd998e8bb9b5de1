"""Outcomes of recorded exchanges, in a few words, and the table of those that are expected.

``NotFound 404`` is an exception and its status. ``streamed`` is one that a 200 stream reports, ``unsent`` one
that is raised before anything is sent.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from dockerproto import (
    BuildResult,
    DockerError,
    DockerStreamError,
    ImportResult,
    PullResult,
    PushResult,
)
from tests.testbed.recordings import ENGINES

TABLE: Final = Path(__file__).parent.parent / "clients" / "outcomes.tsv"
ABSENT: Final = "-"

Outcomes: TypeAlias = Mapping[str, Mapping[str, str]]
"""Outcomes by the name of the recording and the engine."""


def expected() -> Outcomes:
    """Read the table: the usual outcome of each recording, and those of the engines that differ."""
    with TABLE.open(newline="") as file:
        head, *rows = csv.reader(file, delimiter="\t")
    assert tuple(head[2:]) == ENGINES
    return {name: _row(usual, cells) for name, usual, *cells in rows}


def _row(usual: str, cells: list[str]) -> dict[str, str]:
    row = dict(zip(ENGINES, cells, strict=True))
    return {engine: cell or usual for engine, cell in row.items() if cell != ABSENT}


def error_outcome(error: Exception) -> str:
    """Return the outcome of a call that raised after it was sent."""
    assert isinstance(error, DockerError), error
    name = type(error).__name__
    if isinstance(error, DockerStreamError):
        return f"{name.removeprefix('Docker').removeprefix('Stream')} streamed"
    return f"{name} {error.status}"


def outcome(result: Any) -> str:
    """Return the outcome of a call that returned."""
    match getattr(result, "result", result):
        case PullResult(downloaded=downloaded, tags=tags, mismatched_platform=platform):
            transfer = {True: "downloaded", False: "up to date", None: "pulled"}[downloaded]
            return transfer + _digests(tags) + (f", for {platform}" if platform else "")
        case PushResult(tags=tags):
            return f"pushed{_digests(tags)}"
        case BuildResult(image=image):
            return "no image" if image is None else "built"
        case ImportResult(references=references, ids=ids):
            return f"{len(references)} named, {len(ids)} ids"
        case _:
            return "done"


def _digests(tags: tuple[Any, ...]) -> str:
    return "" if tags else ", no digest"
