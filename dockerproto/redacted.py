"""Values with something in them that no log is to have."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import Struct


class Redacted(Struct, frozen=True):
    """The base of values whose repr() leaves out what is secret, or too long to be read; rich's does too.

    >>> class Door(Redacted, frozen=True):
    ...     _hidden = ("code",)
    ...     name: str
    ...     code: str
    >>> Door("back", "1234")
    Door(name='back')
    """

    _hidden: ClassVar[tuple[str, ...]] = ()
    """The names of what it leaves out."""

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({shown})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        shown = (name for name in self.__struct_fields__ if name not in self._hidden)
        return [(name, getattr(self, name)) for name in shown]
