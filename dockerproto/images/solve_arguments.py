"""Read the arguments of a build that only BuildKit's Control API can express, with what each requires."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal, Self, TypeAlias, get_args

from msgspec import Struct
from msgspec.structs import replace

from dockerproto.arguments import strings, strings_by_name
from dockerproto.references import parse_reference
from dockerproto.request.attachments import BuildAttachments, Output
from dockerproto.request.caches import (
    INLINE,
    LOCAL,
    REGISTRY,
    CacheEntry,
    CacheSource,
    CacheTarget,
    read_cache_from,
    read_cache_to,
)
from dockerproto.request.loading import ImageLoader
from dockerproto.request.named_contexts import CAPABILITY, NamedContext, NamedContexts, read_contexts
from dockerproto.request.outputs import (
    OCI,
    BuildOutput,
    CacheOnly,
    DockerTar,
    Image,
    ImageOutput,
    destination_of,
    exporter_of,
    image_exporter,
    read_outputs,
)
from dockerproto.request.parameters import check_platform
from dockerproto.request.solve_options import Requirement, SolveOptions, layout_requirements
from dockerproto.versions import Version

Provenance: TypeAlias = Literal["min", "max"]
"""Amount of detail in the provenance attestation of a build."""

_CONTEXTS_SINCE: Final = Version(1, 42)
"""API version of Docker 23, whose BuildKit 0.10 introduced named contexts.

Engine 20.10 would pull an image of that name from Docker Hub instead.
"""
_ATTESTATIONS_SINCE: Final = Version(1, 43)
"""API version of Docker 24, whose BuildKit 0.11 introduced attestations; older engines ignore them."""
_OUTPUTS_SINCE: Final = Version(1, 45)
"""API version of Docker 26, whose BuildKit 0.13 introduced several outputs; older engines write only one."""


class SolveArguments(Struct, frozen=True):
    """Arguments of a build, as the program gave them."""

    cache_to: CacheTarget | Iterable[CacheTarget] | None = None
    cache_from: CacheSource | Iterable[CacheSource] | None = None
    nocache: bool | str | Iterable[str] = False
    outputs: BuildOutput | Iterable[BuildOutput] | None = None
    platforms: Iterable[str] | None = None
    contexts: Mapping[str, NamedContext] | None = None
    allow: str | Iterable[str] | None = None
    annotations: Mapping[str, str] | None = None
    provenance: Provenance | None = None
    sbom: bool | str = False


class ReadArguments(Struct, frozen=True, kw_only=True):
    """Arguments of a build, read and validated."""

    options: SolveOptions | None
    """Options for the Control API; None: nothing needs it."""
    names: tuple[str, ...]
    """Names of the image."""
    cache_from: tuple[str, ...]
    """Names of images to read caches from."""
    attachments: BuildAttachments
    """Outputs and directories that the session serves."""

    def loaded_by(self, loader: ImageLoader) -> Self:
        """Return the arguments of a build whose only output, a tar, goes into an engine."""
        options = self.options and replace(self.options, load=loader)
        return replace(self, options=options, attachments=replace(self.attachments, outputs={}))


class _Chosen(Struct, frozen=True, kw_only=True):
    cache_to: tuple[CacheEntry, ...]
    cache_from: tuple[CacheEntry, ...]
    nocache: tuple[str, ...]
    outputs: tuple[BuildOutput, ...] | None
    platforms: tuple[str, ...]
    contexts: NamedContexts
    allow: tuple[str, ...]
    annotations: Mapping[str, str]
    provenance: Provenance | None
    sbom: str | None
    """Attribute that asks for an SBOM."""

    @property
    def argument(self) -> str | None:
        """Name of the first argument that was given."""
        values = {name: getattr(self, name) for name in self.__struct_fields__}
        values["contexts"] = self.contexts.given
        values["sbom"] = self.sbom is not None
        return next((name for name, value in values.items() if value), None)


def read_solve_arguments(
    given: SolveArguments, output: Output | None, tags: tuple[str, ...], platform: str | None
) -> ReadArguments:
    """Read the arguments, with those of other parameters that they must agree with.

    Raises:
        InvalidReference: The name of an image, a cache or a context is malformed.
        TypeError: An argument has another type.
        ValueError: An argument has an invalid value, or contradicts another.
    """
    names, imports = read_cache_from(given.cache_from)
    chosen = _Chosen(
        cache_to=read_cache_to(given.cache_to),
        cache_from=imports,
        nocache=_stages(given.nocache),
        outputs=read_outputs(given.outputs),
        platforms=_platforms(given.platforms, platform),
        contexts=read_contexts(given.contexts),
        allow=strings("allow", given.allow),
        annotations=strings_by_name("annotations", given.annotations or {}),
        provenance=_provenance(given.provenance),
        sbom=_sbom(given.sbom),
    )
    outputs = _outputs(chosen, output, tags)
    return ReadArguments(
        options=None if chosen.argument is None else _options(chosen.argument, chosen, outputs, tags),
        names=tags,
        cache_from=names,
        attachments=BuildAttachments(
            outputs={n: to for n, each in enumerate(outputs) if (to := destination_of(each)) is not None},
            directories=chosen.contexts.directories,
        ),
    )


def _options(
    argument: str, chosen: _Chosen, outputs: tuple[BuildOutput, ...], tags: tuple[str, ...]
) -> SolveOptions:
    exporters = (
        image_exporter(each, tags, chosen.annotations) if isinstance(each, ImageOutput) else exporter_of(each)
        for each in outputs
        if not isinstance(each, CacheOnly)
    )
    return SolveOptions(
        argument=argument,
        exporters=tuple(exporters),
        attributes=_attributes(chosen),
        cache_exports=chosen.cache_to,
        cache_imports=chosen.cache_from,
        context_layouts=chosen.contexts.layouts,
        entitlements=chosen.allow,
        requirements=(*_requirements(chosen), *_output_requirements(chosen, outputs)),
    )


def _attributes(chosen: _Chosen) -> dict[str, str]:
    values = {
        "no-cache": ",".join(chosen.nocache),
        "platform": ",".join(chosen.platforms),
        "frontend.caps": CAPABILITY if chosen.contexts.given else "",
        "attest:provenance": f"mode={chosen.provenance}" if chosen.provenance else "",
    }
    sbom = {} if chosen.sbom is None else {"attest:sbom": chosen.sbom}
    return {**chosen.contexts.attributes, **sbom, **{name: value for name, value in values.items() if value}}


def _requirements(chosen: _Chosen) -> Iterator[Requirement]:
    for cache in chosen.cache_to:
        if cache.type != INLINE:
            yield Requirement(f"cache_to of type {cache.type!r}", containerd=True)
    for cache in chosen.cache_from:
        if cache.type not in (REGISTRY, LOCAL):
            yield Requirement(f"cache_from of type {cache.type!r}", containerd=True)
    if chosen.contexts.given:
        yield Requirement("contexts", _CONTEXTS_SINCE)
    yield from layout_requirements(chosen.contexts)
    if chosen.provenance is not None:
        yield Requirement("provenance", _ATTESTATIONS_SINCE)
    if chosen.sbom is not None:
        yield Requirement("sbom", _ATTESTATIONS_SINCE)


def _output_requirements(chosen: _Chosen, outputs: tuple[BuildOutput, ...]) -> Iterator[Requirement]:
    if len(outputs) > 1:
        yield Requirement("several outputs", _OUTPUTS_SINCE)
    if any(isinstance(each, OCI | DockerTar) for each in outputs):
        yield Requirement("an image in a tar; use images.export_image()", containerd=True)
    image = next((each for each in outputs if isinstance(each, Image)), None)
    if image is None:
        return
    options = {
        "compression of an Image": image.compression or image.compression_level or image.force_compression,
        "by_digest of an Image": image.by_digest,
        "an image for several platforms": len(chosen.platforms) > 1,
        "annotations": chosen.annotations,
        "provenance of an image": chosen.provenance,
        "an SBOM of an image": chosen.sbom is not None,
    }
    yield from (Requirement(option, containerd=True) for option, value in options.items() if value)


def _outputs(chosen: _Chosen, output: Output | None, tags: tuple[str, ...]) -> tuple[BuildOutput, ...]:
    """Return the outputs; by default, an image."""
    if chosen.outputs is not None and output is not None:
        raise ValueError("output and outputs must not be given together")
    outputs = chosen.outputs or ((Image(),) if output is None else (output,))
    if not any(isinstance(each, ImageOutput) for each in outputs):
        if chosen.annotations:
            raise ValueError("annotations need an image among the outputs")
        if tags and chosen.outputs is not None:
            raise ValueError("tag needs an image among the outputs")
    return outputs


def _stages(nocache: bool | str | Iterable[str]) -> tuple[str, ...]:
    """Return the names of stages that are not cached; none for a bool, which is about all stages."""
    if nocache is None:  # pyright: ignore[reportUnnecessaryComparison]  # callers without types
        raise TypeError("nocache must be a bool or names of stages, not None")
    stages = () if isinstance(nocache, bool) else strings("nocache", nocache)
    for stage in stages:
        if not stage or "," in stage:
            raise ValueError(f"nocache must be a bool or contain names of stages, not {stage!r}")
    return stages


def _platforms(platforms: Iterable[str] | None, platform: str | None) -> tuple[str, ...]:
    if platforms is None:
        return ()
    if platform is not None:
        raise ValueError("platform and platforms must not be given together")
    values = strings("platforms", platforms)
    for each in values:
        check_platform(each)
    return tuple(dict.fromkeys(values))


def _provenance(provenance: Provenance | None) -> Provenance | None:
    if provenance not in (None, *get_args(Provenance)):
        raise ValueError(f"provenance must be 'min' or 'max', not {provenance!r}")
    return provenance


def _sbom(sbom: bool | str) -> str | None:
    """Return the attribute that asks for an SBOM, None for none; it is empty for the default generator."""
    if not isinstance(sbom, bool | str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"sbom must be a bool or the name of an image, not {type(sbom).__name__}")
    if isinstance(sbom, bool):
        return "" if sbom else None
    parse_reference(sbom)
    return f"generator={sbom}"
