"""Which builder makes an image; what BuildKit would ignore is refused before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from msgspec.structs import replace

from dockerproto.arguments import json_text
from dockerproto.buildcontext.plan import BuildContext
from dockerproto.request.attachments import BuildAttachments, Tar
from dockerproto.request.build import AnyBuild, BuildKitBuild, ClassicBuild, EitherBuild
from dockerproto.request.parameters import NotOnPodman, Parameter
from dockerproto.versions import Version

Builder: TypeAlias = Literal["classic", "buildkit"]
"""Docker has two builders; Podman has its own, which is asked for as the classic one."""

_SINCE: Final = Version(1, 39)
_CONTAINERS: Final = "its steps are no containers of the engine"
_LIMITS: Final = "it has no limits of memory and CPU"
# By the name on the wire: the argument, and why BuildKit does not take it.
_NOT_TAKEN: Final[Mapping[str, tuple[str, str]]] = {
    "rm": ("rm=False", _CONTAINERS),
    "forcerm": ("forcerm", _CONTAINERS),
    "memory": ("memory", _LIMITS),
    "memswap": ("memswap", _LIMITS),
    "cpushares": ("cpu_shares", _LIMITS),
    "cpuperiod": ("cpu_period", _LIMITS),
    "cpuquota": ("cpu_quota", _LIMITS),
    "cpusetcpus": ("cpuset_cpus", _LIMITS),
}
_NETWORKS: Final = (None, "default", "host", "none")
# Engine 20.10 ignores them.
_LATER: Final[Mapping[str, Version]] = {"shmsize": Version(1, 42), "ulimits": Version(1, 42)}


_EXPORTERS: Final = {True: "tar", False: "local"}


def for_builder(builder: Builder | None, build: ClassicBuild, attachments: BuildAttachments) -> AnyBuild:
    """Return the build for its builder; without a builder, for every one that can do it.

    Raises:
        ValueError: The builder is unknown, or would ignore an argument.
    """
    if builder not in ("classic", "buildkit", None):
        raise ValueError(f"builder must be 'classic' or 'buildkit', not {builder!r}")
    argument = attachments.buildkit_argument
    if builder == "classic":
        if argument is not None:
            raise ValueError(f"{argument} is for BuildKit, not for the classic builder")
        return build
    refusal = _refusal(build)
    if builder == "buildkit" or argument is not None:
        if refusal is not None:
            raise ValueError(refusal)
        return _for_buildkit(build, attachments)
    return EitherBuild(build, _for_buildkit(build, attachments)) if refusal is None else build


def _refusal(build: ClassicBuild) -> str | None:
    """Return why BuildKit cannot do a build; None if it can."""
    if build.on_upload is not None:
        return "on_upload is not for BuildKit: it asks for the files that it needs"
    if isinstance(build.body, BuildContext) and build.body.compression is not None:
        return "compression is not for BuildKit: it asks for the files that it needs"
    return next(filter(None, map(_not_taken, build.query)), None)


def _not_taken(parameter: Parameter) -> str | None:
    name, value = parameter.name, parameter.value
    if name == "networkmode" and value not in _NETWORKS:
        return f"network_mode of BuildKit is 'default', 'host' or 'none', not {value!r}"
    if name in _NOT_TAKEN and not (value is None or value is False or (name, value) == ("rm", "1")):
        argument, reason = _NOT_TAKEN[name]
        return f"{argument} is not for BuildKit: {reason}"
    return None


def _for_buildkit(build: ClassicBuild, attachments: BuildAttachments) -> BuildKitBuild:
    query = (
        *(replace(each, since=max(each.since, _LATER.get(each.name, each.since))) for each in build.query),
        Parameter("version", "2", _SINCE, for_podman=NotOnPodman("have BuildKit")),
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
    if attachments.output is None:
        return None
    return json_text([{"Type": _EXPORTERS[isinstance(attachments.output, Tar)], "Attrs": {}}])
