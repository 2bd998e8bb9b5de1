"""Which builder makes an image; what BuildKit would ignore is refused before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Literal, TypeAlias

from dockerproto.request import Parameter, Request
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


def for_builder(builder: str, request: Request) -> Request:
    """Return the request of a build as a builder takes it.

    Raises:
        ValueError: There is no such builder, or BuildKit would ignore an argument.
    """
    if builder == "classic":
        return request
    if builder != "buildkit":
        raise ValueError(f"builder is 'classic' or 'buildkit', not {builder!r}")
    if request.auths:
        raise ValueError(
            "auth is not for BuildKit: it asks for credentials in a session, and ignores those of the request"
        )
    query = tuple(map(_for_buildkit, request.query))
    query = (*query, Parameter("version", "2", _SINCE, podman_has_no="BuildKit"))
    context = request.context and replace(request.context, classic=False)
    return replace(request, query=query, recipe=None, context=context)


def _for_buildkit(parameter: Parameter) -> Parameter:
    name, value = parameter.name, parameter.value
    if name == "networkmode" and value not in _NETWORKS:
        raise ValueError(f"network_mode of BuildKit is 'default', 'host' or 'none', not {value!r}")
    if name in _NOT_TAKEN and not (value is None or value is False or (name, value) == ("rm", "1")):
        argument, reason = _NOT_TAKEN[name]
        raise ValueError(f"{argument} is not for BuildKit: {reason}")
    return replace(parameter, since=max(parameter.since, _LATER.get(name, parameter.since)))
