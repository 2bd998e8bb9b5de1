"""The exceptions: one tree, one root.

::

    DockerError                    status, message, messages, step
    ├── BadRequest                 the engine refuses what it was asked: a parameter, a Dockerfile, an archive
    │   ├── UnsupportedVersion     the API version, or a parameter in it, is not to be had from this engine
    │   └── UnsupportedEngine      a Podman would ignore what it was asked, or does not have it
    ├── Unauthorized               a registry wants other credentials, or any
    │   └── NotFoundOrUnauthorized a registry does not tell the two apart (a NotFound too)
    ├── NotFound                   no such image, tag, manifest
    ├── Conflict                   the image is in use, or known by other names
    ├── TooManyRequests            a registry limits the rate
    ├── ServerError                the engine failed, or a registry that it asked
    ├── DockerStreamError          error_detail; the engine failed after it had answered 200
    │   ├── StepFailed             a command of a build ended with an exit code other than 0
    │   └── StreamBadRequest, StreamUnauthorized, StreamNotFoundOrUnauthorized, StreamNotFound,
    │       StreamConflict, StreamTooManyRequests, StreamServerError: each is the class of its cause too
    ├── ConnectionFailed           no connection, or one that broke before the answer was complete
    ├── TimedOut                   a limit of the caller's own passed (a TimeoutError too)
    ├── ProtocolViolated           what came back is not what an engine sends
    ├── UploadFailed               the data to upload could not be read
    ├── OutputFailed               the output of a build cannot be written, or must not be
    ├── CredentialsError           the credentials of a registry cannot be looked up, or not be stored
    ├── ClientClosed               the client or stream is closed, or used by two at once
    ├── InvalidPattern             a pattern of an ignore file that is none (a ValueError too): its file, line
    ├── NotFinished                the result of a stream that was not read to its end
    ├── InvalidHost                the address of an engine that is none (a ValueError too)
    ├── InvalidHeader              a header for every request that cannot be sent (a ValueError too)
    ├── ContextError               the docker context that was chosen is missing, or cannot be read
    ├── UnsupportedTransport       the transport lacks what the operation needs: files, or BuildKit sessions
    ├── NotInstalled               a part of the library needs an extra (an ImportError too)
    └── InvalidReference           the name of an image that is none (a ValueError too); nothing was sent

The engine's own words are the message; the exception of another library is the ``__cause__``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from msgspec import Struct


class FailedStep(Struct, frozen=True):
    """The step of a build that failed: what every builder tells of it, in one form."""

    name: str
    """The step, with its number where the engine tells it: ``[2/3] RUN make``, ``[build 2/3] RUN make``.

    BuildKit counts the steps of each stage, and has steps of its own, such as
    ``[internal] load metadata for docker.io/library/busybox``; the classic builder counts all steps.
    """
    command: str | None = None
    """What was run, as the engine says it: ``/bin/sh -c make``; None if it was no command.

    Of a Podman, which does not say it, it is the text of the instruction.
    """
    exit_code: int | None = None
    """What the command ended with; None if it was no command."""
    log: tuple[str, ...] = ()
    """The last lines that the step printed, of both its outputs, without their line ends."""


class DockerError(Exception):
    """The root: what went wrong, in the engine's words where it has any."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status: int = status
        """The HTTP status of the engine's answer; 0 if it is not a status that tells of the error."""
        self.message: str = message
        """The engine's own words, or ours where the engine said nothing."""
        self.messages: list[Any] = []
        """What the engine had reported before, of an operation with progress.

        All of it if the operation was to return a list; of a stream the last 1,000 messages, as far as they
        came in 4 MiB.
        """
        self.step: FailedStep | None = None
        """The step of a build that failed; None if the engine named none."""

    def __str__(self) -> str:
        return f"[{self.status}] {self.message}" if self.status else self.message

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.status}, {self.message!r})"


class BadRequest(DockerError):
    """The engine refuses what it was asked."""


class UnsupportedVersion(BadRequest):
    """The engine does not have the API version, or not yet what was asked of it."""


class UnsupportedEngine(BadRequest):
    """The engine is a Podman, which would ignore a part of what it was asked, or has no such operation.

    What it would ignore is not sent.
    """


class Unauthorized(DockerError):
    """A registry wants other credentials, or any."""


class NotFound(DockerError):
    """There is no such image, tag or manifest."""


class NotFoundOrUnauthorized(NotFound, Unauthorized):
    """The registry does not say which: the repository does not exist, or the credentials do not reach it."""


class Conflict(DockerError):
    """The image is in use, or known by other names."""


class TooManyRequests(DockerError):
    """A registry limits the rate of requests."""


class ServerError(DockerError):
    """The engine failed, or a registry that it asked."""


class DockerStreamError(DockerError):
    """The engine reported a failure after it had answered 200."""

    def __init__(
        self, message: str, *, error_detail: Mapping[str, Any] | None = None, status: int = 0
    ) -> None:
        super().__init__(status, message)
        self.error_detail: dict[str, Any] = dict(error_detail or {"message": message})
        """What the engine says of the error: ``message``, and ``code`` for a classic build's failing step."""

    def __reduce__(self) -> tuple[Any, ...]:
        make = partial(type(self), error_detail=self.error_detail, status=self.status)
        return make, (self.message,), vars(self)


class StepFailed(DockerStreamError):
    """A command of a build ended with an exit code other than 0: `step` has it, and what it printed."""


class StreamBadRequest(DockerStreamError, BadRequest):
    """A BadRequest that came in the stream."""


class StreamUnauthorized(DockerStreamError, Unauthorized):
    """An Unauthorized that came in the stream."""


class StreamNotFound(DockerStreamError, NotFound):
    """A NotFound that came in the stream."""


class StreamNotFoundOrUnauthorized(DockerStreamError, NotFoundOrUnauthorized):
    """A NotFoundOrUnauthorized that came in the stream."""


class StreamConflict(DockerStreamError, Conflict):
    """A Conflict that came in the stream."""


class StreamTooManyRequests(DockerStreamError, TooManyRequests):
    """A TooManyRequests that came in the stream."""


class StreamServerError(DockerStreamError, ServerError):
    """A ServerError that came in the stream."""


class ConnectionFailed(DockerError):
    """There is no connection to the engine, or it broke before the answer was complete."""


class TimedOut(DockerError, TimeoutError):
    """A limit of the caller's own passed: see `Timeout`."""


class ProtocolViolated(DockerError):
    """What came back is not what an engine sends."""


class UploadFailed(DockerError):
    """The data to upload could not be read; the cause says why."""


class OutputFailed(DockerError):
    """The output of a build cannot be written, see the cause; or it is not safe to write, see the message."""


class CredentialsError(DockerError):
    """The credentials of a registry cannot be looked up, or not be stored: see its message."""


class ClientClosed(DockerError):
    """The client or the stream is closed, or two tasks use one stream at once."""


class InvalidPattern(DockerError, ValueError):
    """A pattern that says what to leave out of a context is malformed."""

    def __init__(
        self, status: int, message: str, *, pattern: str = "", file: str = "", line: int = 0
    ) -> None:
        super().__init__(status, message)
        self.pattern: str = pattern
        """What it says."""
        self.file: str = file
        """The ignore file that it is in; none: it was given otherwise."""
        self.line: int = line
        """Its line there, from 1 on."""


class NotFinished(DockerError):
    """The result of a stream was asked for, which was not read to its end, or failed."""


class InvalidHost(DockerError, ValueError):
    """This cannot be the address of an engine."""


class InvalidHeader(DockerError, ValueError):
    """This cannot be a header of every request."""


class ContextError(DockerError):
    """The docker context that was chosen is missing, or cannot be read."""


class NotInstalled(DockerError, ImportError):
    """What this needs comes with an extra of the library, which is not installed."""


class UnsupportedTransport(DockerError):
    """The transport lacks what the operation needs: a host with files, or concurrent tasks for a session."""


class InvalidReference(DockerError, ValueError):
    """This cannot be the name of an image; nothing was sent."""
