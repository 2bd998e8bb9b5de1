"""The directories with an OCI layout that a build by the Control API reads or writes.

Before the build, the digests of the manifests that the engine is to read are looked up; during the build, the
session serves the directories as content stores; after it, a manifest that the engine wrote gets its tag.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from msgspec import Struct

from dockerproto.buildkit.content.index import (
    DEFAULT_TAG,
    StoredManifest,
    find_manifest,
    read_manifest,
    with_manifest,
)
from dockerproto.buildkit.content.service import ContentStore, content
from dockerproto.buildkit.rpc.handler import Services
from dockerproto.errors import OutputFailed, UploadFailed
from dockerproto.http.log import LOG
from dockerproto.messages.exported import metadata_of
from dockerproto.request.layouts import LayoutReference
from dockerproto.request.solve_options import SolveOptions
from dockerproto.transport.host import Host, LayoutDirectory
from dockerproto.transport.local_work import LocalWork

_MANIFEST: Final = "cache.manifest"
"""Key of the result that has the descriptor of the exported cache."""


class Layouts(Struct, frozen=True):
    """The directories of one build."""

    options: SolveOptions
    """Options of the build, with the digests."""
    directories: Mapping[LayoutReference, LayoutDirectory]
    """Directories that exist."""
    work: LocalWork
    """Work of the call."""

    @property
    def services(self) -> Services:
        """Services of the session for them."""
        stores = {
            each.store: ContentStore(directory, writable=each.writable)
            for each, directory in self.directories.items()
        }
        return content(stores) if stores else {}

    async def finish(self, exported: Mapping[str, str]) -> None:
        """Give the manifest of the cache that the engine has written its tags.

        An engine that had nothing to write reports no manifest.

        Raises:
            OutputFailed: It was not written, or ``index.json`` cannot be.
            TimedOut: The time of the call is over.
        """
        descriptor = metadata_of(exported).get(_MANIFEST)
        for reference, directory in self.directories.items():
            if reference.writable and descriptor is not None:
                await self.work.in_thread(partial(_tag, reference, directory, descriptor))


async def open_layouts(options: SolveOptions, host: Host, work: LocalWork) -> Layouts:
    """Return the directories of a build.

    A cache to read that does not exist is left out, as it is for the Docker CLI.

    Raises:
        OutputFailed: A directory to write cannot be created.
        TimedOut: The time of the call is over.
        UploadFailed: A directory cannot be read; an image does not exist.
    """
    directories = dict[LayoutReference, LayoutDirectory]()
    digests = dict[str, str]()
    required = set(options.context_layouts.values())
    for each in options.layouts:
        found = await work.in_thread(partial(_open, each, host, required=each in required))
        if found is None:
            LOG.debug("no cache in %s", each.path)
        else:
            directories[each], digests[each.store] = found
    return Layouts(options.with_digests(digests), directories, work)


def _open(reference: LayoutReference, host: Host, *, required: bool) -> tuple[LayoutDirectory, str] | None:
    """Return a directory and the digest of the manifest, which is empty in one to write.

    None: it does not exist, and is not required.
    """
    try:
        directory = host.layout(reference.path, create=reference.writable)
        digest = "" if reference.writable else _find(reference, directory)
    except (OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError) and not required:
            return None
        kind = OutputFailed if reference.writable else UploadFailed
        raise kind(0, f"cannot use the OCI layout in {reference.path}: {error}") from error
    if digest is None and required:
        missing = f"the digest {reference.digest}" if reference.digest else f"the tag {_tag_of(reference)}"
        raise UploadFailed(0, f"the OCI layout in {reference.path} has no image with {missing}")
    return None if digest is None else (directory, digest)


def _find(reference: LayoutReference, directory: LayoutDirectory) -> str | None:
    if reference.digest is not None:
        return None if directory.size(reference.digest) is None else reference.digest
    index = directory.read_index()
    return None if index is None else find_manifest(index, reference.tag)


def _tag_of(reference: LayoutReference) -> str:
    return reference.tag or DEFAULT_TAG


def _tag(reference: LayoutReference, directory: LayoutDirectory, descriptor: object) -> None:
    try:
        manifest = read_manifest(descriptor)
        _check_written(directory, manifest)
        directory.update_index(lambda index: with_manifest(index, manifest, _tag_of(reference)))
    except (OSError, ValueError) as error:
        message = f"the build succeeded, but its cache cannot be added to the index of {reference.path}"
        raise OutputFailed(0, f"{message}: {error}") from error


def _check_written(directory: LayoutDirectory, manifest: StoredManifest) -> None:
    if directory.size(manifest.digest) != manifest.size:
        raise ValueError(f"the engine has not written {manifest.digest}")
