"""Build images: from a directory, from a tar, or from a URL that the engine fetches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from os import PathLike, fspath
from typing import Final, Literal, TypeAlias, overload

from msgspec.structs import replace

from dockerproto.arguments import json_text, strings, strings_by_name
from dockerproto.buildcontext.dockerfile_spec import DOCKERFILE, DockerfileSpec
from dockerproto.buildcontext.plan import BuildContext, Compression, parse_context
from dockerproto.credentials.credentials import ANONYMOUS, AuthsLike, Credentials, read_auths
from dockerproto.images.builders import Builder, for_builder
from dockerproto.messages.decoding import BuildMessages
from dockerproto.messages.results import BuildReducer, BuildResult, MessageList
from dockerproto.operations.operation import Call, ListOrStream, Reported
from dockerproto.operations.replies import progress
from dockerproto.references import parse_reference
from dockerproto.request.attachments import (
    BuildAttachments,
    Output,
    SecretLike,
    read_output,
    read_secrets,
    read_ssh,
)
from dockerproto.request.build import ClassicBuild
from dockerproto.request.extra_hosts import parse_extra_hosts
from dockerproto.request.parameters import (
    NotOnPodman,
    Parameter,
    default_platform,
    flag,
    mapping_json,
    number,
    switch,
    text,
    texts,
)
from dockerproto.request.request import TAR
from dockerproto.sources import AsyncSource, check_source
from dockerproto.timeouts import DEFAULT, TimeoutLike
from dockerproto.versions import Version

_TEXT_HINT: Final = "; for the text of a Dockerfile, use dockerfile"

Ulimits: TypeAlias = Mapping[str, int | tuple[int, int]]
"""Limits of a build's processes by name: one number, or the soft and the hard limit."""


@overload
def build(
    *,
    remote: str | None = None,
    fileobj: AsyncSource | None = None,
    path: str | PathLike[str] | None = None,
    dockerfile: str | bytes | None = None,
    path_dockerfile: str | PathLike[str] | None = None,
    tag: str | Iterable[str] | None = None,
    quiet: bool = False,
    nocache: bool = False,
    buildargs: Mapping[str, str | None] | None = None,
    pull: bool = False,
    rm: bool = True,
    forcerm: bool = False,
    labels: Mapping[str, str] | None = None,
    platform: str | None = None,
    stream: Literal[False] = False,
    encoding: str | None = None,
    timeout: TimeoutLike = DEFAULT,
    target: str | None = None,
    network_mode: str | None = None,
    extra_hosts: Mapping[str, str] | Iterable[str] | None = None,
    cache_from: str | Iterable[str] | None = None,
    shm_size: int | None = None,
    memory: int | None = None,
    memswap: int | None = None,
    cpu_shares: int | None = None,
    cpu_period: int | None = None,
    cpu_quota: int | None = None,
    cpuset_cpus: str | None = None,
    ulimits: Ulimits | None = None,
    squash: bool = False,
    auth: AuthsLike | None = None,
    compression: Compression | None = None,
    on_upload: Callable[[int], None] | None = None,
    builder: Builder | None = None,
    secrets: Mapping[str, SecretLike] | None = None,
    ssh: Mapping[str, str | PathLike[str] | None] | None = None,
    output: Output | None = None,
) -> Call[MessageList[BuildResult]]: ...
@overload
def build(
    *,
    remote: str | None = None,
    fileobj: AsyncSource | None = None,
    path: str | PathLike[str] | None = None,
    dockerfile: str | bytes | None = None,
    path_dockerfile: str | PathLike[str] | None = None,
    tag: str | Iterable[str] | None = None,
    quiet: bool = False,
    nocache: bool = False,
    buildargs: Mapping[str, str | None] | None = None,
    pull: bool = False,
    rm: bool = True,
    forcerm: bool = False,
    labels: Mapping[str, str] | None = None,
    platform: str | None = None,
    stream: Literal[True],
    encoding: str | None = None,
    timeout: TimeoutLike = DEFAULT,
    target: str | None = None,
    network_mode: str | None = None,
    extra_hosts: Mapping[str, str] | Iterable[str] | None = None,
    cache_from: str | Iterable[str] | None = None,
    shm_size: int | None = None,
    memory: int | None = None,
    memswap: int | None = None,
    cpu_shares: int | None = None,
    cpu_period: int | None = None,
    cpu_quota: int | None = None,
    cpuset_cpus: str | None = None,
    ulimits: Ulimits | None = None,
    squash: bool = False,
    auth: AuthsLike | None = None,
    compression: Compression | None = None,
    on_upload: Callable[[int], None] | None = None,
    builder: Builder | None = None,
    secrets: Mapping[str, SecretLike] | None = None,
    ssh: Mapping[str, str | PathLike[str] | None] | None = None,
    output: Output | None = None,
) -> Reported[BuildResult]: ...
@overload
def build(
    *,
    remote: str | None = None,
    fileobj: AsyncSource | None = None,
    path: str | PathLike[str] | None = None,
    dockerfile: str | bytes | None = None,
    path_dockerfile: str | PathLike[str] | None = None,
    tag: str | Iterable[str] | None = None,
    quiet: bool = False,
    nocache: bool = False,
    buildargs: Mapping[str, str | None] | None = None,
    pull: bool = False,
    rm: bool = True,
    forcerm: bool = False,
    labels: Mapping[str, str] | None = None,
    platform: str | None = None,
    stream: bool,
    encoding: str | None = None,
    timeout: TimeoutLike = DEFAULT,
    target: str | None = None,
    network_mode: str | None = None,
    extra_hosts: Mapping[str, str] | Iterable[str] | None = None,
    cache_from: str | Iterable[str] | None = None,
    shm_size: int | None = None,
    memory: int | None = None,
    memswap: int | None = None,
    cpu_shares: int | None = None,
    cpu_period: int | None = None,
    cpu_quota: int | None = None,
    cpuset_cpus: str | None = None,
    ulimits: Ulimits | None = None,
    squash: bool = False,
    auth: AuthsLike | None = None,
    compression: Compression | None = None,
    on_upload: Callable[[int], None] | None = None,
    builder: Builder | None = None,
    secrets: Mapping[str, SecretLike] | None = None,
    ssh: Mapping[str, str | PathLike[str] | None] | None = None,
    output: Output | None = None,
) -> ListOrStream[BuildResult]: ...
def build(
    *,
    remote: str | None = None,
    fileobj: AsyncSource | None = None,
    path: str | PathLike[str] | None = None,
    dockerfile: str | bytes | None = None,
    path_dockerfile: str | PathLike[str] | None = None,
    tag: str | Iterable[str] | None = None,
    quiet: bool = False,
    nocache: bool = False,
    buildargs: Mapping[str, str | None] | None = None,
    pull: bool = False,
    rm: bool = True,
    forcerm: bool = False,
    labels: Mapping[str, str] | None = None,
    platform: str | None = None,
    stream: bool = False,
    encoding: str | None = None,
    timeout: TimeoutLike = DEFAULT,
    target: str | None = None,
    network_mode: str | None = None,
    extra_hosts: Mapping[str, str] | Iterable[str] | None = None,
    cache_from: str | Iterable[str] | None = None,
    shm_size: int | None = None,
    memory: int | None = None,
    memswap: int | None = None,
    cpu_shares: int | None = None,
    cpu_period: int | None = None,
    cpu_quota: int | None = None,
    cpuset_cpus: str | None = None,
    ulimits: Ulimits | None = None,
    squash: bool = False,
    auth: AuthsLike | None = None,
    compression: Compression | None = None,
    on_upload: Callable[[int], None] | None = None,
    builder: Builder | None = None,
    secrets: Mapping[str, SecretLike] | None = None,
    ssh: Mapping[str, str | PathLike[str] | None] | None = None,
    output: Output | None = None,
) -> ListOrStream[BuildResult]:
    """Build an image.

    Give exactly one of `path`, `fileobj` and `remote`, or `dockerfile` alone. Docker has two builders, see
    `builder`. Arguments that only one of them supports are rejected for the other: `rm`, `forcerm`, limits
    of memory and CPU, other networks, `compression` and `on_upload` are for the classic builder; `secrets`,
    `ssh` and `output` for BuildKit.

    Args:
        remote: A git or http(s) URL that the engine fetches: a repository, a tar or a Dockerfile.
        fileobj: A tar with the build context, plain or in a compression that the engine supports: bytes, a
            path, a file, an iterable, or on async clients an async iterable.
        path: A directory, sent completely except what its ignore file excludes: see the page on building
            from a directory.
        dockerfile: The text of the Dockerfile, for `path`, or for a build without other files.
        path_dockerfile: Path of the Dockerfile in the build context; ``Dockerfile`` by default. With `path`
            it may also be outside the directory.
        tag: A name for the image, or several; the tag is ``latest`` by default.
        quiet: Report only the id of the image.
        nocache: Do not use the cache of earlier builds.
        buildargs: Build arguments; None keeps the Dockerfile's default. The client adds those of its
            proxies, see `dockerproto_local.configure`.
        pull: Look for newer base images.
        rm: Remove intermediate containers after a successful build.
        forcerm: Remove intermediate containers after a failed build too.
        labels: Labels for the image.
        platform: ``os[/arch[/variant]]``; by default ``$DOCKER_DEFAULT_PLATFORM``. Since API 1.32.
        stream: Return a stream of messages instead of a list; both have a ``result``.
        encoding: ``Content-Encoding`` of `fileobj`; engines do not need it.
        timeout: Limits of this call; unlimited by default.
        target: The stage to build, the last by default.
        network_mode: Network of the steps: ``host`` or ``none``; with the classic builder also ``bridge``, a
            network's name or ``container:<id>``.
        extra_hosts: Entries for the steps' ``/etc/hosts``: IP addresses by host name, or texts
            ``name=address`` or ``name:address``. An IPv6 address may be in brackets; ``host-gateway`` is the
            engine's own address. Since API 1.28.
        cache_from: Images whose layers may be reused.
        shm_size: Size of ``/dev/shm`` in bytes. For BuildKit since API 1.42.
        memory: Memory limit in bytes.
        memswap: Limit of memory and swap together in bytes; -1 is unlimited.
        cpu_shares: Weight of the steps among all containers.
        cpu_period: Length of a CPU period in microseconds.
        cpu_quota: CPU time in each period in microseconds.
        cpuset_cpus: CPUs to use, such as ``0-3`` or ``0,1``.
        ulimits: Limits of the steps' processes, ``{"nofile": 1024}`` or ``{"nofile": (1024, 2048)}``. For
            BuildKit since API 1.42.
        squash: Merge the build's layers into one; only engines with experimental features support it.
        auth: Credentials by registry, see `read_auth`. The client looks up those of other registries: for
            BuildKit when the engine asks for them; for the classic builder those of the registries that the
            Dockerfile names, if the build context is a directory, bytes, a path or a seekable file. With
            `ANONYMOUS` no credentials are sent.
        compression: Compression of a build context made of a directory, for slow networks.
        on_upload: Function that is called with the number of bytes sent so far, after each chunk of the
            build context.
        builder: ``classic``, or ``buildkit``, which Podman does not have, since API 1.39. By default the
            builder that supports the other arguments; if both do, the one that ``DOCKER_BUILDKIT`` chooses,
            or else the one that the engine recommends, which is BuildKit since Docker 23.
        secrets: Secrets by mount id: a `Secret`, bytes, or a path object. No image and no cache contains
            them; the limit is 500 KiB each.
        ssh: Socket paths of ssh agents by mount id, which is usually ``default``; None means
            ``$SSH_AUTH_SOCK``. A build may list keys and sign with them, nothing else.
        output: Destination of the last stage's files, written instead of an image: a directory, or a `Tar`.
            Since API 1.40.

    Raises:
        BadRequest: The build context or the Dockerfile is malformed.
        InvalidPattern: The ignore file has a malformed pattern.
        StepFailed: A command failed; ``step`` has its exit code and its output.
        DockerStreamError: Something else failed; ``step`` has the step, ``messages`` the earlier messages.
        OutputFailed: The output cannot be written; it is the cause of the engine's error.
        UnsupportedEngine: The engine is Podman, which lacks BuildKit and `remote`.
        UnsupportedVersion: The engine is too old for BuildKit.
        UploadFailed: A file of the directory cannot be read, or changed while it was read; a secret or an
            ssh agent is unavailable.
        ValueError: None or several of `path`, `fileobj` and `remote` are given, or an argument that does
            not apply to them or to the builder.

    Documented at https://docs.docker.com/reference/api/engine/#tag/Image/operation/ImageBuild.
    """
    body = _body(path, fileobj, remote, parse_context(path, dockerfile, path_dockerfile, compression))
    query = (
        _remote(remote),
        _dockerfile(body, path_dockerfile),
        texts("t", _names(tag)),
        flag("q", quiet, "quiet"),
        flag("nocache", nocache),
        flag("pull", pull),
        switch("rm", rm),
        flag("forcerm", forcerm),
        text("labels", mapping_json("labels", labels)),
        default_platform(platform),
        text("target", target),
        text("networkmode", network_mode, "network_mode", since=Version(1, 25)),
        _extra_hosts(parse_extra_hosts(extra_hosts)),
        text("cachefrom", _list(strings("cache_from", cache_from)), since=Version(1, 25)),
        *_limits(shm_size=shm_size, memory=memory, memswap=memswap),
        *_limits(cpu_shares=cpu_shares, cpu_period=cpu_period, cpu_quota=cpu_quota),
        text("cpusetcpus", cpuset_cpus, "cpuset_cpus"),
        _ulimits(ulimits),
        flag("squash", squash, since=Version(1, 25)),
    )
    arguments = strings_by_name("buildargs", {} if buildargs is None else buildargs, optional=True)
    headers = _headers(body, encoding, fileobj)
    classic = ClassicBuild(
        query=query, body=body, buildargs=arguments, timeout=timeout, headers=headers, on_upload=on_upload
    )
    classic = _with_auths(classic, auth, path_dockerfile or DOCKERFILE)
    attachments = _attachments(secrets, ssh, output, auth)
    return progress(for_builder(builder, classic, attachments), stream, BuildReducer, BuildMessages)


def _body(
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


def _dockerfile(body: AsyncSource | BuildContext | None, path: str | PathLike[str] | None) -> Parameter:
    # Its path in the tar of a directory is known only once that is planned.
    known = None if isinstance(body, BuildContext) else path
    return text("dockerfile", fspath(known) if isinstance(known, PathLike) else known, "path_dockerfile")


def _attachments(
    secrets: Mapping[str, SecretLike] | None,
    ssh: Mapping[str, str | PathLike[str] | None] | None,
    output: Output | None,
    auth: AuthsLike | None,
) -> BuildAttachments:
    return BuildAttachments(
        secrets=read_secrets(secrets),
        ssh=read_ssh(ssh),
        output=read_output(output),
        anonymous=auth == ANONYMOUS,
    )


def _with_auths(build: ClassicBuild, auth: AuthsLike | None, path: str | PathLike[str]) -> ClassicBuild:
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


def _names(tag: str | Iterable[str] | None) -> tuple[str, ...]:
    names = strings("tag", tag)
    for name in names:
        if parse_reference(name).digest is not None:
            raise ValueError(f"tag must not have a digest: {name!r}")
    return names


def _remote(remote: str | None) -> Parameter:
    parameter = text("remote", remote)
    if remote is None:
        return parameter
    # URLs may contain passwords or tokens.
    return replace(parameter, for_podman=NotOnPodman("fetch contexts"), secret=True)


def _extra_hosts(hosts: tuple[str, ...]) -> Parameter:
    # Podman expects one JSON list.
    return Parameter("extrahosts", hosts, Version(1, 28), for_podman=_list(hosts))


def _limits(**values: int | None) -> list[Parameter]:
    return [number(name.replace("_", ""), value, name) for name, value in values.items()]


def _ulimits(ulimits: Ulimits | None) -> Parameter:
    if ulimits is not None and not isinstance(ulimits, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"ulimits must be a mapping, not {type(ulimits).__name__}")
    pairs = {name: _soft_and_hard(name, limit) for name, limit in (ulimits or {}).items()}
    return Parameter(
        "ulimits",
        _list({"Name": name, "Soft": soft, "Hard": hard} for name, (soft, hard) in pairs.items()),
        # Podman expects the syntax of its command line.
        for_podman=_list(f"{name}={soft}:{hard}" for name, (soft, hard) in pairs.items()),
    )


def _soft_and_hard(name: str, limit: int | tuple[int, int]) -> tuple[int, int]:
    pair: object = (limit, limit) if isinstance(limit, int) else limit
    match pair:
        case (int(soft), int(hard)):
            return soft, hard
        case _:
            raise TypeError(f"ulimits[{name!r}] must be an int or two, not {limit!r}")


def _list(values: Iterable[object]) -> str | None:
    items = list(values)
    return json_text(items) if items else None


def _headers(
    body: AsyncSource | BuildContext | None, encoding: str | None, fileobj: AsyncSource | None
) -> tuple[tuple[str, str], ...]:
    if encoding is not None and fileobj is None:
        raise ValueError("encoding needs fileobj")
    if body is None:
        return ()
    return (TAR, *(("Content-Encoding", each) for each in strings("encoding", encoding)))
