"""One call of the Control API, as a response: its body has the messages, each with its length before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from dockerproto.buildkit.control.calls import Call
from dockerproto.buildkit.control.connection import ControlConnection
from dockerproto.buildkit.control.reply import ControlReply
from dockerproto.buildkit.control.server import BuildKitServer
from dockerproto.buildkit.rpc.grpc import CallEnded
from dockerproto.buildkit.rpc.handler import Code
from dockerproto.errors import (
    BadRequest,
    DockerError,
    NotFound,
    ProtocolViolated,
    ServerError,
    Unauthorized,
    UnsupportedEngine,
)
from dockerproto.http.interfaces import Response
from dockerproto.messages.delimited import delimited
from dockerproto.request.control_call import ControlCall
from dockerproto.timeouts import Timer

_ERRORS: Final[Mapping[int, type[DockerError]]] = {
    Code.INVALID_ARGUMENT: BadRequest,
    Code.NOT_FOUND: NotFound,
    Code.PERMISSION_DENIED: Unauthorized,
    Code.UNAUTHENTICATED: Unauthorized,
}
"""Exceptions by status; any other is a `ServerError`."""
_INVALID: Final = ": invalid argument"
"""End of the message about a malformed filter, which comes with the status UNKNOWN, 20.10 to 28.5."""


async def start_call(server: BuildKitServer, call: ControlCall, timer: Timer) -> Response:
    """Start a call on a connection of its own, and return its response.

    Raises:
        DockerError: The server cannot be connected to.
    """
    control = await server.open(timer)
    try:
        return _CallResponse(control, call, timer)
    except BaseException:
        control.close()
        raise


class _CallResponse(ControlReply):
    """The response to a call.

    Args:
        control: The connection.
        call: The call.
        timer: Limits of the call.
    """

    def __init__(self, control: ControlConnection, call: ControlCall, timer: Timer) -> None:
        super().__init__(control, timer)
        self._request = call
        self._call: Call = control.calls.begin(call.name, call.message.encode(), unary=call.unary)

    async def receive(self) -> bytes:
        """Return the messages that are ready, b"" at the end.

        Raises:
            DockerError: The call failed, or the connection broke.
        """
        try:
            while not (data := delimited(self._messages())) and self._call.ended is None:
                await self._control.move(self._timer)
            if not data:
                self._check()
        except BaseException:
            self.close()
            raise
        if not data:
            self.close()
        return data

    def _messages(self) -> Iterator[bytes]:
        while (message := self._control.calls.take(self._call)) is not None:
            yield message

    def _check(self) -> None:
        """Raise an exception for a call that failed, or that had no reply."""
        ended, purpose = self._call.ended, self._request.purpose
        if ended is not None and not self._call.succeeded:
            raise _failure(self._request, ended)
        if self._request.unary and not self._call.replied:
            raise ProtocolViolated(0, f"BuildKit ended the request for {purpose} without a reply")


def _failure(call: ControlCall, ended: CallEnded) -> DockerError:
    """Return the exception for a call that failed."""
    code, message = ended.status.code, ended.status.message
    if code == Code.UNIMPLEMENTED:
        since = f"; {call.since} do" if call.since else ""
        return UnsupportedEngine(0, f"this BuildKit does not support {call.purpose}: {message}{since}")
    kind = BadRequest if message.endswith(_INVALID) else _ERRORS.get(code, ServerError)
    return kind(0, f"{call.purpose} failed: {message or f'gRPC status {code}'}")
