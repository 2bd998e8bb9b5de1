"""Values that show no secrets: not in a repr(), and not among the variables that a traceback shows.

Tools such as rich, Sentry and pytest show the variables of every frame of a traceback. So a secret is never a
plain str or bytes there: it is a `RedactedText`, `RedactedBytes` or a memoryview, or a hidden field of a
`Redacted`. Where other code needs plain values, `hide_frames` takes its frames out of the traceback.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar, Final, ParamSpec, TypeVar

from msgspec import Struct

P = ParamSpec("P")
T = TypeVar("T")

_REDACTED: Final = "<redacted>"


class RedactedText(str):
    """A secret as text, or a part of it.

    >>> RedactedText("secret"), f"{RedactedText('secret')}"
    (<redacted>, 'secret')
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return _REDACTED

    def __getitem__(self, key: Any) -> RedactedText:  # rich shows the first characters of a long str
        return RedactedText(super().__getitem__(key))


def prefixed(prefix: str, text: str) -> str:
    """Return a text with a prefix, redacted if the text is."""
    return type(text)(prefix + text)


class RedactedBytes(bytes):
    """A secret as bytes, or a part of it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return _REDACTED

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, int):
            return super().__getitem__(key)
        return RedactedBytes(super().__getitem__(slice(key.start, key.stop, key.step)))


class RedactedBuffer(bytearray):
    """A buffer of bytes that may contain secrets."""

    __slots__ = ()

    def __repr__(self) -> str:
        return _REDACTED


def hide_frames(error: BaseException) -> None:
    """Remove the frames below the caller's from the tracebacks of an exception and its causes."""
    hidden: BaseException | None = error
    seen = set[int]()
    while hidden is not None and id(hidden) not in seen:
        seen.add(id(hidden))
        hidden.__traceback__ = None
        hidden = hidden.__cause__ or hidden.__context__


def hides_frames(function: Callable[P, T]) -> Callable[P, T]:
    """Keep a function, its arguments and all that it calls out of tracebacks, as they hold plain secrets."""

    @wraps(function)
    def hidden(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            hide_frames(error)
            raise
        finally:
            del args, kwargs

    return hidden


class Redacted(Struct, frozen=True):
    """A struct whose repr(), and rich's, omits fields that are secret or too long to read.

    >>> class Door(Redacted, frozen=True):
    ...     _hidden = ("code",)
    ...     name: str
    ...     code: str
    >>> Door("back", "1234")
    Door(name='back')
    """

    _hidden: ClassVar[tuple[str, ...]] = ()
    """Names of the fields that repr() omits."""

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({shown})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        shown = (name for name in self.__struct_fields__ if name not in self._hidden)
        return [(name, getattr(self, name)) for name in shown]
