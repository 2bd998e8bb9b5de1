"""Following progress: messages of layers, recorded ones, and what has changed by them in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dockerproto.messages.decoding import Messages
from dockerproto.progress import Event, Line, Tracker
from tests.support.feeding import feed, recorded


def layer(status: str, id: str = "a", **detail: Any) -> dict[str, Any]:
    return {"status": status, "id": id, "progressDetail": detail}


def followed(messages: Iterable[dict[str, Any]], *, seconds: float = 1.0) -> tuple[Tracker, list[Event]]:
    """Feed messages, one each second, the first at 0."""
    progress, events = Tracker(), list[Event]()
    for number, message in enumerate(messages):
        events += progress.feed(message, number * seconds)
    return progress, events


def told(events: Iterable[Event]) -> list[str]:
    """Say what events are."""
    return [
        f"{event.part.name if event.part else ''}> {event.text}"
        if isinstance(event, Line)
        else f"{event.name} {event.state.value}"
        for event in events
    ]


def recording(engine: str, operation: str) -> list[dict[str, Any]]:
    return feed(Messages(), [recorded(engine, operation).body]).items
