"""Layers of pulls, pushes and imports: a table of the statuses that engines report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, cast

from msgspec.structs import replace

from dockerproto.messages.values import number_of, text_of
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
"""State of a layer by its status, without the text from `` in `` or `` from `` on."""
_EXTRACTED: Final = frozenset({"Pulling fs layer", "Downloading", "Download complete", "Extracting"})


def read_layer(board: Board, message: Mapping[str, object], now: float) -> Iterator[Event]:
    """Take a message with a status, of a layer or of the whole operation."""
    status, name = printable(text_of(message.get("status"))), printable(text_of(message.get("id")))
    action = status.partition(" in ")[0].partition(" from ")[0]
    amount = _amount(message.get("progressDetail"))
    known_state = STATUSES.get(action)
    if (known_state is None or not name) and amount is None:
        line = f"{name}: {status}" if name and status and name != status else status
        yield from (Line(line),) if line else ()
        return
    state = known_state or State.RUNNING
    part = board.part(Kind.LAYER, name or action, name or action)
    moved, unpacked = _amounts(part, action, state, amount)
    yield from board.put(replace(part, state=state, status=status, moved=moved, unpacked=unpacked), now)


def _amounts(
    part: Part, action: str, state: State, amount: tuple[int, int] | None
) -> tuple[Amount, Amount | None]:
    """Return the amounts of a part that are transferred and extracted, after a message about it."""
    unpacked = part.unpacked
    if unpacked is None and action in _EXTRACTED and not part.current:
        unpacked = Amount()
    if amount is None:
        return part.moved, unpacked
    if state is State.EXTRACTING and unpacked is not None:
        return part.moved.grow(0, amount[1]), unpacked.grow(*amount)
    return (part.moved.grow(*amount) if state is State.RUNNING else part.moved), unpacked


def _amount(value: object) -> tuple[int, int] | None:
    """Return the current and the total bytes, 0 for one that is missing; None if both are."""
    if not isinstance(value, Mapping):
        return None
    detail = cast("Mapping[object, object]", value)
    if detail.get("units"):  # seconds, from engines that do not know the bytes to extract
        return None
    current, total = number_of(detail.get("current")), number_of(detail.get("total"))
    return (current, total) if current or total else None
