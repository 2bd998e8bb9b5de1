"""Build images: from a directory, from a tar, or from a URL that the engine fetches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from typing import Literal, overload

from dockerproto.buildcontext.dockerfile_spec import DOCKERFILE
from dockerproto.buildcontext.plan import Compression, parse_context
from dockerproto.credentials.credentials import AuthsLike
from dockerproto.images.build_parameters import (
    Ulimits,
    attach,
    body_of,
    build_arguments,
    flags_of,
    image_names,
    limits_of,
    source_of,
    steps_of,
    ulimits_of,
    upload_headers,
    with_auths,
)
from dockerproto.images.builders import Builder, for_builder
from dockerproto.images.solve_arguments import Provenance, SolveArguments, read_solve_arguments
from dockerproto.messages.decoding import BuildMessages
from dockerproto.messages.results import BuildReducer, BuildResult, MessageList
from dockerproto.operations.operation import Call, ListOrStream, Reported
from dockerproto.operations.replies import progress
from dockerproto.request.attachments import Output, SecretLike, read_output
from dockerproto.request.build import ClassicBuild
from dockerproto.request.caches import CacheSource, CacheTarget
from dockerproto.request.named_contexts import NamedContext
from dockerproto.request.outputs import BuildOutput
from dockerproto.request.parameters import (
    switch,
    text,
)
from dockerproto.sources import AsyncSource
from dockerproto.timeouts import DEFAULT, TimeoutLike


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
    nocache: bool | str | Iterable[str] = False,
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
    cache_from: CacheSource | Iterable[CacheSource] | None = None,
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
    outputs: BuildOutput | Iterable[BuildOutput] | None = None,
    cache_to: CacheTarget | Iterable[CacheTarget] | None = None,
    platforms: Iterable[str] | None = None,
    contexts: Mapping[str, NamedContext] | None = None,
    allow: str | Iterable[str] | None = None,
    annotations: Mapping[str, str] | None = None,
    provenance: Provenance | None = None,
    sbom: bool | str = False,
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
    nocache: bool | str | Iterable[str] = False,
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
    cache_from: CacheSource | Iterable[CacheSource] | None = None,
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
    outputs: BuildOutput | Iterable[BuildOutput] | None = None,
    cache_to: CacheTarget | Iterable[CacheTarget] | None = None,
    platforms: Iterable[str] | None = None,
    contexts: Mapping[str, NamedContext] | None = None,
    allow: str | Iterable[str] | None = None,
    annotations: Mapping[str, str] | None = None,
    provenance: Provenance | None = None,
    sbom: bool | str = False,
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
    nocache: bool | str | Iterable[str] = False,
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
    cache_from: CacheSource | Iterable[CacheSource] | None = None,
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
    outputs: BuildOutput | Iterable[BuildOutput] | None = None,
    cache_to: CacheTarget | Iterable[CacheTarget] | None = None,
    platforms: Iterable[str] | None = None,
    contexts: Mapping[str, NamedContext] | None = None,
    allow: str | Iterable[str] | None = None,
    annotations: Mapping[str, str] | None = None,
    provenance: Provenance | None = None,
    sbom: bool | str = False,
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
    nocache: bool | str | Iterable[str] = False,
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
    cache_from: CacheSource | Iterable[CacheSource] | None = None,
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
    outputs: BuildOutput | Iterable[BuildOutput] | None = None,
    cache_to: CacheTarget | Iterable[CacheTarget] | None = None,
    platforms: Iterable[str] | None = None,
    contexts: Mapping[str, NamedContext] | None = None,
    allow: str | Iterable[str] | None = None,
    annotations: Mapping[str, str] | None = None,
    provenance: Provenance | None = None,
    sbom: bool | str = False,
) -> ListOrStream[BuildResult]:
    """Build an image.

    Give exactly one of `path`, `fileobj` and `remote`, or `dockerfile` alone. Docker has two builders, see
    `builder`. Arguments that only one of them supports are rejected for the other: `rm`, `forcerm`, limits
    of memory and CPU, other networks, `compression` and `on_upload` are for the classic builder; `secrets`,
    `ssh`, `output` and all after it for BuildKit.

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
        nocache: Do not use the cache of earlier builds; or the names of the stages to build without it.
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
        cache_from: Images whose layers may be reused, by name; or caches, a `RegistryCache`, a `LocalCache`,
            a `GitHubCache` or a `Cache`.
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
        outputs: Destinations of the result, instead of an image or besides it: an `Image`, `OCI`,
            `DockerTar`, the path of a directory, a `Tar`; or `CacheOnly`. Several since API 1.45.
        cache_to: Caches to export: a `RegistryCache`, a `LocalCache`, an `InlineCache`, a `GitHubCache`, or a
            `Cache` of another type.
        platforms: Platforms to build for, each ``os/arch[/variant]``; of several, the image is an index.
        contexts: Named contexts for ``FROM`` and ``--from``: a path object is a directory; a `Layout` is an
            image in one; a text begins with ``docker-image://``, or is the URL of a repository or an archive.
            Since API 1.42.
        allow: Permissions of steps: ``network.host``, ``security.insecure``.
        annotations: Annotations of the image's manifest, of each platform's if there are several.
        provenance: Attach provenance, ``min`` or ``max``; none by default. Since API 1.43.
        sbom: Attach a list of the packages in the result, made by Docker's scanner, or by that in another
            image, by name; none by default. Since API 1.43.

    Raises:
        BadRequest: The build context or the Dockerfile is malformed.
        InvalidPattern: The ignore file has a malformed pattern.
        StepFailed: A command failed; ``step`` has its exit code and its output.
        DockerStreamError: Something else failed; ``step`` has the step, ``messages`` the earlier messages.
        OutputFailed: The output or a cache cannot be written; it is the cause of the engine's error.
        UnsupportedEngine: The engine is Podman, which lacks BuildKit and `remote`; or its image store lacks
            an argument, see the page on caches, platforms and outputs.
        UnsupportedVersion: The engine is too old for BuildKit, or for an argument.
        UploadFailed: A file of the directory cannot be read, or changed while it was read; a secret, an ssh
            agent or an image of a `Layout` is unavailable.
        ValueError: None or several of `path`, `fileobj` and `remote` are given, or an argument that does
            not apply to them or to the builder.

    Documented at https://docs.docker.com/reference/api/engine/#tag/Image/operation/ImageBuild.
    """
    body = body_of(path, fileobj, remote, parse_context(path, dockerfile, path_dockerfile, compression))
    given = SolveArguments(
        cache_to, cache_from, nocache, outputs, platforms, contexts, allow, annotations, provenance, sbom
    )
    read = read_solve_arguments(given, read_output(output), image_names(tag), platform)
    query = (
        *source_of(remote, body, path_dockerfile, read.names, quiet=quiet),
        *flags_of(nocache=nocache is True, pull=pull, forcerm=forcerm, squash=squash),
        switch("rm", rm),
        *steps_of(
            *(labels, platform, target),
            network_mode=network_mode,
            extra_hosts=extra_hosts,
            cache_from=read.cache_from,
        ),
        *limits_of(shm_size=shm_size, memory=memory, memswap=memswap),
        *limits_of(cpu_shares=cpu_shares, cpu_period=cpu_period, cpu_quota=cpu_quota),
        text("cpusetcpus", cpuset_cpus, "cpuset_cpus"),
        ulimits_of(ulimits),
    )
    arguments, headers = build_arguments(buildargs), upload_headers(body, encoding, fileobj)
    classic = ClassicBuild(
        query=query, body=body, buildargs=arguments, timeout=timeout, headers=headers, on_upload=on_upload
    )
    classic = with_auths(classic, auth, path_dockerfile or DOCKERFILE)
    chosen = for_builder(builder, classic, attach(read.attachments, secrets, ssh, auth), read.options)
    return progress(chosen, stream, BuildReducer, BuildMessages)
