"""The parameters of a build as attributes of the Dockerfile frontend, as the engine itself translates them.

Documented at https://github.com/moby/buildkit/blob/master/frontend/dockerfile/docs/reference.md and, for the
parameters, at https://docs.docker.com/reference/api/engine/#tag/Image/operation/ImageBuild.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec
from msgspec.structs import replace

from dockerproto.arguments import json_text
from dockerproto.buildkit.control.messages import CacheOptions, Entry, SolveRequest
from dockerproto.errors import UnsupportedEngine
from dockerproto.redacted import hides_frames
from dockerproto.request.build import SolveBuild
from dockerproto.request.caches import INLINE, REGISTRY, CacheEntry
from dockerproto.request.github_cache import of_job
from dockerproto.request.outputs import MOBY, PUSH, Exporter
from dockerproto.request.parameters import Environment
from dockerproto.request.solve_options import Worker
from dockerproto.versions import Version

Values: TypeAlias = Mapping[str, Sequence[str]]
"""Values of the parameters, by name."""

_FRONTEND: Final = "dockerfile.v0"
_GATEWAY: Final = "host-gateway"
_HOST: Final = "host"
_INLINE_ARGUMENT: Final = "BUILDKIT_INLINE_CACHE"
"""Build argument that asks for an inline cache."""
_TRUE: Final = ("1", "t", "T", "true", "TRUE", "True")


@hides_frames
def solve_request(
    build: SolveBuild,
    *,
    version: Version,
    environment: Environment,
    worker: Worker,
    ref: str,
) -> SolveRequest:
    """Return the request for a build, without its session.

    Args:
        build: The build.
        version: API version in use.
        environment: Variables that may have the value of a parameter.
        worker: Abilities of the engine.
        ref: Id of the build.

    Raises:
        UnsupportedEngine: The engine does not report an address that the build needs.
        UnsupportedVersion: The API version does not have a parameter.
    """
    values, options = build.pairs(version, environment), build.options
    imports = (
        *_named_imports(values),
        *_entries(options.cache_imports, environment),
    )
    exporters = tuple(_exporter(each, worker) for each in options.exporters)
    first = exporters[0] if exporters else Entry()
    return SolveRequest(
        ref=ref,
        exporter=first.type,
        exporter_attributes=first.attributes,
        frontend=_FRONTEND,
        frontend_attributes={
            **_build_arguments(build.buildargs),
            **_attributes(values, worker),
            **_import_attribute(imports),
            **options.attributes,
        },
        cache=CacheOptions(tuple(_exports(build, environment)), imports),
        entitlements=tuple(dict.fromkeys((*_network_entitlement(values), *options.entitlements))),
        exporters=exporters,
    )


@hides_frames
def with_session(request: SolveRequest, session: str, dockerfile: str | None) -> SolveRequest:
    """Return the request with the id of its session, and the path of the Dockerfile that a directory has."""
    if dockerfile is None:
        return replace(request, session=session)
    attributes = {**request.frontend_attributes, "filename": dockerfile}
    return replace(request, session=session, frontend_attributes=attributes)


def _attributes(values: Values, worker: Worker) -> dict[str, str]:
    """Return the attributes of the parameters that have one; BuildKit has defaults for the others."""
    found = _resolve_mode(values, worker)
    for name, translate in _TRANSLATIONS.items():
        if name in values:
            found |= translate(values[name])
    if hosts := values.get("extrahosts"):
        found["add-hosts"] = ",".join(_host(each, worker) for each in hosts)
    return found


def _resolve_mode(values: Values, worker: Worker) -> dict[str, str]:
    """Return where base images are looked for: an engine prefers its own, a daemon has none."""
    if "pull" in values:
        return {"image-resolve-mode": "pull"}
    return {"image-resolve-mode": "local"} if worker.has_images else {}


def _renamed(name: str) -> Callable[[Sequence[str]], dict[str, str]]:
    return lambda values: {name: values[0]}


def _network(values: Sequence[str]) -> dict[str, str]:
    return {} if values[0] == "default" else {"force-network-mode": values[0]}


def _labels(values: Sequence[str]) -> dict[str, str]:
    labels: dict[str, str] = msgspec.json.decode(values[0])
    return {f"label:{name}": value for name, value in labels.items()}


def _ulimits(values: Sequence[str]) -> dict[str, str]:
    limits: list[dict[str, Any]] = msgspec.json.decode(values[0])
    return {"ulimit": ",".join(f"{each['Name']}={each['Soft']}:{each['Hard']}" for each in limits)}


_TRANSLATIONS: Final[Mapping[str, Callable[[Sequence[str]], dict[str, str]]]] = {
    "dockerfile": _renamed("filename"),
    "remote": _renamed("context"),
    "target": _renamed("target"),
    "platform": _renamed("platform"),
    "shmsize": _renamed("shm-size"),
    "nocache": lambda _: {"no-cache": ""},
    "networkmode": _network,
    "labels": _labels,
    "ulimits": _ulimits,
}
"""Translations of parameters into attributes, by name."""


def _host(entry: str, worker: Worker) -> str:
    """Return an entry of the hosts file; raise UnsupportedEngine for an address that is unknown."""
    name, _, address = entry.partition(":")
    if address != _GATEWAY:
        return f"{name}={address}"
    if worker.host_gateway is None:
        raise UnsupportedEngine(
            0,
            "this engine does not report the address of host-gateway; Docker 25 and later do, with a bridge",
        )
    return f"{name}={worker.host_gateway}"


def _exporter(exporter: Exporter, worker: Worker) -> Entry:
    """Return an exporter as a worker has it.

    Instead of Docker's own type, a daemon has ``image``. A graph driver would ignore the attribute to push.
    """
    attributes = exporter.attributes
    if not worker.has_images:
        return Entry("image" if exporter.type == MOBY else exporter.type, attributes)
    if not worker.containerd:
        attributes = {name: value for name, value in attributes.items() if name != PUSH}
    return Entry(exporter.type, attributes)


def _build_arguments(arguments: Mapping[str, str | None]) -> dict[str, str]:
    return {f"build-arg:{name}": value for name, value in arguments.items() if value is not None}


def _named_imports(values: Values) -> Iterable[Entry]:
    names: list[str] = msgspec.json.decode(values["cachefrom"][0]) if "cachefrom" in values else []
    return (Entry(REGISTRY, {"ref": name}) for name in names)


def _import_attribute(imports: Sequence[Entry]) -> dict[str, str]:
    """Return the attribute without which the frontend would read none of the caches in the request."""
    if not imports:
        return {}
    return {"cache-imports": json_text([{"Type": each.type, "Attrs": each.attributes} for each in imports])}


def _entries(caches: Iterable[CacheEntry], environment: Environment) -> Iterable[Entry]:
    """Return caches as they are sent; those of a job of GitHub Actions are left out outside of one."""
    for each in caches:
        attributes = of_job(each.attributes, environment) if each.of_job else each.attributes
        if attributes is not None:
            yield Entry(each.type, attributes)


def _exports(build: SolveBuild, environment: Environment) -> Iterable[Entry]:
    exports = list(_entries(build.options.cache_exports, environment))
    inline = build.buildargs.get(_INLINE_ARGUMENT) in _TRUE
    if inline and not any(each.type == INLINE for each in exports):
        exports.append(Entry(INLINE))
    return exports


def _network_entitlement(values: Values) -> tuple[str, ...]:
    return ("network.host",) if list(values.get("networkmode", ())) == [_HOST] else ()
