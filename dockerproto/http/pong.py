"""Responses to pings, and exceptions for those of other servers than engines."""

from __future__ import annotations

from typing import Final

from dockerproto.errors import BadRequest, DockerError, ProtocolViolated
from dockerproto.http.connecting import Target
from dockerproto.http.interfaces import Response
from dockerproto.messages.decoding import ErrorBody, Value

OF_OTHER_SERVERS: Final = frozenset({*range(201, 400), 400, 404, 405, 501})
"""Statuses of pings by other servers than engines; a proxy in front of an engine may send the others."""
_OK: Final = 200


async def read_pong(response: Response) -> None:
    """Read the body of a response to a ping; raise the error that it reports."""
    status = response.head.status
    body = Value(value=None) if status == _OK else ErrorBody(status)
    try:
        while data := await response.receive():
            body.feed(data)
        body.feed(b"")
    finally:
        response.close()


def explain_pong(target: Target, error: DockerError) -> DockerError:
    """Return the exception for an error of another server."""
    if "HTTPS" not in error.message:
        return not_an_engine(target, str(error))
    message = f"{target} uses TLS: {error.message:.200}; pass tls= or an https:// address"
    return BadRequest(error.status, message)


def not_an_engine(target: Target, reason: str) -> ProtocolViolated:
    """Return the exception for a server that is not an engine."""
    advice = "; does this port use TLS?" if "TLS" in reason else ""
    return ProtocolViolated(0, f"{target} is not a Docker Engine: {reason:.200}{advice}")
