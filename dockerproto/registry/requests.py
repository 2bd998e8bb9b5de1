"""Requests to registries as data; nothing here is sent.

Their paths are those of https://github.com/opencontainers/distribution-spec/blob/main/spec.md. Names in them
are validated: references by their grammar, digests of manifests by theirs, so no path leaves ``/v2/``.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from dockerproto.http.http11 import Upload
from dockerproto.redacted import Redacted, RedactedText
from dockerproto.registry.origins import Location, Origin, Repository

OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
_ACCEPT: Final = ("Accept", f"{OCI_INDEX}, {OCI_MANIFEST}, {DOCKER_LIST}, {DOCKER_MANIFEST}")


class RegistryRequest(Redacted, frozen=True, kw_only=True):
    """A request to a registry, to a server of tokens, or to where a registry redirects."""

    _hidden = ("headers", "body", "target", "upload")

    method: str
    """HTTP method."""
    origin: Origin
    """Scheme, host and port."""
    target: str
    """Path and query."""
    subject: str
    """Name of its object in messages: an image, a blob."""
    repository: Repository | None = None
    """Repository whose credentials it carries; None for a request without credentials of a registry."""
    scopes: tuple[str, ...] = ()
    """Scopes of its token."""
    headers: tuple[tuple[str, str], ...] = ()
    """Headers except ``Host``, ``User-Agent``, ``Authorization`` and those for framing."""
    body: bytes | None = None
    """Body in memory; None for none, or for one that is streamed."""
    upload: Upload | None = None
    """Body that is streamed; the request is then sent only once."""
    size: int | None = None
    """Size of the body that is streamed, in bytes."""
    follows: bool = False
    """True if redirects are followed."""

    @property
    def idempotent(self) -> bool:
        """True if sending it twice does the same as sending it once."""
        return self.method in ("GET", "HEAD", "PUT")


def manifest_request(method: str, repository: Repository, name: str) -> RegistryRequest:
    """Return the request for a manifest by tag or digest: ``GET``, or ``HEAD`` for its headers."""
    return RegistryRequest(
        method=method,
        origin=repository.origin,
        target=repository.target("manifests", name),
        subject=_subject(repository, name),
        repository=repository,
        scopes=(repository.scope("pull"),),
        headers=(_ACCEPT,),
    )


def put_manifest_request(repository: Repository, name: str, media_type: str, data: bytes) -> RegistryRequest:
    """Return the request that stores a manifest under a tag or its digest."""
    return RegistryRequest(
        method="PUT",
        origin=repository.origin,
        target=repository.target("manifests", name),
        subject=_subject(repository, name),
        repository=repository,
        scopes=(repository.scope("pull,push"),),
        headers=(("Content-Type", media_type),),
        body=data,
    )


def blob_request(method: str, repository: Repository, digest: str, actions: str = "pull") -> RegistryRequest:
    """Return the request for a blob: ``GET``, or ``HEAD`` to ask if it exists."""
    return RegistryRequest(
        method=method,
        origin=repository.origin,
        target=repository.target("blobs", digest),
        subject=_subject(repository, digest),
        repository=repository,
        scopes=(repository.scope(actions),),
        follows=True,
    )


def start_upload_request(repository: Repository, digest: str, source: Repository | None) -> RegistryRequest:
    """Return the request that mounts a blob of another repository, or starts its upload."""
    scopes = [repository.scope("pull,push")]
    query = ""
    if source is not None and source.registry == repository.registry:
        scopes.append(source.scope("pull"))
        query = f"?{urlencode({'mount': digest, 'from': source.path})}"
    return RegistryRequest(
        method="POST",
        origin=repository.origin,
        target=f"{repository.target('blobs', 'uploads')}/{query}",
        subject=_subject(repository, digest),
        repository=repository,
        scopes=tuple(scopes),
    )


def upload_request(
    repository: Repository, digest: str, location: Location, upload: Upload, size: int
) -> RegistryRequest:
    """Return the request that uploads a blob to the location that the registry named.

    At another origin, it carries no credentials.
    """
    own = location.origin == repository.origin
    separator = "&" if "?" in location.target else "?"
    return RegistryRequest(
        method="PUT",
        origin=location.origin,
        target=RedactedText(f"{location.target}{separator}{urlencode({'digest': digest})}"),
        subject=_subject(repository, digest),
        repository=repository if own else None,
        scopes=(repository.scope("pull,push"),) if own else (),
        headers=(("Content-Type", "application/octet-stream"),),
        upload=upload,
        size=size,
    )


def redirected(request: RegistryRequest, location: Location) -> RegistryRequest:
    """Return a request for where it was redirected to: with credentials at the same origin only."""
    own = location.origin == request.origin
    return RegistryRequest(
        method=request.method,
        origin=location.origin,
        target=location.target,
        subject=request.subject,
        repository=request.repository if own else None,
        scopes=request.scopes if own else (),
        follows=True,
    )


def _subject(repository: Repository, name: str) -> str:
    return f"{repository}{'@' if ':' in name else ':'}{name}"
