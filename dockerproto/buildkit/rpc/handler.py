"""One call of a service by the engine, as a state machine without I/O.

The driver of a handler calls `Handler.next` until it returns a `Status`, and does each step before it asks
for the next one. It calls `Handler.receive` and `Handler.end` only after `Handler.next` has returned None:
messages that come earlier wait in the call's inbox, within the limits of flow control, so nothing piles up
in a handler. After a message, it calls `Handler.next` again, unless the handler wants more messages first: so
a handler does the work for many short messages in one step. While it does a step, the driver calls no method
except `Handler.close`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from enum import IntEnum
from functools import partial
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

from msgspec import Struct

T = TypeVar("T")


class Code(IntEnum):
    """gRPC status codes, those used here.

    Documented at https://grpc.io/docs/guides/status-codes/.
    """

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


class Status(Struct, frozen=True):
    """Outcome of a call."""

    code: int
    """A `Code`, or any other number that the peer sent."""
    message: str = ""
    """Reason, shown by the engine to its user."""


OK: Final = Status(Code.OK)
"""Status of a call that succeeded."""


class BlockingStep(Struct, frozen=True):
    """A step that blocks, to be run in a worker thread; a session runs one at a time.

    It must be short, as the steps of other calls wait for it: a chunk of a file, or a batch of a directory.
    An exception ends the call with its text.
    """

    run: Callable[[], Any]
    """Function to call in the thread."""
    done: Callable[[Any], None]
    """Function to call with the result, where the handler's other methods are called."""


class AsyncStep(Struct, frozen=True):
    """A step that awaits, for example a credentials lookup or a connection.

    It may take long, as only its own call waits for it. An exception ends the call with its text.
    """

    run: Callable[[], Awaitable[Any]]
    """Function whose result is awaited."""
    done: Callable[[Any], None]
    """Function to call with the result."""


class Failed(Struct, frozen=True):
    """A failure that the last message has told the engine: the call goes on until the engine ends it.

    If it ended at once, an engine that is sending at that moment would report "EOF" in place of the message.
    """

    error: Exception
    """The failure."""


Step: TypeAlias = bytes | BlockingStep | AsyncStep | Failed | Status | None
"""Next thing to do: send a message, run a step, note a failure, end the call; None: wait for the engine."""


class Handler(Protocol):
    """The handling of one call."""

    def receive(self, message: bytes) -> bool | None:
        """Take a message of the engine. An exception of any method except `close` ends the call.

        Returns:
            True to receive the next message, if it has arrived, before `next` is called.
        """
        ...

    def end(self) -> None:
        """Note that the engine sends no more messages."""
        ...

    def next(self) -> Step:
        """Return the next step.

        Called after the previous step is done, while there is room for a message; after None only once the
        engine has sent something, and never after a `Status`.
        """
        ...

    def close(self) -> None:
        """Release the call's resources: it has ended, or was aborted. Raises nothing, and may be repeated.

        The result of an aborted call must not look complete afterwards.
        """
        ...


Metadata: TypeAlias = Mapping[str, tuple[str, ...]]
"""Headers of a call: all values by lower-case name.

Bytes that are not UTF-8 are surrogate escapes.
"""

HandlerFactory: TypeAlias = Callable[[Metadata], Handler]
"""Makes the handler of a call; an exception ends the call."""

Services: TypeAlias = Mapping[str, HandlerFactory]
"""Services of the client: handler factories by method path, ``/package.Service/Method``."""


class RpcError(Exception):
    """Ends a call with a given status; any other exception ends it with `Code.UNKNOWN`."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.status: Status = Status(code, message)
        """Status of the call."""


class _UnaryHandler(ABC, Generic[T]):
    """A call with one request message and one reply."""

    def __init__(self, function: Callable[[bytes], T]) -> None:
        self._function = function
        self._message: bytes = b""
        self._steps: list[Step] = []

    def receive(self, message: bytes) -> None:
        """Store the request message."""
        self._message = message

    @abstractmethod
    def end(self) -> None:
        """Compute the reply; a missing message counts as an empty one."""

    def next(self) -> Step:
        """Return the step that computes the reply, then the reply, then the status."""
        return self._steps.pop() if self._steps else None

    def close(self) -> None:
        """Do nothing, as there is nothing to release."""

    def _reply(self, reply: bytes) -> None:
        self._steps = [OK, reply]


class Unary(_UnaryHandler[bytes]):
    """A unary call whose reply is computed at once.

    Args:
        function: Returns the reply to a message.
    """

    def end(self) -> None:
        """Compute the reply."""
        self._reply(self._function(self._message))


class AsyncUnary(_UnaryHandler[Awaitable[bytes]]):
    """A unary call whose reply is awaited.

    Args:
        function: Coroutine function that returns the reply to a message.
    """

    def end(self) -> None:
        """Start to compute the reply."""
        self._steps = [AsyncStep(partial(self._function, self._message), self._reply)]


class BlockingUnary(_UnaryHandler[bytes]):
    """A unary call whose reply is computed in a worker thread.

    Args:
        function: Returns the reply to a message; it blocks.
    """

    def end(self) -> None:
        """Start to compute the reply."""
        self._steps = [BlockingStep(partial(self._function, self._message), self._reply)]
