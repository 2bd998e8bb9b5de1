"""The operations of a registry as data: each is a function of a session, with its limits.

Nothing is sent before one runs; what is wrong with its arguments is raised before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, Final, Generic, TypeVar

from msgspec import Struct

from dockerproto.arguments import strings_by_name
from dockerproto.docker import AnyClient
from dockerproto.messages.models import Descriptor, Message
from dockerproto.references import Reference, parse_reference
from dockerproto.registry.bodies import verify
from dockerproto.registry.building import (
    BuilderBuild,
    JoinedBuild,
    Together,
    check_arguments,
    check_builders,
    plan_builds,
)
from dockerproto.registry.copying import copy_image, fetch_manifest, header_digest, put_manifest
from dockerproto.registry.manifests import MANIFEST_LIMIT, Manifest, join, parse_manifest, parse_platform
from dockerproto.registry.origins import Repository, repository_of
from dockerproto.registry.requests import blob_request, manifest_request
from dockerproto.registry.session import RegistryClient, Session, drain
from dockerproto.timeouts import DEFAULT, Pace, TimeoutLike

T = TypeVar("T")

_TAG: Final = "latest"


class RegistryCall(Struct, Generic[T], frozen=True):
    """An operation of a registry."""

    perform: Callable[[Session], Coroutine[Any, Any, T]]
    """Function that sends its requests."""
    timeout: TimeoutLike
    """Limits of the call."""
    pace: Pace
    """Kind of the call, which decides its default limits."""

    async def run(self, client: RegistryClient) -> T:
        """Send the requests, and return the result."""
        return await self.perform(client.begin(self.timeout, self.pace))


def resolve(reference: str, *, timeout: TimeoutLike = DEFAULT) -> RegistryCall[Descriptor]:
    """Return the descriptor of an image: media type, digest and size, as its registry reports them.

    Args:
        reference: Reference; without tag and digest, the tag is ``latest``.
        timeout: Limits of this call.

    Raises:
        NotFound: The image does not exist.
        Unauthorized: The registry requires other credentials.
    """
    return RegistryCall(partial(_resolve, parse_reference(reference)), timeout, "reading")


def manifest(reference: str, *, timeout: TimeoutLike = DEFAULT) -> RegistryCall[Manifest]:
    """Return the manifest of an image, or the index of several; its digest is verified.

    Args:
        reference: Reference; without tag and digest, the tag is ``latest``.
        timeout: Limits of this call.

    Raises:
        NotFound: The image does not exist.
        ProtocolViolated: The digest is wrong, or the manifest is malformed or longer than 4 MiB.
        Unauthorized: The registry requires other credentials.
    """
    return RegistryCall(partial(_manifest, parse_reference(reference)), timeout, "reading")


def copy(source: str, target: str, *, timeout: TimeoutLike = DEFAULT) -> RegistryCall[Descriptor]:
    """Copy an image, with all platforms, to another tag, repository or registry; return its descriptor.

    In one registry, blobs are mounted, if the registry supports it. Otherwise, they are streamed through this
    program, and their digests are verified. What the target has already is not sent.

    Args:
        source: Reference; without tag and digest, the tag is ``latest``.
        target: Name of the copy; without a tag, the tag is ``latest``.
        timeout: Limits of this call.

    Raises:
        NotFound: The source does not exist.
        ProtocolViolated: A digest is wrong, or a manifest is malformed.
        Unauthorized: A registry requires other credentials.
        ValueError: The target has a digest.
    """
    references = parse_reference(source), _parse_target(target)
    return RegistryCall(partial(_copy, *references), timeout, "long")


def index(
    target: str,
    sources: Sequence[str],
    *,
    annotations: Mapping[str, str] | None = None,
    timeout: TimeoutLike = DEFAULT,
) -> RegistryCall[Descriptor]:
    """Join images into one for several platforms, as ``docker buildx imagetools create`` does.

    Indexes are replaced by their members, so attestations are kept. The platform of an image is read from its
    configuration. Images of other repositories are copied to that of the target. A single index without new
    annotations is stored unchanged.

    Args:
        target: Name of the index; without a tag, the tag is ``latest``. It may be one of the sources.
        sources: References of images and indexes.
        annotations: Annotations of the index; with them it is an OCI index, even of Docker manifests.
        timeout: Limits of this call.

    Returns:
        The descriptor of the index.

    Raises:
        NotFound: A source does not exist.
        ProtocolViolated: A digest is wrong, or a manifest is malformed.
        Unauthorized: A registry requires other credentials.
        ValueError: The target has a digest, or the list of sources is empty.
    """
    if isinstance(sources, str) or not sources:
        raise ValueError("sources must be a list of one or more references")
    parsed = [parse_reference(each) for each in sources]
    named = strings_by_name("annotations", annotations or {})
    return RegistryCall(partial(_index, _parse_target(target), parsed, named), timeout, "long")


def build(
    builders: Mapping[str, AnyClient],
    tag: str,
    *,
    annotations: Mapping[str, str] | None = None,
    concurrency: int = 8,
    on_message: Callable[[str, Message], None] | None = None,
    timeout: TimeoutLike = DEFAULT,
    **arguments: Any,
) -> RegistryCall[JoinedBuild]:
    """Build an image on several builders at once, each for its platforms, and join the parts in the registry.

    A builder is an engine or a BuildKit daemon. It pushes its part to the repository of the tag: by digest,
    or with a graph driver by a tag such as ``1-linux-arm64``, which remains. If a build fails, the others are
    stopped, and its exception names the builder. The clients must be of the same package as this one; a
    blocking client builds in threads, and those of other builders end when their engines have responded.

    Args:
        builders: Clients by platform: ``{"linux/amd64": one, "linux/arm64": two}``; one client may have
            several platforms.
        tag: Name of the image; without a tag, the tag is ``latest``.
        annotations: Annotations of the index.
        concurrency: Number of builders at work at once.
        on_message: Function that gets each message of a build, and the first platform of its builder. A
            blocking client calls it in the threads of the builds.
        timeout: Limits of each build, and of joining.
        arguments: Other arguments of `AsyncImages.build` that all builders have, such as ``path``; a
            ``fileobj`` must be bytes.

    Raises:
        DockerError: A build or a push fails; ``hint`` names the builder and its platforms.
        TypeError: A builder is a client of another package; an argument is unknown, or set by this method.
        ValueError: An argument has an invalid value.

    Since API 1.38 for the builders; by digest, they need the containerd image store.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency must be 1 or more, not {concurrency}")
    check_arguments(builders, arguments)
    target = _parse_target(tag)
    builds = plan_builds(builders, target, {**arguments, "timeout": timeout}, on_message)
    named = strings_by_name("annotations", annotations or {})
    return RegistryCall(partial(_build, target, builds, named, concurrency), timeout, "long")


def _parse_target(target: str) -> Reference:
    reference = parse_reference(target)
    if reference.digest is not None:
        raise ValueError(f"the target must be a tag, not a digest: {target!r}")
    return reference


def _locate(session: Session, reference: Reference) -> tuple[Repository, str]:
    """Return a repository, and the tag or digest in it."""
    repository = repository_of(reference, session.plain_http)
    return repository, reference.digest or reference.tag or _TAG


async def _resolve(reference: Reference, session: Session) -> Descriptor:
    repository, name = _locate(session, reference)
    response = await session.open(manifest_request("HEAD", repository, name))
    await drain(response)
    headers = response.head.headers
    digest, size = header_digest(headers), headers.get("content-length", "")
    media_type = headers.get("content-type", "").partition(";")[0]
    if digest is None or digest != (reference.digest or digest) or not size.isdecimal() or not media_type:
        return (await fetch_manifest(session, repository, name)).descriptor
    return {"mediaType": media_type, "digest": digest, "size": int(size)}


async def _manifest(reference: Reference, session: Session) -> Manifest:
    return await fetch_manifest(session, *_locate(session, reference))


async def _copy(source: Reference, target: Reference, session: Session) -> Descriptor:
    (origin, name), (copy, tag) = _locate(session, source), _locate(session, target)
    manifest = await fetch_manifest(session, origin, name)
    await copy_image(session, manifest, origin, copy)
    await put_manifest(session, copy, tag, manifest)
    return manifest.descriptor


async def _index(
    target: Reference, sources: Sequence[Reference], annotations: Mapping[str, str], session: Session
) -> Descriptor:
    repository, tag = _locate(session, target)
    manifests: list[Manifest] = []
    members: list[Descriptor] = []
    for reference in sources:
        origin, name = _locate(session, reference)
        manifest = await fetch_manifest(session, origin, name)
        await copy_image(session, manifest, origin, repository)
        manifests.append(manifest)
        config = manifest.config
        if config is None:  # an index
            members += manifest.manifests
            continue
        if origin != repository:
            await put_manifest(session, repository, manifest.descriptor["digest"], manifest)
        members.append(await _describe(session, origin, manifest.descriptor, config))
    joined = manifests[0]
    if len(manifests) > 1 or annotations or not joined.is_index:
        media_type, data = join(manifests, members, annotations)
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        joined = parse_manifest(data, media_type=media_type, digest=digest, subject=str(repository))
    await put_manifest(session, repository, tag, joined)
    return joined.descriptor


async def _build(
    target: Reference,
    builds: Sequence[BuilderBuild],
    annotations: Mapping[str, str],
    concurrency: int,
    session: Session,
) -> JoinedBuild:
    check_builders(builds, session.transport)
    await Together(session.transport, builds).run(concurrency)
    sources = [parse_reference(each.reference) for each in builds]
    descriptor = await _index(target, sources, annotations, session)
    results = {
        platform: each.result for each in builds for platform in each.platforms if each.result is not None
    }
    return JoinedBuild(descriptor, results)


async def _describe(
    session: Session, repository: Repository, image: Descriptor, config: Descriptor
) -> Descriptor:
    """Return the descriptor of an image with its platform."""
    _, data = await session.read(blob_request("GET", repository, config["digest"]), MANIFEST_LIMIT)
    verify(config["digest"], data, f"configuration of {repository}")
    platform = parse_platform(config, bytes(data))
    return image if platform is None else {**image, "platform": platform}
