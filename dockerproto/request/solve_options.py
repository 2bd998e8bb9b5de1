"""Options of a build that only BuildKit's Control API has, in the form in which they are sent.

Each has its requirements: an engine that lacks one would ignore the option, or fail late.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field

from dockerproto.errors import UnsupportedEngine
from dockerproto.redacted import Redacted
from dockerproto.request.caches import CacheEntry
from dockerproto.request.outputs import Exporter
from dockerproto.versions import OLDEST, Version, require

_WAY_OUT: Final = "enable its containerd image store, see https://docs.docker.com/engine/storage/containerd/"


class Requirement(Struct, frozen=True):
    """The engines that have an option."""

    option: str
    """Option, as the program gave it."""
    since: Version = OLDEST
    """First API version whose engines have it."""
    containerd: bool = False
    """True if only the containerd image store has it, not a graph driver."""


class Worker(Struct, frozen=True):
    """The abilities of an engine's BuildKit worker."""

    containerd: bool
    """True if the engine has its images in containerd's store, False if in a graph driver's."""
    host_gateway: str | None = None
    """Address that ``host-gateway`` stands for; None: the engine does not report it."""


class SolveOptions(Redacted, frozen=True, kw_only=True):
    """Options of a build that the parameters of ``POST /build`` cannot express."""

    _hidden = ("attributes", "exporters")

    argument: str
    """First argument of the build that is such an option."""
    exporters: tuple[Exporter, ...]
    """Outputs."""
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])
    """Attributes of the Dockerfile frontend, which may contain secrets."""
    cache_exports: tuple[CacheEntry, ...] = ()
    """Caches to write."""
    cache_imports: tuple[CacheEntry, ...] = ()
    """Caches to read, except those of images by name."""
    entitlements: tuple[str, ...] = ()
    """Permissions of the steps."""
    requirements: tuple[Requirement, ...] = ()
    """Requirements of the options."""
    subrequest: bool = False
    """True if the frontend is asked a question, which is among the attributes, instead of a build."""

    def check_version(self, version: Version) -> None:
        """Raise UnsupportedVersion for an option that engines of an API version lack."""
        for each in self.requirements:
            require(each.since, each.option, version)

    def check_worker(self, worker: Worker) -> None:
        """Raise UnsupportedEngine for an option that the worker of an engine lacks."""
        if worker.containerd:
            return
        missing = next((each.option for each in self.requirements if each.containerd), None)
        if missing is not None:
            message = f"this engine keeps its images with a graph driver, which does not support {missing}"
            raise UnsupportedEngine(0, f"{message}; {_WAY_OUT}")
