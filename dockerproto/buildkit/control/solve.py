"""One build by the Control API, as the messages of ``POST /build``.

The engine reports the steps of a build in one call, `Status`, and its result in another, `Solve`. Written as
the engine itself writes them in the response of ``POST /build``, they are decoded, displayed and explained by
the same code.
"""

# The build is over when both calls are, whose end comes in any order, except:
# - `Status` of a build that never began ends only after seconds, so a `Solve` that fails before the first
#   report is the end;
# - after `Solve`, whoever drives this waits for the reports only for a while, then calls `end_reports`.

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from dockerproto.buildkit.control.calls import Calls
from dockerproto.buildkit.control.messages import ErrorStatus, SolveRequest, SolveResponse, StatusRequest
from dockerproto.buildkit.rpc.grpc import CallEnded
from dockerproto.errors import ProtocolViolated
from dockerproto.messages.exported import EXPORTED, metadata_of, push_messages
from dockerproto.messages.trace import TRACE
from dockerproto.messages.values import readable
from dockerproto.protobuf.codec import ProtoMessage
from dockerproto.redacted import RedactedBytes, hides_frames
from dockerproto.request.outputs import pushed_names

_IMAGE: Final = "moby.image.id"
_DIGEST: Final = "containerimage.digest"
"""Key of the result that has the id of the image, on every engine."""
_EXIT: Final = "ExitMessage"
"""Part of the type of the detail that has the exit code of a command."""
_CODES: Final = range(1, 256)


class _Exit(Struct, rename={"code": "Code"}):
    """The detail of an error that has the exit code of a command."""

    code: int = 0


class Solve:
    """One build.

    Args:
        calls: Calls on the connection to the engine.
        request: The build.
        quiet: True if the steps are not reported.
    """

    def __init__(self, calls: Calls, request: SolveRequest, *, quiet: bool) -> None:
        self._calls = calls
        self._quiet = quiet
        self._pushed = [name for each in request.exporters for name in pushed_names(each.attributes)]
        self._status = calls.begin("Status", StatusRequest(request.ref).encode(), unary=False)
        self._solve = calls.begin("Solve", encoded(request))
        self._reports_ended = False
        self.over: bool = False
        """True once the last message was returned."""
        self.exported: Mapping[str, str] | None = None
        """Result of the exporters, once the build has succeeded."""

    @property
    def solved(self) -> bool:
        """True once the result is known, and only reports may follow."""
        return self._solve.ended is not None

    def end_reports(self) -> None:
        """Do not wait for more reports."""
        self._reports_ended = True

    def messages(self) -> bytes:
        """Return the messages that are ready, one per line.

        Raises:
            ProtocolViolated: The result is malformed.
        """
        lines = list(self._reports())
        if not self.over and self.solved and self._no_more_reports:
            self.over = True
            lines.extend(self._result())
        return b"".join(line + b"\n" for line in lines)

    @property
    def _no_more_reports(self) -> bool:
        never_began = not (self._solve.succeeded or self._status.replied)
        return self._reports_ended or never_began or self._status.ended is not None

    @property
    def _failed(self) -> CallEnded | None:
        """Outcome of the call that failed; that of the reports counts only if there were some."""
        calls = (self._solve, self._status) if self._status.replied else (self._solve,)
        return next((each.ended for each in calls if each.ended and not each.succeeded), None)

    def _reports(self) -> Iterator[bytes]:
        while (report := self._calls.take(self._status)) is not None:
            if report and not self._quiet:
                yield message_line({"id": TRACE, "aux": b64encode(report).decode("ascii")})

    def _result(self) -> Iterator[bytes]:
        if (failed := self._failed) is not None:
            yield error_line(failed)
            return
        response = SolveResponse.decode(self._calls.reply(self._solve)).exporter_response
        exported = {readable(name): readable(value) for name, value in response.items()}
        self.exported = exported
        yield message_line({"id": EXPORTED, "aux": exported})
        yield from map(message_line, push_messages(self._pushed, metadata_of(exported)))
        if (image := exported.get(_DIGEST)) is not None:
            yield message_line({"id": _IMAGE, "aux": {"ID": image}})


@hides_frames
def encoded(request: ProtoMessage) -> RedactedBytes:
    """Return a request that may contain secrets as bytes that tracebacks do not show."""
    return RedactedBytes(request.encode())


def message_line(message: dict[str, Any]) -> bytes:
    """Return a message as its line, without a line end."""
    return msgspec.json.encode(message)


def error_line(ended: CallEnded) -> bytes:
    """Return the message that reports the failure of a call."""
    text = ended.status.message or f"the build failed with gRPC status {ended.status.code}"
    code = _exit_code(ended.details)
    detail = {"message": text} if code is None else {"code": code, "message": text}
    return message_line({"errorDetail": detail, "error": text})


def _exit_code(details: str) -> int | None:
    """Return the exit code of the command that failed; None if the details have none, or are malformed."""
    try:
        status = ErrorStatus.decode(b64decode(details + "=" * (-len(details) % 4)))
        found = [each.value for each in status.details if _EXIT in each.type_url]
        code = msgspec.json.decode(found[0], type=_Exit).code if found else 0
    except (ProtocolViolated, ValueError):  # the message tells the rest
        return None
    return code if code in _CODES else None
