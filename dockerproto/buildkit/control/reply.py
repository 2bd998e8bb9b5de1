"""The base of responses that come over a connection to the Control API."""

from __future__ import annotations

from typing import Final

from dockerproto.buildkit.control.connection import ControlConnection
from dockerproto.http.http11 import Head
from dockerproto.timeouts import Timer

_SUCCESS: Final = Head(200, {})


class ControlReply:
    """A response on a connection of its own.

    Args:
        control: The connection.
        timer: Limits of the call.
    """

    def __init__(self, control: ControlConnection, timer: Timer) -> None:
        self._control = control
        self._timer = timer
        self.head: Head = _SUCCESS
        """Status and headers."""
        self.reused: bool = False
        """False, as the connection is opened for the call."""

    @property
    def cause(self) -> None:
        """None: the errors of calls tell everything, and a session knows its own failures."""

    def close(self) -> None:
        """Close the connection at once, which stops the engine; closing again has no effect."""
        self._control.close()

    async def settle(self) -> None:
        """Do nothing: no task serves this response."""
