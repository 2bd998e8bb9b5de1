"""Copies of blobs and images between repositories.

A blob that the target has is not sent. In one registry it is mounted, so no byte of it moves; otherwise it is
streamed through, from one connection to the other. Its last chunk is held back until its digest is right, so
a registry never gets all of a wrong blob.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from dockerproto.errors import ConnectionFailed, ProtocolViolated, UploadFailed
from dockerproto.http.interfaces import Response
from dockerproto.messages.decoding import ERROR_LIMIT
from dockerproto.messages.models import Descriptor
from dockerproto.references import is_digest
from dockerproto.registry.bodies import check_digest
from dockerproto.registry.manifests import MANIFEST_LIMIT, Manifest, parse_manifest
from dockerproto.registry.origins import Repository, resolve_location
from dockerproto.registry.requests import (
    blob_request,
    manifest_request,
    put_manifest_request,
    start_upload_request,
    upload_request,
)
from dockerproto.registry.session import Session, drain

DEPTH: Final = 4
"""Number of indexes inside of each other that are copied."""
_CREATED: Final = 201
_ACCEPTED: Final = 202


async def fetch_manifest(session: Session, repository: Repository, name: str) -> Manifest:
    """Return a manifest by tag or digest.

    Raises:
        NotFound: It does not exist.
        ProtocolViolated: It is malformed, or its digest is another one.
    """
    request = manifest_request("GET", repository, name)
    headers, data = await session.read(request, MANIFEST_LIMIT)
    digest = name if ":" in name else header_digest(headers) or f"sha256:{hashlib.sha256(data).hexdigest()}"
    media_type = headers.get("content-type", "")
    return parse_manifest(bytes(data), media_type=media_type, digest=digest, subject=request.subject)


def header_digest(headers: Mapping[str, str]) -> str | None:
    """Return the digest that a registry announces, None if it does not.

    Raises:
        ProtocolViolated: It is malformed.
    """
    digest = headers.get("docker-content-digest")
    if digest is not None and not is_digest(digest):
        raise ProtocolViolated(0, f"the registry sent an invalid digest: {digest:.100}")
    return digest


async def put_manifest(session: Session, repository: Repository, name: str, manifest: Manifest) -> None:
    """Store a manifest under a tag or its digest.

    Raises:
        ProtocolViolated: The registry has stored it under another digest.
    """
    descriptor = manifest.descriptor
    request = put_manifest_request(repository, name, descriptor["mediaType"], manifest.data)
    headers, _ = await session.read(request, ERROR_LIMIT)
    check_digest(descriptor["digest"], header_digest(headers) or descriptor["digest"], request.subject)


async def copy_image(
    session: Session, manifest: Manifest, source: Repository, target: Repository, *, depth: int = DEPTH
) -> None:
    """Copy all that a manifest refers to from one repository to another, but not the manifest itself.

    Raises:
        ProtocolViolated: Indexes are nested too deeply, or a digest is wrong.
    """
    if not depth:
        raise ProtocolViolated(0, f"{source}: more than {DEPTH} indexes inside of each other")
    if source == target:
        return
    for each in manifest.manifests:
        member = await fetch_manifest(session, source, each["digest"])
        await copy_image(session, member, source, target, depth=depth - 1)
        await put_manifest(session, target, each["digest"], member)
    blobs = manifest.layers if manifest.config is None else [manifest.config, *manifest.layers]
    for blob in {each["digest"]: each for each in blobs if not each.get("urls")}.values():
        await _copy_blob(session, blob, source, target)


async def _copy_blob(session: Session, blob: Descriptor, source: Repository, target: Repository) -> None:
    digest = blob["digest"]
    if await session.exists(blob_request("HEAD", target, digest, "pull,push")):
        return
    request = start_upload_request(target, digest, source)
    response = await session.open(request)
    status, location = response.head.status, response.head.headers.get("location")
    await drain(response)
    if status == _CREATED:
        return
    if status != _ACCEPTED:
        raise ProtocolViolated(
            status, f"{request.subject}: unexpected status {status} for the start of an upload"
        )
    place = resolve_location(location, target.origin)
    download = await session.open(blob_request("GET", source, digest))
    try:
        upload = upload_request(target, digest, place, BlobStream(download, blob), blob["size"])
        await drain(await session.open(upload))
    finally:
        download.close()


class BlobStream:
    """The body of a response as that of a request; its last chunk is sent only if the digest is right."""

    def __init__(self, source: Response, blob: Descriptor) -> None:
        self._source = source
        self._blob = blob
        self._hash = hashlib.new(blob["digest"].partition(":")[0])
        self._left = blob["size"]
        self._held: bytes | None = None

    async def next(self) -> bytes:
        """Return the next chunk, empty at the end.

        Raises:
            ProtocolViolated: The blob is longer or shorter than announced, or its digest is wrong.
            UploadFailed: The connection that it comes from broke.
        """
        held, self._held = self._held, None
        if held is None:
            held = await self._receive()
        if held:
            self._held = await self._receive()
        return held

    async def close(self) -> None:
        """Do nothing: the owner of the response closes it."""

    async def _receive(self) -> bytes:
        try:
            data = await self._source.receive()
        except ConnectionFailed as error:  # which would mean that the connection of the upload broke
            message = f"blob {self._blob['digest']} cannot be read: {error.message}"
            raise UploadFailed(0, message) from error
        self._hash.update(data)
        self._left -= len(data)
        if self._left < 0 or (self._left and not data):
            size = self._blob["size"]
            problem = "longer" if self._left < 0 else "shorter"
            raise ProtocolViolated(0, f"blob {self._blob['digest']} is {problem} than {size} bytes")
        if not data:
            algorithm = self._blob["digest"].partition(":")[0]
            found = f"{algorithm}:{self._hash.hexdigest()}"
            check_digest(self._blob["digest"], found, "a blob")
        return data
