"""The engines that the tests can be run on, by name."""

from collections.abc import Callable
from typing import Final

from . import dockerd, podman, trixie
from .dockerd import Dockerd
from .podman import Podman
from .private import PrivateEngine
from .trixie import DockerdOfTrixie, DockerdWithContainerdStore

ENGINES: Final[dict[str, tuple[type[PrivateEngine], Callable[[], str | None]]]] = {
    Dockerd.name: (Dockerd, dockerd.available),
    DockerdOfTrixie.name: (DockerdOfTrixie, trixie.available),
    DockerdWithContainerdStore.name: (DockerdWithContainerdStore, trixie.available),
    Podman.name: (Podman, podman.available),
}
"""Each engine's class, and what tells why it cannot be started here, if it cannot."""
DEFAULT: Final = Dockerd.name
