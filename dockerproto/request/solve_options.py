"""Options of a build that only BuildKit's Control API has, in the form in which they are sent.

Each has its requirements: an engine that lacks one would ignore the option, or fail late.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Self

from msgspec import Struct, field
from msgspec.structs import replace

from dockerproto.errors import UnsupportedEngine
from dockerproto.redacted import Redacted
from dockerproto.request.caches import CacheEntry
from dockerproto.request.layouts import LayoutReference
from dockerproto.request.loading import ImageLoader
from dockerproto.request.named_contexts import NamedContexts, layout_context
from dockerproto.request.outputs import Exporter
from dockerproto.request.request import Request
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
    has_images: bool = True
    """True if it is an engine's, which has images of its own; a daemon has only a cache."""


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
    context_layouts: Mapping[str, LayoutReference] = field(default_factory=dict[str, LayoutReference])
    """Named contexts in OCI layouts, by the attribute that gets their digest."""
    entitlements: tuple[str, ...] = ()
    """Permissions of the steps."""
    requirements: tuple[Requirement, ...] = ()
    """Requirements of the options."""
    subrequest: bool = False
    """True if the frontend is asked a question, which is among the attributes, instead of a build."""
    load: ImageLoader | None = None
    """Engine to load the image into, which is the only output."""
    pushes: tuple[Request, ...] = ()
    """Requests that push the image once it is built, if BuildKit cannot: with a graph driver."""

    def following(self, worker: Worker | None) -> tuple[Request, ...]:
        """Return the requests to send once the image is built: pushes, if the worker does not push."""
        pushes = worker is None or worker.containerd or not worker.has_images
        return () if pushes else self.pushes

    @property
    def layouts(self) -> tuple[LayoutReference, ...]:
        """Directories with an OCI layout that the session serves."""
        caches = (each.layout for each in (*self.cache_exports, *self.cache_imports))
        return (*(each for each in caches if each is not None), *self.context_layouts.values())

    def with_digests(self, digests: Mapping[str, str]) -> Self:
        """Return the options with the digests of manifests, by the ids of their content stores.

        Caches to read without a digest do not exist, and are left out.
        """
        contexts = {
            name: layout_context(each.store, digests[each.store])
            for name, each in self.context_layouts.items()
        }
        return replace(
            self,
            attributes={**self.attributes, **contexts},
            cache_imports=tuple(_with_digests(self.cache_imports, digests)),
        )

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


def layout_requirements(contexts: NamedContexts) -> tuple[Requirement, ...]:
    """Return the requirements of named contexts in OCI layouts."""
    return (Requirement("an OCI layout in contexts", containerd=True),) if contexts.layouts else ()


def _with_digests(caches: Iterable[CacheEntry], digests: Mapping[str, str]) -> Iterable[CacheEntry]:
    for each in caches:
        if each.layout is None:
            yield each
        elif (digest := digests.get(each.layout.store)) is not None:
            yield replace(each, attributes={**each.attributes, "digest": digest})
