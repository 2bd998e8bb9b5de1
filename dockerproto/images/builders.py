"""Choose the builder of an image; arguments that it would ignore are rejected before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal, TypeAlias

from msgspec.structs import replace

from dockerproto.arguments import json_text
from dockerproto.buildcontext.plan import BuildContext
from dockerproto.credentials.credentials import ANONYMOUS
from dockerproto.images.transfers import push_request
from dockerproto.references import parse_reference
from dockerproto.request.attachments import BuildAttachments
from dockerproto.request.build import AnyBuild, BuildKitBuild, ClassicBuild, EitherBuild, SolveBuild
from dockerproto.request.outputs import exporter_of, pushed_names
from dockerproto.request.parameters import NotOnPodman, Parameter
from dockerproto.request.request import Request
from dockerproto.request.solve_options import SolveOptions
from dockerproto.versions import Version

Builder: TypeAlias = Literal["classic", "buildkit"]
"""Docker's two builders; Podman's own builder is used as the classic one."""

_SINCE: Final = Version(1, 39)
_CONTAINERS: Final = "its steps do not run in containers of the engine"
_LIMITS: Final = "it does not limit memory and CPU"
_UNSUPPORTED: Final[Mapping[str, tuple[str, str]]] = {
    "rm": ("rm=False", _CONTAINERS),
    "forcerm": ("forcerm", _CONTAINERS),
    "memory": ("memory", _LIMITS),
    "memswap": ("memswap", _LIMITS),
    "cpushares": ("cpu_shares", _LIMITS),
    "cpuperiod": ("cpu_period", _LIMITS),
    "cpuquota": ("cpu_quota", _LIMITS),
    "cpusetcpus": ("cpuset_cpus", _LIMITS),
}
"""Arguments that BuildKit does not support, with the reason, by the name on the wire."""
_NETWORKS: Final = (None, "default", "host", "none")
_LATER: Final[Mapping[str, Version]] = {"shmsize": Version(1, 42), "ulimits": Version(1, 42)}
"""API versions that introduced parameters for BuildKit; Engine 20.10 ignores them."""


def for_builder(
    builder: Builder | None,
    build: ClassicBuild,
    attachments: BuildAttachments,
    options: SolveOptions | None = None,
) -> AnyBuild:
    """Return the build for its builder; without a builder, for each one that supports its arguments.

    With options of the Control API, it is a build by that.

    Raises:
        ValueError: The builder is unknown, or would ignore an argument.
    """
    if builder not in ("classic", "buildkit", None):
        raise ValueError(f"builder must be 'classic' or 'buildkit', not {builder!r}")
    argument = attachments.buildkit_argument if options is None else options.argument
    if builder == "classic":
        if argument is not None:
            raise ValueError(f"the classic builder does not support {argument}; use builder='buildkit'")
        return build
    reason = _unsupported_reason(build)
    if options is not None:
        return _for_control(build, attachments, options, reason)
    if builder == "buildkit" or argument is not None:
        if reason is not None:
            raise ValueError(reason)
        return _for_buildkit(build, attachments)
    return EitherBuild(build, _for_buildkit(build, attachments)) if reason is None else build


def _for_control(
    build: ClassicBuild, attachments: BuildAttachments, options: SolveOptions, reason: str | None
) -> SolveBuild:
    """Return a build by the Control API; raise ValueError for an argument that it would ignore."""
    if any(each.name == "squash" and each.value for each in build.query):
        reason = f"squash is not supported together with {options.argument}"
    if reason is not None:
        raise ValueError(reason)
    plain = _for_buildkit(build, attachments)
    return SolveBuild(
        query=plain.query,
        body=plain.body,
        buildargs=plain.buildargs,
        auths=plain.auths,
        timeout=plain.timeout,
        attachments=attachments,
        options=replace(options, pushes=tuple(_pushes(plain, options))),
    )


def _pushes(build: BuildKitBuild, options: SolveOptions) -> Iterator[Request]:
    anonymous = build.attachments.anonymous
    for exporter in options.exporters:
        for name in pushed_names(exporter.attributes):
            auth = ANONYMOUS if anonymous else build.auths.get(parse_reference(name).registry)
            yield push_request(name, auth=auth, timeout=build.timeout)


def _unsupported_reason(build: ClassicBuild) -> str | None:
    """Return the reason why BuildKit cannot do a build, or None if it can."""
    if build.on_upload is not None:
        return "BuildKit does not support on_upload: it requests the files that it needs"
    if isinstance(build.body, BuildContext) and build.body.compression is not None:
        return "BuildKit does not support compression: it requests the files that it needs"
    return next(filter(None, map(_unsupported_value, build.query)), None)


def _unsupported_value(parameter: Parameter) -> str | None:
    name, value = parameter.name, parameter.value
    if name == "networkmode" and value not in _NETWORKS:
        return f"network_mode must be 'default', 'host' or 'none' for BuildKit, not {value!r}"
    if name in _UNSUPPORTED and not (value is None or value is False or (name, value) == ("rm", "1")):
        argument, reason = _UNSUPPORTED[name]
        return f"BuildKit does not support {argument}: {reason}"
    return None


def _for_buildkit(build: ClassicBuild, attachments: BuildAttachments) -> BuildKitBuild:
    query = (
        # The first parameter that an engine lacks is the one in the error.
        Parameter("version", "2", _SINCE, for_podman=NotOnPodman("have BuildKit")),
        *(replace(each, since=max(each.since, _LATER.get(each.name, each.since))) for each in build.query),
        Parameter("outputs", _outputs(attachments), Version(1, 40)),
    )
    return BuildKitBuild(
        query=query,
        body=replace(build.body, classic=False) if isinstance(build.body, BuildContext) else build.body,
        buildargs=build.buildargs,
        auths=build.auths,
        timeout=build.timeout,
        attachments=attachments,
    )


def _outputs(attachments: BuildAttachments) -> str | None:
    exporters = map(exporter_of, attachments.outputs.values())
    outputs = [{"Type": each.type, "Attrs": each.attributes} for each in exporters]
    return json_text(outputs) if outputs else None
