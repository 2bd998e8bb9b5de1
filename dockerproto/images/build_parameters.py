"""The parameters of a build, in the form in which they are sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike, fspath
from typing import Final, TypeAlias

from msgspec.structs import replace

from dockerproto.arguments import json_text, strings, strings_by_name
from dockerproto.buildcontext.dockerfile_spec import DockerfileSpec
from dockerproto.buildcontext.plan import BuildContext
from dockerproto.credentials.credentials import ANONYMOUS, AuthsLike, Credentials, read_auths
from dockerproto.references import parse_reference
from dockerproto.request.attachments import BuildAttachments, SecretLike, read_secrets, read_ssh
from dockerproto.request.build import ClassicBuild
from dockerproto.request.extra_hosts import parse_extra_hosts
from dockerproto.request.parameters import (
    NotOnPodman,
    Parameter,
    default_platform,
    flag,
    mapping_json,
    number,
    text,
    texts,
)
from dockerproto.request.request import TAR
from dockerproto.sources import AsyncSource, check_source
from dockerproto.versions import OLDEST, Version

_LATER_FLAGS: Final = {"squash": Version(1, 25)}
"""API versions that introduced flags."""

Ulimits: TypeAlias = Mapping[str, int | tuple[int, int]]
"""Limits of a build's processes by name: one number, or the soft and the hard limit."""
_TEXT_HINT: Final = "; for the text of a Dockerfile, use dockerfile"


def body_of(
    path: str | PathLike[str] | None,
    fileobj: AsyncSource | None,
    remote: str | None,
    context: BuildContext | None,
) -> AsyncSource | BuildContext | None:
    """Return the build context, None if the engine fetches it."""
    sources = [each for each in (path, fileobj, remote) if each is not None]
    if len(sources) > 1 or not (sources or (context is not None and context.content is not None)):
        raise ValueError("exactly one of path, fileobj and remote must be given")
    if context is None:
        return None if fileobj is None else check_source("fileobj", fileobj, _TEXT_HINT)
    if fileobj is not None or remote is not None:
        raise ValueError("dockerfile and compression must not be given with fileobj or remote")
    return context


def dockerfile_path(body: AsyncSource | BuildContext | None, path: str | PathLike[str] | None) -> Parameter:
    """Return the path of the Dockerfile in the context."""
    # Its path in the tar of a directory is known only once that is planned.
    known = None if isinstance(body, BuildContext) else path
    return text("dockerfile", fspath(known) if isinstance(known, PathLike) else known, "path_dockerfile")


def with_auths(build: ClassicBuild, auth: AuthsLike | None, path: str | PathLike[str]) -> ClassicBuild:
    """Return a build with credentials, and with the Dockerfile at `path`, which names registries."""
    if auth == ANONYMOUS:
        return build
    _check_not_flat(auth)
    auths = read_auths({} if auth is None else auth)
    spec = None if build.body is None else DockerfileSpec(fspath(path), build.buildargs)
    return replace(build, auths=auths, dockerfile=spec)


def _check_not_flat(auth: AuthsLike | None) -> None:
    """Raise ValueError for the credentials of one registry, such as `pull` expects."""
    flat = {*Credentials.__struct_fields__, "auth", "email"}
    if isinstance(auth, Mapping) and any(isinstance(auth.get(name), str) for name in flat):
        raise ValueError(
            "auth of a build must be credentials by registry, not those of one registry: "
            "auth={'registry.example': {'username': ..., 'password': ...}}"
        )


def attach(
    attachments: BuildAttachments,
    secrets: Mapping[str, SecretLike] | None,
    ssh: Mapping[str, str | PathLike[str] | None] | None,
    auth: AuthsLike | None,
) -> BuildAttachments:
    """Return attachments with secrets, ssh agents, and the choice of credentials."""
    anonymous = auth == ANONYMOUS
    return replace(attachments, secrets=read_secrets(secrets), ssh=read_ssh(ssh), anonymous=anonymous)


def build_arguments(arguments: Mapping[str, str | None] | None) -> dict[str, str | None]:
    """Return build arguments; raise TypeError."""
    return strings_by_name("buildargs", {} if arguments is None else arguments, optional=True)


def flags_of(**flags: bool) -> list[Parameter]:
    """Return parameters that are on or off."""
    return [flag(name, value, since=_LATER_FLAGS.get(name, OLDEST)) for name, value in flags.items()]


def image_names(tag: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return the names of an image to build; raise ValueError for one with a digest."""
    names = strings("tag", tag)
    for name in names:
        if parse_reference(name).digest is not None:
            raise ValueError(f"tag must not have a digest: {name!r}")
    return names


def remote_url(remote: str | None) -> Parameter:
    """Return the URL of a context that the engine fetches."""
    parameter = text("remote", remote)
    if remote is None:
        return parameter
    # URLs may contain passwords or tokens.
    return replace(parameter, for_podman=NotOnPodman("fetch contexts"), secret=True)


def source_of(
    remote: str | None,
    body: AsyncSource | BuildContext | None,
    path_dockerfile: str | PathLike[str] | None,
    names: tuple[str, ...],
    *,
    quiet: bool,
) -> tuple[Parameter, ...]:
    """Return the context and the Dockerfile, the names of the image, and if only its id is reported."""
    return (
        remote_url(remote),
        dockerfile_path(body, path_dockerfile),
        texts("t", names),
        flag("q", quiet, "quiet"),
    )


def steps_of(
    labels: Mapping[str, str] | None,
    platform: str | None,
    target: str | None,
    *,
    network_mode: str | None,
    extra_hosts: Mapping[str, str] | Iterable[str] | None,
    cache_from: tuple[str, ...],
) -> tuple[Parameter, ...]:
    """Return the parameters of stages and their steps that both builders have."""
    return (
        text("labels", mapping_json("labels", labels)),
        default_platform(platform),
        text("target", target),
        text("networkmode", network_mode, "network_mode", since=Version(1, 25)),
        _extra_hosts_of(parse_extra_hosts(extra_hosts)),
        text("cachefrom", json_list(cache_from), since=Version(1, 25)),
    )


def _extra_hosts_of(hosts: tuple[str, ...]) -> Parameter:
    """Return entries for the hosts file of the steps."""
    # Podman expects one JSON list.
    return Parameter("extrahosts", hosts, Version(1, 28), for_podman=json_list(hosts))


def limits_of(**values: int | None) -> list[Parameter]:
    """Return limits of resources, by the name of the argument."""
    return [number(name.replace("_", ""), value, name) for name, value in values.items()]


def ulimits_of(ulimits: Ulimits | None) -> Parameter:
    """Return limits of the processes; raise TypeError."""
    if ulimits is not None and not isinstance(ulimits, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"ulimits must be a mapping, not {type(ulimits).__name__}")
    pairs = {name: _soft_and_hard(name, limit) for name, limit in (ulimits or {}).items()}
    return Parameter(
        "ulimits",
        json_list({"Name": name, "Soft": soft, "Hard": hard} for name, (soft, hard) in pairs.items()),
        # Podman expects the syntax of its command line.
        for_podman=json_list(f"{name}={soft}:{hard}" for name, (soft, hard) in pairs.items()),
    )


def _soft_and_hard(name: str, limit: int | tuple[int, int]) -> tuple[int, int]:
    pair: object = (limit, limit) if isinstance(limit, int) else limit
    match pair:
        case (int(soft), int(hard)):
            return soft, hard
        case _:
            raise TypeError(f"ulimits[{name!r}] must be an int or two, not {limit!r}")


def json_list(values: Iterable[object]) -> str | None:
    """Return values as a JSON list, None for an empty one."""
    items = list(values)
    return json_text(items) if items else None


def upload_headers(
    body: AsyncSource | BuildContext | None, encoding: str | None, fileobj: AsyncSource | None
) -> tuple[tuple[str, str], ...]:
    """Return the headers of the upload of a context; raise ValueError for an encoding without one."""
    if encoding is not None and fileobj is None:
        raise ValueError("encoding needs fileobj")
    if body is None:
        return ()
    return (TAR, *(("Content-Encoding", each) for each in strings("encoding", encoding)))
