"""The exceptions, a tree with one root.

A name says what happened to the call or which value was wrong: `NotFound`, `TimedOut`, `UploadFailed`,
`InvalidHost`. ``Error`` ends the names of whole groups, by the part of the system at fault: the engine
(`DockerError`, `DockerStreamError`, `ServerError`) or its configuration (`CredentialsError`, `ContextError`).

::

    DockerError                    status, message, messages, hint, step
    ├── BadRequest                 the engine rejects a parameter, a Dockerfile, an archive
    │   ├── UnsupportedVersion     the engine does not support the API version or a parameter
    │   └── UnsupportedEngine      Podman, the image store or BuildKit lacks the operation, or a part of it
    ├── Unauthorized               credentials are missing or wrong for the registry
    │   └── NotFoundOrUnauthorized the registry does not tell the two apart (a NotFound too)
    ├── NotFound                   the image, tag or manifest does not exist
    ├── Conflict                   the image is in use, or has other names
    ├── TooManyRequests            the registry limits the rate of requests
    ├── ServerError                the engine failed, or a registry that it called
    ├── DockerStreamError          error_detail; the engine failed after it had responded with 200
    │   ├── StepFailed             a command of a build ended with an exit code other than 0
    │   └── StreamBadRequest, StreamUnauthorized, StreamNotFoundOrUnauthorized, StreamNotFound,
    │       StreamConflict, StreamTooManyRequests, StreamServerError,
    │       StreamOutputFailed: each is the class of its cause too
    ├── ConnectionFailed           no connection, or it broke before the response was complete
    ├── TimedOut                   one of the limits of the call was exceeded (a TimeoutError too)
    ├── ProtocolViolated           the response is not one that an engine sends
    ├── UploadFailed               the data to upload could not be read
    ├── OutputFailed               an output or archive cannot be written, or is not safe to write
    ├── CredentialsError           the credentials of a registry cannot be looked up or stored
    ├── ClientClosed               the client or stream is closed, or in use by another task, loop or process
    ├── InvalidPattern             a malformed pattern of an ignore file (a ValueError too): its file, line
    ├── NotFinished                the result of a stream that was not read to its end
    ├── InvalidHost                an invalid address of an engine (a ValueError too)
    ├── InvalidHeader              an invalid custom header (a ValueError too)
    ├── ContextError               the selected Docker context is missing or unreadable
    ├── UnsupportedTransport       the transport lacks what the operation needs: files, sessions, its loop
    ├── NotInstalled               a part of the library needs an extra (an ImportError too)
    └── InvalidReference           an invalid image reference (a ValueError too); nothing was sent

The message is the engine's own; an exception of another library becomes the ``__cause__``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from msgspec import Struct


class FailedStep(Struct, frozen=True):
    """The failed step of a build, in one form for every builder."""

    name: str
    """Name, with the number where the engine reports it: ``[2/3] RUN make``, ``[build 2/3] RUN make``.

    BuildKit counts the steps of each stage, and has steps of its own, such as
    ``[internal] load metadata for docker.io/library/busybox``; the classic builder counts all steps.
    """
    command: str | None = None
    """Command as the engine reports it: ``/bin/sh -c make``; None if the step ran none.

    Podman does not report it; there it is the text of the instruction.
    """
    exit_code: int | None = None
    """Exit code of the command; None if the step ran none."""
    log: tuple[str, ...] = ()
    """Last lines of the step's standard output and standard error, without line ends."""


class DockerError(Exception):
    """The root of all exceptions of the library."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status: int = status
        """HTTP status of the response; 0 if the error was not reported by a status."""
        self.message: str = message
        """The engine's own message, or the library's where the engine sent none."""
        self.messages: list[Any] = []
        """Messages of the operation before the error.

        An operation that returns a list keeps all of them; a stream keeps the last 1,000 messages, at most
        those of the last 4 MiB of the body.
        """
        self.hint: str = ""
        """Advice about a refusal by a registry; part of ``str()``, not of `message`."""
        self.step: FailedStep | None = None
        """Failed step of a build; None if the engine named none."""

    def __str__(self) -> str:
        text = f"[{self.status}] {self.message}" if self.status else self.message
        return f"{text}; {self.hint}" if self.hint else text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.status}, {self.message!r})"


class BadRequest(DockerError):
    """The engine rejects the request."""


class UnsupportedVersion(BadRequest):
    """The engine does not support the API version, or not yet the operation or parameter."""


class UnsupportedEngine(BadRequest):
    """Podman, the engine's image store or its BuildKit lacks the operation, or would ignore a part of it.

    Nothing is changed.
    """


class Unauthorized(DockerError):
    """Credentials are missing or wrong for the registry."""


class NotFound(DockerError):
    """The image, tag or manifest does not exist."""


class NotFoundOrUnauthorized(NotFound, Unauthorized):
    """The repository does not exist, or the credentials do not cover it; the registry does not say which."""


class Conflict(DockerError):
    """The image is in use, or has other names."""


class TooManyRequests(DockerError):
    """The registry limits the rate of requests."""


class ServerError(DockerError):
    """The engine failed, or a registry that it called."""


class DockerStreamError(DockerError):
    """The engine reported a failure after it had responded with 200."""

    def __init__(
        self, message: str, *, error_detail: Mapping[str, Any] | None = None, status: int = 0
    ) -> None:
        super().__init__(status, message)
        self.error_detail: dict[str, Any] = dict(error_detail or {"message": message})
        """Details from the engine: ``message``, and ``code`` for the failed step of a classic build."""

    def __reduce__(self) -> tuple[Any, ...]:
        make = partial(type(self), error_detail=self.error_detail, status=self.status)
        return make, (self.message,), vars(self)


class StepFailed(DockerStreamError):
    """A command of a build ended with an exit code other than 0; `step` has it, with its last lines."""


class StreamBadRequest(DockerStreamError, BadRequest):
    """A BadRequest that arrived in the stream."""


class StreamUnauthorized(DockerStreamError, Unauthorized):
    """An Unauthorized that arrived in the stream."""


class StreamNotFound(DockerStreamError, NotFound):
    """A NotFound that arrived in the stream."""


class StreamNotFoundOrUnauthorized(DockerStreamError, NotFoundOrUnauthorized):
    """A NotFoundOrUnauthorized that arrived in the stream."""


class StreamConflict(DockerStreamError, Conflict):
    """A Conflict that arrived in the stream."""


class StreamTooManyRequests(DockerStreamError, TooManyRequests):
    """A TooManyRequests that arrived in the stream."""


class StreamServerError(DockerStreamError, ServerError):
    """A ServerError that arrived in the stream."""


class ConnectionFailed(DockerError):
    """The client cannot connect to the engine, or the connection broke before the response was complete."""


class TimedOut(DockerError, TimeoutError):
    """One of the limits of the call was exceeded, see `Timeout`."""


class ProtocolViolated(DockerError):
    """The response is not one that a Docker Engine sends."""


class UploadFailed(DockerError):
    """The data to upload could not be read; the cause says why."""


class OutputFailed(DockerError):
    """An output or archive cannot be written (see the cause), or is not safe to write (see the message)."""


class StreamOutputFailed(DockerStreamError, OutputFailed):
    """An OutputFailed for which the engine reported a failure of its own in the stream."""


class CredentialsError(DockerError):
    """The credentials of a registry cannot be looked up or stored; the message says why."""


class ClientClosed(DockerError):
    """The client or the stream is closed, or in use elsewhere.

    Two tasks must not read one stream at once, two event loops must not use one client at once, and a stream
    that was opened before a fork must not be read in the child.
    """


class InvalidPattern(DockerError, ValueError):
    """A pattern of paths to exclude from a build context is malformed."""

    def __init__(
        self, status: int, message: str, *, pattern: str = "", file: str = "", line: int = 0
    ) -> None:
        super().__init__(status, message)
        self.pattern: str = pattern
        """The pattern."""
        self.file: str = file
        """Path of the ignore file; empty if the pattern has another source."""
        self.line: int = line
        """Line in that file, from 1 on."""


class NotFinished(DockerError):
    """The result of a stream is not available: the stream was not read to its end, or failed."""


class InvalidHost(DockerError, ValueError):
    """The address of an engine is invalid."""


class InvalidHeader(DockerError, ValueError):
    """A custom header is invalid."""


class ContextError(DockerError):
    """The selected Docker context is missing or unreadable."""


class NotInstalled(DockerError, ImportError):
    """This part of the library needs an extra that is not installed."""


class UnsupportedTransport(DockerError):
    """The transport lacks what the operation needs.

    That is a host with files, concurrent tasks for a session, or the event loop that it is made for.
    """


class InvalidReference(DockerError, ValueError):
    """The image reference is invalid; nothing was sent."""
