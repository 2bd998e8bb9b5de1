"""Values with something in them that no log is to have."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct


class Discreet(Struct, frozen=True):
    """The base of values whose repr() leaves out what is secret, or too long to be read.

    >>> class Door(Discreet, frozen=True):
    ...     _hidden = ("code",)
    ...     name: str
    ...     code: str
    >>> Door("back", "1234")
    Door(name='back')
    """

    _hidden: ClassVar[tuple[str, ...]] = ()
    """The names of what it leaves out."""

    def __repr__(self) -> str:
        shown = (name for name in self.__struct_fields__ if name not in self._hidden)
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"
