"""One call of a service by the engine, as a state machine without I/O.

What the engine sends comes in by `Handler.receive` and `Handler.end`, when `Handler.next` has said that there
is nothing else to do: what comes earlier waits, within the limits of flow control. So nothing piles up in a
handler. `Handler.next` says what is to be done now, one step at a time, until it says how the call ended.
Whoever drives it does the steps in their order, never two at once, and calls no method of it meanwhile.
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
    """How a call ended, as gRPC numbers it; the ones that are in use here.

    Documented at https://grpc.io/docs/guides/status-codes/.
    """

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    NOT_FOUND = 5
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    UNAVAILABLE = 14


class Status(Struct, frozen=True):
    """The end of a call."""

    code: int
    """A `Code`, or any other number that the peer sent."""
    message: str = ""
    """Why, in words that the engine shows to its user."""


OK: Final = Status(Code.OK)
"""The end of a call that did what it was to do."""


class BlockingStep(Struct, frozen=True):
    """A step that blocks: to be run in a worker thread, one of a session at a time.

    It is short, as those of other calls wait for it: a piece of a file, or a batch of a directory. An
    exception ends the call with its text.
    """

    run: Callable[[], Any]
    """What to call in the thread."""
    done: Callable[[Any], None]
    """What to call with its result, where the handler's other methods are called."""


class AsyncStep(Struct, frozen=True):
    """A step that waits in the manner of the core: for a lookup, or for a connection.

    It may take long, as nothing but its own call waits for it; an exception ends the call with its text.
    """

    run: Callable[[], Awaitable[Any]]
    """What to await."""
    done: Callable[[Any], None]
    """What to call with its result."""


Step: TypeAlias = bytes | BlockingStep | AsyncStep | Status | None
"""What is to be done: send a message, work, wait, end the call; None: wait for the engine."""


class Handler(Protocol):
    """A call of a service."""

    def receive(self, message: bytes) -> None:
        """Take a message of the engine. Raises what ends the call, as each method but `close` may."""
        ...

    def end(self) -> None:
        """Take note that the engine sends no more messages."""
        ...

    def next(self) -> Step:
        """Return what is to be done now.

        It is asked when the step before is done, and only while there is room for a message; after None
        when the engine has sent something, after a `Status` never again.
        """
        ...

    def close(self) -> None:
        """Let go of what the call holds: it is over, ended or broken off. Raises nothing.

        What was made of a call that broke off must not look complete afterwards. Again does nothing.
        """
        ...


Metadata: TypeAlias = Mapping[str, tuple[str, ...]]
"""The headers of a call by name in lower case, each with all its values.

Bytes that are no UTF-8 are surrogate escapes.
"""

Factory: TypeAlias = Callable[[Metadata], Handler]
"""What makes the handler of a call; an exception of it ends the call."""

Services: TypeAlias = Mapping[str, Factory]
"""What the client serves: factories by the path of the method, ``/package.Service/Method``."""


class RpcError(Exception):
    """Ends a call with a status of its own; any other exception ends it as `Code.UNKNOWN`."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.status: Status = Status(code, message)
        """How the call ends."""


class _Single(ABC, Generic[T]):
    """A call of one message that is answered with one."""

    def __init__(self, answer: Callable[[bytes], T]) -> None:
        self._answer: Final = answer
        self._asked: bytes = b""
        self._steps: list[Step] = []

    def receive(self, message: bytes) -> None:
        """Take the message."""
        self._asked = message

    @abstractmethod
    def end(self) -> None:
        """Answer it; no message is an empty one."""

    def next(self) -> Step:
        """Return the step to the answer, the answer, then the end."""
        return self._steps.pop() if self._steps else None

    def close(self) -> None:
        """Do nothing: it holds nothing."""

    def _answered(self, answer: bytes) -> None:
        self._steps = [OK, answer]


class Unary(_Single[bytes]):
    """A call of one message whose answer is at hand.

    Args:
        answer: Returns the answer to the message.
    """

    def end(self) -> None:
        """Answer the message."""
        self._answered(self._answer(self._asked))


class Deferred(_Single[Awaitable[bytes]]):
    """A call of one message whose answer has to be waited for.

    Args:
        answer: A coroutine function that returns the answer to the message.
    """

    def end(self) -> None:
        """Have the answer to the message looked for."""
        self._steps = [AsyncStep(partial(self._answer, self._asked), self._answered)]
