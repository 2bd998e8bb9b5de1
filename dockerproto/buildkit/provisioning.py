"""What a build offers, made ready to be served: what has to be read for it is read before all else."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from functools import partial
from hashlib import sha256
from typing import Final, Protocol, TypeVar

from msgspec import Struct

from dockerproto.buildcontext.plan import BuildContext
from dockerproto.buildkit.handler import Handler, HandlerFactory, Services
from dockerproto.buildkit.receiver import TarReceiver, TreeReceiver, file_send
from dockerproto.buildkit.sender import file_sync
from dockerproto.buildkit.services import auth, health, secrets
from dockerproto.buildkit.ssh import ssh
from dockerproto.client import Client
from dockerproto.credentials.credentials import Credentials
from dockerproto.endpoint.addresses import UnixSocket
from dockerproto.errors import UploadFailed
from dockerproto.request.attachments import (
    AGENT_VARIABLE,
    SECRET_LIMIT,
    BuildAttachments,
    Secret,
    Tar,
    check_secret,
)
from dockerproto.request.request import Request
from dockerproto.sources import AsyncSource
from dockerproto.transport.file_tree import FileTree
from dockerproto.transport.host import FileSystem, Host, TarFileSystem
from dockerproto.transport.runtime import Runtime
from dockerproto.transport.transport import Transport

T = TypeVar("T")

_AGENT_SECONDS: Final = 5
_TIME_BYTES: Final = 7


class Closable(Protocol):
    """What holds something until it is closed."""

    def close(self) -> None:
        """Let go of it."""


class SessionServices(Struct, frozen=True):
    """What is served in a session."""

    services: Services
    """The services."""
    shared_key: str
    """What stands for the context: of two builds that have it in common, the second sends what changed.

    What changed is told by size and time, so nothing that is not the same directory may have the same key.
    """
    dockerfile: str | None = None
    """The path of the Dockerfile, if the context has told it."""
    in_session: bool = False
    """Whether the context is in the session."""
    opened: tuple[Closable, ...] = ()
    """What is to be closed afterwards."""

    def close(self) -> None:
        """Let go of what was opened."""
        for each in self.opened:
            each.close()


async def prepare_services(client: Client, request: Request, offer: BuildAttachments) -> SessionServices:
    """Return what is served in the session of a build.

    Raises:
        UploadFailed: A secret, an ssh agent, or the context cannot be had.
        ValueError: A secret is too long.
    """
    network = client.network
    host = network.need_host("a build with BuildKit")
    values = {name: await _secret(name, secret, network) for name, secret in offer.secrets.items()}
    sockets = {name: await _socket(name, path, network) for name, path in offer.ssh.items()}
    services: dict[str, HandlerFactory] = {
        **health(),
        **({} if offer.anonymous else auth(_finder(client, request.auths), _key(host))),
        **secrets({name: value for name, value in values.items() if value is not None}),
        **(ssh(sockets, network) if sockets else {}),
        **_output(offer, host),
    }
    if request.context is not None:
        return await _with_directory(services, request.context, network, host)
    if request.body is None:
        return SessionServices(services, host.unique())
    archive, opened = await _archive(request.body, network, host)
    services.update(file_sync({"context": archive, "dockerfile": archive}))
    return SessionServices(services, host.unique(), opened=opened, in_session=True)


def _finder(
    client: Client, given: Mapping[str, Credentials]
) -> Callable[[str], Awaitable[Credentials | None]]:
    found: dict[str, Credentials | None] = {**given}

    async def find(registry: str) -> Credentials | None:
        if registry not in found:  # engines ask several times
            found[registry] = await client.credentials.find(registry)
        return found[registry]

    return find


def _key(host: Host) -> bytes:
    return sha256(host.unique().encode()).digest()


def _output(offer: BuildAttachments, host: Host) -> Services:
    output = offer.output
    if output is None:
        return {}

    def receive() -> Handler:
        if isinstance(output, Tar):
            return TarReceiver(partial(host.output_file, os.fspath(output.path)))
        return TreeReceiver(host.output_directory(os.fspath(output)))

    return file_send(receive)


async def _with_directory(
    services: Services, context: BuildContext, network: Runtime, host: Host
) -> SessionServices:
    """Return what is served with a directory as the context; the engine reads its ignore file itself."""
    source = await network.in_thread(partial(host.open_context, context))
    path, plan = context.directory, source.plan
    files: FileSystem = FileTree() if path is None else host.directory(path)
    # The Dockerfile is elsewhere, if it has to be added.
    added = {entry.path: content for entry, content in plan.generated}
    dockerfile = FileTree.of(added, mtime=_time_of(added)) if added else files
    return SessionServices(
        {**services, **file_sync({"context": files, "dockerfile": dockerfile})},
        host.unique() if path is None else await network.in_thread(partial(host.identity, path)),
        dockerfile=plan.dockerfile,
        in_session=True,
    )


def _time_of(files: Mapping[str, bytes]) -> int:
    """Return a time that is another one if the contents are: the engine tells changes by it."""
    digest = sha256(b"".join(sha256(content).digest() for content in files.values()))
    return int.from_bytes(digest.digest()[:_TIME_BYTES])


async def _archive(
    source: AsyncSource, network: Runtime, host: Host
) -> tuple[TarFileSystem, tuple[Closable, ...]]:
    """Return the files in a tar, and what is to be closed afterwards."""
    if not isinstance(source, AsyncIterable):
        archive = await network.in_thread(partial(host.tar, source))
        return archive, (archive,)
    # Members are asked for in any order, so all of it has to be there.
    spool = await _reading(network, "the context", host.spool)
    try:
        async for piece in source:
            await _reading(network, "the context", partial(spool.write, piece))
        spool.seek(0)
        archive = await network.in_thread(partial(host.tar, spool))
    except BaseException:
        spool.close()
        raise
    return archive, (archive, spool)


async def _secret(name: str, secret: Secret, network: Transport) -> bytes | None:
    if secret.variable is not None:
        found = network.variable(secret.variable)
        return None if found is None else check_secret(name, found.encode(errors="surrogateescape"))
    if secret.path is not None:
        read = partial(network.need_host("a secret in a file").read, secret.path, SECRET_LIMIT + 1)
        return check_secret(name, await _reading(network, f"secret {name!r}", read))
    return secret.value


async def _socket(name: str, path: str | None, network: Transport) -> str:
    """Return the path of an agent's socket, after a look whether somebody listens there."""
    path = path or network.variable(AGENT_VARIABLE)
    if not path:
        raise UploadFailed(0, f"ssh agent {name!r}: {AGENT_VARIABLE} is not set")
    try:
        stream = await network.connect(UnixSocket(path), _AGENT_SECONDS)
    except OSError as error:
        raise UploadFailed(0, f"ssh agent {name!r} at {path} does not answer: {error}") from error
    stream.close()
    return path


async def _reading(network: Runtime, what: str, function: Callable[[], T]) -> T:
    """Call in a worker thread what reads something that is offered."""
    try:
        return await network.in_thread(function)
    except OSError as error:
        raise UploadFailed(0, f"{what} cannot be read: {error}") from error
