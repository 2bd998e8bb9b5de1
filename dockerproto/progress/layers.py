"""Layers, as engines report them in pulls, pushes and imports: a table of their words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, cast

from msgspec.structs import replace

from dockerproto.progress.board import Board
from dockerproto.progress.parts import Amount, Event, Kind, Line, Part, State
from dockerproto.progress.text import printable

STATUSES: Final[Mapping[str, State]] = {
    "Pulling fs layer": State.WAITING,
    "Waiting": State.WAITING,
    "Preparing": State.WAITING,
    "Downloading": State.RUNNING,
    "Verifying Checksum": State.RUNNING,
    "Retrying": State.RUNNING,
    "Pushing": State.RUNNING,
    "Loading layer": State.RUNNING,
    "Importing": State.RUNNING,
    "Download complete": State.TRANSFERRED,
    "Extracting": State.EXTRACTING,
    "Pull complete": State.DONE,
    "Pushed": State.DONE,
    "Already exists": State.SKIPPED,
    "Layer already exists": State.SKIPPED,
    "Mounted": State.SKIPPED,
    "Unavailable": State.SKIPPED,
}
"""What a status means, without what follows `` in `` or `` from ``."""
_UNPACKED: Final = frozenset({"Pulling fs layer", "Downloading", "Download complete", "Extracting"})
_MOST: Final = 2**63 - 1


def read_layer(board: Board, message: Mapping[str, object], now: float) -> Iterator[Event]:
    """Read a message with a status: of a layer, or of the whole."""
    status, name = printable(text_of(message.get("status"))), printable(text_of(message.get("id")))
    words = status.partition(" in ")[0].partition(" from ")[0]
    amount = _amount(message.get("progressDetail"))
    known = STATUSES.get(words)
    if (known is None or not name) and amount is None:
        line = f"{name}: {status}" if name and status and name != status else status
        yield from (Line(line),) if line else ()
        return
    state = known or State.RUNNING
    part = board.part(Kind.LAYER, name or words, name or words)
    moved, unpacked = _amounts(part, words, state, amount)
    yield from board.put(replace(part, state=state, status=status, moved=moved, unpacked=unpacked), now)


def _amounts(
    part: Part, words: str, state: State, amount: tuple[int, int] | None
) -> tuple[Amount, Amount | None]:
    """Return how much of a part was transferred and extracted, after what a message says of it."""
    unpacked = part.unpacked
    if unpacked is None and words in _UNPACKED and not part.current:
        unpacked = Amount()
    if amount is None:
        return part.moved, unpacked
    if state is State.EXTRACTING and unpacked is not None:
        return part.moved.grown(0, amount[1]), unpacked.grown(*amount)
    return (part.moved.grown(*amount) if state is State.RUNNING else part.moved), unpacked


def text_of(value: object) -> str:
    """Return a text that an engine sent, or an empty one for what is none."""
    return value if isinstance(value, str) else ""


def _amount(value: object) -> tuple[int, int] | None:
    """Return the bytes that were transferred and those that there are, 0 if that is not said."""
    if not isinstance(value, Mapping):
        return None
    detail = cast("Mapping[object, object]", value)
    if detail.get("units"):  # seconds, of engines that do not know how much there is to extract
        return None
    current, total = number_of(detail.get("current")), number_of(detail.get("total"))
    return (current, total) if current or total else None


def number_of(value: object) -> int:
    """Return a number of bytes that an engine sent, or 0 for what is none."""
    return value if type(value) is int and 0 < value <= _MOST else 0
