"""The engine of `dockerproto_testing` with replies byte by byte, for everything that a real one will not do.

with ScriptedEngine(tmp_path) as engine:
    engine.script("POST", "/images/create", (stream_head(), chunk(b"{}"), Reset()))
"""

from dockerproto_testing import ReceivedRequest as Recorded
from dockerproto_testing import engine
from dockerproto_testing.replies import LAST_CHUNK, chunk, chunked, head, json_response, response, stream_head
from dockerproto_testing.scripts import Script
from dockerproto_testing.steps import (
    Close,
    DontReadBody,
    Pause,
    ReadBody,
    ReadSome,
    Reply,
    Reset,
    Step,
    UntilClosed,
    WaitFor,
    steps_of,
)

from .processes import wait_until
from .recordings import recorded

__all__ = [
    "LAST_CHUNK",
    "Close",
    "DontReadBody",
    "Pause",
    "ReadBody",
    "ReadSome",
    "Recorded",
    "Reply",
    "Reset",
    "ScriptedEngine",
    "Step",
    "UntilClosed",
    "WaitFor",
    "chunk",
    "chunked",
    "head",
    "json_response",
    "recorded",
    "response",
    "stream_head",
    "wait_until",
]


class ScriptedEngine(engine.ScriptedEngine):
    """A scripted engine whose replies are bytes and actions."""

    def script(self, method: str, path: str, *replies: Reply) -> None:
        """Set the replies to a method and path (without version and query), instead of those set before.

        They are used one per request, the last one for all that follow. A reply is bytes, an action, or a
        sequence of them. The request's body is read first, unless the reply contains `ReadBody`, `ReadSome`
        or `DontReadBody`. After a reply without an end the connection serves the next request.
        """
        if not replies:
            raise ValueError("a script needs a reply")
        with self._lock:
            self._scripts[method, path] = Script(map(steps_of, replies))
