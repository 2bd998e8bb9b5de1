"""Base class for structs whose repr() redacts secrets."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import Struct


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
