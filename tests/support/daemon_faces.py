"""A BuildKit daemon with the face of an engine, so that tests of builds on an engine hold for a daemon too.

Builds and questions go to the daemon, everything else to the engine behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from tests.support.facade import Transport, client, daemon_client
from tests.testbed.daemon_relay import DaemonRelay

_BUILDING: Final = ("build", "check", "outline", "targets")


class DaemonFace:
    """A client of a daemon and one of its engine, inside the ``async with``."""

    def __init__(self, daemon: Any, engine: Any) -> None:
        self._daemon = daemon
        self._engine = engine
        self.images = self
        """The operations on images."""
        self.buildkit = daemon
        """The operations on BuildKit."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._daemon if name in _BUILDING else self._engine.images, name)

    async def __aenter__(self) -> DaemonFace:
        await self._daemon.__aenter__()
        await self._engine.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._engine.__aexit__(*exception)
        await self._daemon.__aexit__(*exception)


class DaemonFaces:
    """A maker of faces from the URLs of engines; each engine has one relay, inside the `with`.

    Args:
        transport: Transport of the clients.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport: Transport = transport
        self._relays: dict[str, DaemonRelay] = {}
        self._stack = ExitStack()

    def __enter__(self) -> DaemonFaces:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def __call__(self, url: str, **options: Any) -> DaemonFace:
        """Return a face of the daemon that stands for an engine."""
        if url not in self._relays:
            relay = DaemonRelay(Path(url.removeprefix("unix://")))
            self._relays[url] = self._stack.enter_context(relay)
        daemon = daemon_client(self._transport, self._relays[url].url, **options)
        return DaemonFace(daemon, client(self._transport, url, **options))


def faces(transport: Transport) -> Iterator[DaemonFaces]:
    """Yield a maker of faces; close its relays afterwards."""
    with DaemonFaces(transport) as made:
        yield made
