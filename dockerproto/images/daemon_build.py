"""Build images on a BuildKit daemon, by those parameters of `dockerproto.images.build` that BuildKit has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Final, Literal, overload

from dockerproto.buildcontext.dockerfile_spec import DOCKERFILE
from dockerproto.buildcontext.plan import parse_context
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
    with_auths,
)
from dockerproto.images.builders import for_builder
from dockerproto.images.loading import ClientLoader, LoadTarget
from dockerproto.images.solve_arguments import Provenance, SolveArguments, read_solve_arguments
from dockerproto.messages.decoding import BuildMessages
from dockerproto.messages.results import BuildReducer, BuildResult, MessageList
from dockerproto.operations.operation import Call, ListOrStream, Reported
from dockerproto.operations.replies import progress
from dockerproto.request.attachments import SecretLike
from dockerproto.request.build import ClassicBuild
from dockerproto.request.caches import CacheSource, CacheTarget
from dockerproto.request.named_contexts import NamedContext
from dockerproto.request.outputs import BuildOutput, DockerTar
from dockerproto.sources import AsyncSource
from dockerproto.timeouts import DEFAULT, TimeoutLike

_NO_OUTPUTS: Final = (
    "outputs must be given, as a BuildKit daemon keeps no images: Image(push=True), OCI, DockerTar, "
    "the path of a directory, Tar, load=docker, or CacheOnly() for a build that only fills the cache"
)


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
    labels: Mapping[str, str] | None = None,
    stream: Literal[False] = False,
    timeout: TimeoutLike = DEFAULT,
    target: str | None = None,
    network_mode: str | None = None,
    extra_hosts: Mapping[str, str] | Iterable[str] | None = None,
    cache_from: CacheSource | Iterable[CacheSource] | None = None,
    shm_size: int | None = None,
    ulimits: Ulimits | None = None,
    auth: AuthsLike | None = None,
    secrets: Mapping[str, SecretLike] | None = None,
    ssh: Mapping[str, str | PathLike[str] | None] | None = None,
    outputs: BuildOutput | Iterable[BuildOutput] | None = None,
    cache_to: CacheTarget | Iterable[CacheTarget] | None = None,
    platforms: Iterable[str] | None = None,
    contexts: Mapping[str, NamedContext] | None = None,
    allow: str | Iterable[str] | None = None,
    annotations: Mapping[str, str] | None = None,
    provenance: Provenance | None = None,
    sbom: bool | str = False,
    load: LoadTarget | None = None,
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
    labels: Mapping[str, str] | None = None,
    stream: Literal[True],
    timeout: TimeoutLike = DEFAULT,
    target: str | None = None,
    network_mode: str | None = None,
    extra_hosts: Mapping[str, str] | Iterable[str] | None = None,
    cache_from: CacheSource | Iterable[CacheSource] | None = None,
    shm_size: int | None = None,
    ulimits: Ulimits | None = None,
    auth: AuthsLike | None = None,
    secrets: Mapping[str, SecretLike] | None = None,
    ssh: Mapping[str, str | PathLike[str] | None] | None = None,
    outputs: BuildOutput | Iterable[BuildOutput] | None = None,
    cache_to: CacheTarget | Iterable[CacheTarget] | None = None,
    platforms: Iterable[str] | None = None,
    contexts: Mapping[str, NamedContext] | None = None,
    allow: str | Iterable[str] | None = None,
    annotations: Mapping[str, str] | None = None,
    provenance: Provenance | None = None,
    sbom: bool | str = False,
    load: LoadTarget | None = None,
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
    labels: Mapping[str, str] | None = None,
    stream: bool,
    timeout: TimeoutLike = DEFAULT,
    target: str | None = None,
    network_mode: str | None = None,
    extra_hosts: Mapping[str, str] | Iterable[str] | None = None,
    cache_from: CacheSource | Iterable[CacheSource] | None = None,
    shm_size: int | None = None,
    ulimits: Ulimits | None = None,
    auth: AuthsLike | None = None,
    secrets: Mapping[str, SecretLike] | None = None,
    ssh: Mapping[str, str | PathLike[str] | None] | None = None,
    outputs: BuildOutput | Iterable[BuildOutput] | None = None,
    cache_to: CacheTarget | Iterable[CacheTarget] | None = None,
    platforms: Iterable[str] | None = None,
    contexts: Mapping[str, NamedContext] | None = None,
    allow: str | Iterable[str] | None = None,
    annotations: Mapping[str, str] | None = None,
    provenance: Provenance | None = None,
    sbom: bool | str = False,
    load: LoadTarget | None = None,
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
    labels: Mapping[str, str] | None = None,
    stream: bool = False,
    timeout: TimeoutLike = DEFAULT,
    target: str | None = None,
    network_mode: str | None = None,
    extra_hosts: Mapping[str, str] | Iterable[str] | None = None,
    cache_from: CacheSource | Iterable[CacheSource] | None = None,
    shm_size: int | None = None,
    ulimits: Ulimits | None = None,
    auth: AuthsLike | None = None,
    secrets: Mapping[str, SecretLike] | None = None,
    ssh: Mapping[str, str | PathLike[str] | None] | None = None,
    outputs: BuildOutput | Iterable[BuildOutput] | None = None,
    cache_to: CacheTarget | Iterable[CacheTarget] | None = None,
    platforms: Iterable[str] | None = None,
    contexts: Mapping[str, NamedContext] | None = None,
    allow: str | Iterable[str] | None = None,
    annotations: Mapping[str, str] | None = None,
    provenance: Provenance | None = None,
    sbom: bool | str = False,
    load: LoadTarget | None = None,
) -> ListOrStream[BuildResult]:
    """Build on the daemon.

    Give exactly one of `path`, `fileobj` and `remote`, or `dockerfile` alone; and `outputs`. The result, the
    messages and the exceptions are those of a build on an engine, see `Images.build`.

    Args:
        remote: A git or http(s) URL that the daemon fetches: a repository, a tar or a Dockerfile.
        fileobj: A tar with the build context, of any form that a build on an engine accepts.
        path: A directory, of which the daemon requests the files that it needs.
        dockerfile: The text of the Dockerfile, for `path`, or for a build without other files.
        path_dockerfile: Path of the Dockerfile in the build context; ``Dockerfile`` by default. With `path`
            it may also be outside the directory.
        tag: A name for the image, or several; the tag is ``latest`` by default.
        quiet: Report only the id of the image.
        nocache: Do not use the cache of earlier builds; or the names of the stages to build without it.
        buildargs: Build arguments; None keeps the Dockerfile's default. The client adds those of its proxies.
        pull: Look for newer base images.
        labels: Labels for the image.
        stream: Return a stream of messages instead of a list; both have a ``result``.
        timeout: Limits of this call; unlimited by default, except the time to connect.
        target: The stage to build, the last by default.
        network_mode: Network of the steps: ``host``, which the daemon's configuration must allow, or
            ``none``.
        extra_hosts: Entries for the steps' ``/etc/hosts``: IP addresses by host name, or texts
            ``name=address`` or ``name:address``.
        cache_from: Images whose layers may be reused, by name; or caches.
        shm_size: Size of ``/dev/shm`` in bytes.
        ulimits: Limits of the steps' processes, ``{"nofile": 1024}`` or ``{"nofile": (1024, 2048)}``.
        auth: Credentials by registry, see `read_auth`. The client looks up those of other registries when the
            daemon asks for them. With `ANONYMOUS` no credentials are sent.
        secrets: Secrets by mount id: a `Secret`, bytes, or a path object; at most 500 KiB each.
        ssh: Socket paths of ssh agents by mount id; None means ``$SSH_AUTH_SOCK``.
        outputs: Destinations of the result: an `Image`, which the daemon pushes with ``push=True``, and which
            is otherwise left in its cache; `OCI`, `DockerTar`, the path of a directory, a `Tar`; or
            `CacheOnly`.
        cache_to: Caches to export.
        platforms: Platforms to build for, each ``os/arch[/variant]``; by default
            ``$DOCKER_DEFAULT_PLATFORM``, or that of the daemon. Of several, the image is an index.
        contexts: Named contexts for ``FROM`` and ``--from``.
        allow: Permissions of steps: ``network.host``, ``security.insecure``.
        annotations: Annotations of the image's manifest, of each platform's if there are several.
        provenance: Attach provenance, ``min`` or ``max``; none by default.
        sbom: Attach a list of the packages in the result; none by default.
        load: A `Docker` of the same package, whose engine loads the image while it is being sent; in place of
            `outputs`. Its messages follow those of the build. The image has one platform.

    Raises:
        BadRequest: The build context or the Dockerfile is malformed.
        ConnectionFailed: The daemon cannot be connected to, or the connection broke.
        InvalidPattern: The ignore file has a malformed pattern.
        StepFailed: A command failed; ``step`` has its exit code and its output.
        DockerStreamError: Something else failed; ``step`` has the step, ``messages`` the earlier messages.
        OutputFailed: The output or a cache cannot be written; it is the cause of the daemon's error.
        ProtocolViolated: The server is not a BuildKit daemon.
        UploadFailed: A file of the directory cannot be read, or changed while it was read; a secret, an ssh
            agent or an image of a `Layout` is unavailable.
        TypeError: `load` is not a `Docker` of the same package.
        ValueError: `outputs` is missing; or none or several of `path`, `fileobj` and `remote` are given, or
            an argument that does not apply to them.
    """
    outputs = _outputs(outputs, load)
    body = body_of(path, fileobj, remote, parse_context(path, dockerfile, path_dockerfile, None))
    given = SolveArguments(
        cache_to, cache_from, nocache, outputs, platforms, contexts, allow, annotations, provenance, sbom
    )
    read = read_solve_arguments(given, None, image_names(tag), None)
    if load is not None:
        read = read.loaded_by(ClientLoader.of(load))
    query = (
        *source_of(remote, body, path_dockerfile, read.names, quiet=quiet),
        *flags_of(nocache=nocache is True, pull=pull),
        *steps_of(
            *(labels, None, target),
            network_mode=network_mode,
            extra_hosts=extra_hosts,
            cache_from=read.cache_from,
        ),
        *limits_of(shm_size=shm_size),
        ulimits_of(ulimits),
    )
    classic = ClassicBuild(query=query, body=body, buildargs=build_arguments(buildargs), timeout=timeout)
    classic = with_auths(classic, auth, path_dockerfile or DOCKERFILE)
    chosen = for_builder("buildkit", classic, attach(read.attachments, secrets, ssh, auth), read.options)
    return progress(chosen, stream, BuildReducer, BuildMessages)


def _outputs(
    outputs: BuildOutput | Iterable[BuildOutput] | None, load: LoadTarget | None
) -> BuildOutput | Iterable[BuildOutput]:
    """Return the outputs of a build; with `load`, a tar whose path is not used."""
    if load is not None:
        if outputs is not None:
            raise ValueError("load and outputs must not be given together")
        return DockerTar("")
    if outputs is None:
        raise ValueError(_NO_OUTPUTS)
    return outputs
