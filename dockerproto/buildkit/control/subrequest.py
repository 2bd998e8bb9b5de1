"""A question to a frontend, by the Control API: it reads the Dockerfile, and builds nothing.

Only the gateway hands out the reply of a frontend; `Solve` reports what exporters add. So the build has no
frontend of its own: the client calls the frontend, and returns its result as that of the build.
"""

# The calls end in this order, after which the build is over as any other:
#
#     gateway Solve succeeds   Return of its result   Solve succeeds
#     gateway Solve fails      Return of its error    Solve fails with that error
#     Solve fails              (the build never began, or broke; the gateway knows no more)

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from dockerproto.buildkit.control.calls import GATEWAY, Call, Calls
from dockerproto.buildkit.control.messages import (
    ErrorStatus,
    FrontendRequest,
    FrontendResponse,
    FrontendResult,
    ReturnRequest,
    SolveRequest,
)
from dockerproto.buildkit.control.solve import Solve, encoded, error_line, message_line
from dockerproto.buildkit.rpc.grpc import CallEnded
from dockerproto.errors import ProtocolViolated, UnsupportedEngine
from dockerproto.messages.subrequests import SUBREQUEST
from dockerproto.redacted import hides_frames

_BUILD: Final = "buildkit-controlapi-buildid"
"""Metadata of calls of the gateway: the id of the build."""
_DOCUMENT: Final = "result.json"
"""Metadata of the result: the reply as JSON."""
_UNSUPPORTED: Final = ("unsupported request frontend.", "unsupported frontend capability ")
"""Phrases of frontends that do not know a question, or none at all."""
_WAY_OUT: Final = (
    "a newer engine does, and so does this one if the Dockerfile begins with '# syntax=docker/dockerfile:1'"
)


class Subrequest(Solve):
    """One question to a frontend.

    Args:
        calls: Calls on the connection to the engine.
        request: The build, with the question among its attributes.
        question: The question, as an error names it.
    """

    def __init__(self, calls: Calls, request: SolveRequest, *, question: str) -> None:
        super().__init__(calls, replace(request, frontend=""), quiet=False)
        self._question = question
        self._metadata = ((_BUILD, request.ref),)
        self._frontend = self._gateway("Solve", encoded(_frontend_request(request)))
        self._returned = False
        self._document: bytes | None = None

    def messages(self) -> bytes:
        """Return the messages that are ready, one per line.

        Raises:
            ProtocolViolated: The result is malformed.
            UnsupportedEngine: The frontend does not know the question.
        """
        self._return_result()
        return super().messages()

    @property
    def _failed(self) -> CallEnded | None:
        """Outcome of the call that failed; the error of the frontend has details, which the build's lacks."""
        return self._frontend.ended if self._returned and not self._frontend.succeeded else super()._failed

    def _return_result(self) -> None:
        """Return what the frontend replied, which ends the build; a build that is over needs no more."""
        ended = self._frontend.ended
        if ended is None or self._returned or self.solved:
            return
        self._returned = True
        if self._frontend.succeeded:
            result = FrontendResponse.decode(self._calls.reply(self._frontend)).result
            self._document = FrontendResult.decode(result).metadata.get(_DOCUMENT)
            returned = ReturnRequest(result)
        else:
            returned = ReturnRequest(error=ErrorStatus(ended.status.code, ended.status.message))
        self._gateway("Return", returned.encode())

    def _result(self) -> Iterator[bytes]:
        failed = self._failed
        if failed is not None:
            self._check_support(failed.status.message)
            yield error_line(failed)
        elif self._document is None:
            raise ProtocolViolated(0, f"the engine replied to {self._question} without a {_DOCUMENT}")
        else:
            yield message_line({"id": SUBREQUEST, "aux": b64encode(self._document).decode("ascii")})

    def _check_support(self, message: str) -> None:
        """Raise UnsupportedEngine if a failure says that the frontend does not know the question."""
        if any(phrase in message for phrase in _UNSUPPORTED):
            raise UnsupportedEngine(
                0, f"this engine does not support {self._question}: {message}; {_WAY_OUT}"
            )

    def _gateway(self, method: str, message: bytes) -> Call:
        return self._calls.begin(method, message, service=GATEWAY, metadata=self._metadata)


@hides_frames
def _frontend_request(request: SolveRequest) -> FrontendRequest:
    return FrontendRequest(
        request.frontend, request.frontend_attributes, allow_result=True, allow_result_array=True
    )
