"""Progress that people can read, and the command ``dockerproto``.

`show` needs rich only (extra ``rich``) and works with all clients; the command (extra ``cli``) uses the
blocking one. Nothing here is loaded by dockerproto or its clients.
"""

from dockerproto_cli.display import AsyncShown, Display, Shown, show

__all__ = ["AsyncShown", "Display", "Shown", "show"]
