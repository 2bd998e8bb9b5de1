"""Recorded answers of engines, given message by message, with a halt where a test says so."""

from __future__ import annotations

import json
import threading
from typing import Any

from tests.support.feeding import recorded
from tests.testbed.scripted import LAST_CHUNK, Step, WaitFor, chunk, stream_head


class Halt:
    """A point at which an engine waits for the test."""

    def __init__(self) -> None:
        self.event = threading.Event()

    def go_on(self) -> None:
        """Let the engine go on."""
        self.event.set()


def lines_of(engine: str, operation: str) -> list[bytes]:
    """Return the messages of a recorded answer, as they were sent."""
    return [line + b"\n" for line in recorded(engine, operation).body.splitlines() if line.strip()]


def reply(messages: list[bytes] | list[dict[str, Any]], *halts: tuple[int, Halt]) -> tuple[Step, ...]:
    """Return a reply of messages; before the one with a halt's number, the engine waits."""
    steps: list[Step] = [stream_head()]
    waits = dict(halts)
    for number, message in enumerate(messages):
        if number in waits:
            steps.append(WaitFor(waits[number].event))
        steps.append(chunk(message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"))
    if len(messages) in waits:
        steps.append(WaitFor(waits[len(messages)].event))
    return (*steps, LAST_CHUNK)
