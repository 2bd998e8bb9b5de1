"""A progress display for every client, and the ``dockerproto`` command.

`show` and the progress of the command need rich (extras ``rich`` and ``cli``). It is loaded on first use, so
that other commands start faster, and a missing extra can be named.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dockerproto_cli.display import AsyncShown, Display, Shown, show
    from dockerproto_cli.group import DisplayGroup, show_all

__all__ = ["AsyncShown", "Display", "DisplayGroup", "Shown", "show", "show_all"]

_IN_GROUP = ("DisplayGroup", "show_all")

if not TYPE_CHECKING:  # or unknown names would pass the type checkers  # pragma: no branch

    def __getattr__(name: str) -> object:
        """Load a public name from the module that needs rich."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            module = "group" if name in _IN_GROUP else "display"
            return getattr(import_module(f"dockerproto_cli.{module}"), name)
        except ModuleNotFoundError as error:
            from dockerproto.errors import NotInstalled  # noqa: PLC0415  # `--help` needs no dockerproto

            raise NotInstalled(0, "dockerproto_cli needs rich: pip install 'dockerproto[rich]'") from error
