"""Which builder makes an image; what BuildKit would ignore is refused before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from msgspec.structs import replace

from dockerproto.arguments import json_text
from dockerproto.request.attachments import BuildAttachments, Tar
from dockerproto.request.parameters import NotOnPodman, Parameter
from dockerproto.request.request import Request
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


def for_builder(builder: Builder | None, request: Request, offer: BuildAttachments) -> Request:
    """Return the request of a build as its builder takes it; without one, as the client may choose.

    Raises:
        ValueError: There is no such builder, or it would ignore an argument.
    """
    if builder not in ("classic", "buildkit", None):
        raise ValueError(f"builder is 'classic' or 'buildkit', not {builder!r}")
    asked = offer.asked
    if builder == "classic" and asked:
        raise ValueError(f"{asked} is for BuildKit, not for the classic builder")
    if builder == "buildkit" or (builder is None and asked):
        if refusal := _refusal(request):
            raise ValueError(refusal)
        return _for_buildkit(request, offer)
    if builder is None and not _refusal(request):
        return replace(request, for_buildkit=_for_buildkit(request, offer))
    return request


def _refusal(request: Request) -> str | None:
    """Return why BuildKit does not take a request, None if it does."""
    if request.on_upload is not None:
        return "on_upload is not for BuildKit: it asks for the files that it needs"
    if request.context is not None and request.context.compression is not None:
        return "compression is not for BuildKit: it asks for the files that it needs"
    return next(filter(None, map(_not_taken, request.query)), None)


def _not_taken(parameter: Parameter) -> str | None:
    name, value = parameter.name, parameter.value
    if name == "networkmode" and value not in _NETWORKS:
        return f"network_mode of BuildKit is 'default', 'host' or 'none', not {value!r}"
    if name in _NOT_TAKEN and not (value is None or value is False or (name, value) == ("rm", "1")):
        argument, reason = _NOT_TAKEN[name]
        return f"{argument} is not for BuildKit: {reason}"
    return None


def _for_buildkit(request: Request, offer: BuildAttachments) -> Request:
    query = (
        *(replace(each, since=max(each.since, _LATER.get(each.name, each.since))) for each in request.query),
        Parameter("version", "2", _SINCE, for_podman=NotOnPodman("have BuildKit")),
        Parameter("outputs", _outputs(offer), Version(1, 40)),
    )
    context = None if request.context is None else replace(request.context, classic=False)
    return replace(request, query=query, context=context, offer=offer)


def _outputs(offer: BuildAttachments) -> str | None:
    if offer.output is None:
        return None
    return json_text([{"Type": _EXPORTERS[isinstance(offer.output, Tar)], "Attrs": {}}])
