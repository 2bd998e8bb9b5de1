"""Steps of a scripted reply, other than sending bytes.

Rule: a step ends early, with `GoneError`, when the client goes away or the engine is shut down.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from dockerproto_testing.wire import Body, GoneError, Wire


@dataclass(frozen=True, slots=True)
class Exchange:
    """The connection and the request body that a step acts on."""

    wire: Wire
    body: Body


class Action(Protocol):
    """A step that is not bytes."""

    def perform(self, exchange: Exchange, /) -> None:
        """Take the step; raise GoneError or Ending to end the connection."""
        ...


Step: TypeAlias = bytes | Action
Reply: TypeAlias = Step | Sequence[Step]


class Ending(Exception):
    """The script ends the connection here."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__(reset)
        self.reset = reset


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for some seconds."""

    seconds: float

    def perform(self, exchange: Exchange, /) -> None:
        """Wait."""
        if exchange.wire.hung_up(self.seconds):
            raise GoneError


@dataclass(frozen=True, slots=True)
class WaitFor:
    """Wait until the test sets an event."""

    event: threading.Event

    def perform(self, exchange: Exchange, /) -> None:
        """Wait."""
        while not self.event.wait(0.005):
            if exchange.wire.hung_up(0):
                raise GoneError


@dataclass(frozen=True, slots=True)
class ReadBody:
    """Read the rest of the request's body."""

    def perform(self, exchange: Exchange, /) -> None:
        """Read."""
        exchange.body.read()


@dataclass(frozen=True, slots=True)
class ReadSome:
    """Read some bytes of the request's body, de-chunked."""

    count: int

    def perform(self, exchange: Exchange, /) -> None:
        """Read."""
        exchange.body.read(self.count)


@dataclass(frozen=True, slots=True)
class DontReadBody:
    """Do not read the request's body before the reply; it is read after it, if the connection stays open."""

    def perform(self, _exchange: Exchange, /) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection: the client reads what was sent, then the end; writing raises EPIPE."""

    def perform(self, _exchange: Exchange, /) -> None:
        """End the connection."""
        raise Ending(reset=False)


@dataclass(frozen=True, slots=True)
class Reset:
    """Reset the connection: the client reads what was sent, then gets ECONNRESET, or EPIPE if it writes."""

    def perform(self, _exchange: Exchange, /) -> None:
        """End the connection."""
        raise Ending(reset=True)


@dataclass(frozen=True, slots=True)
class UntilClosed:
    """Hold the connection open, reading nothing, until the client closes it."""

    def perform(self, exchange: Exchange, /) -> None:
        """Wait."""
        exchange.wire.hung_up(None)
        raise GoneError


def steps_of(reply: Reply) -> tuple[Step, ...]:
    """Return the steps of a reply, reading the body first unless the reply reads it itself."""
    steps = tuple(reply) if isinstance(reply, Sequence) and not isinstance(reply, bytes) else (reply,)
    if any(isinstance(step, DontReadBody | ReadBody | ReadSome) for step in steps):
        return steps
    return (ReadBody(), *steps)
