"""The services of a session, prepared from a build's attachments before anything is sent."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from typing import BinaryIO, Final

from msgspec import Struct, field
from msgspec.structs import replace

from dockerproto.buildcontext.limits import check_context
from dockerproto.buildcontext.plan import BuildContext
from dockerproto.buildkit.files.receiver import TarReceiver, TreeReceiver, file_send
from dockerproto.buildkit.files.sender import file_sync
from dockerproto.buildkit.rpc.handler import Handler, Services
from dockerproto.buildkit.session.services import auth, health, secrets
from dockerproto.buildkit.session.ssh import ssh
from dockerproto.credentials.credentials import Credentials
from dockerproto.credentials.source import CallCredentials
from dockerproto.endpoint.addresses import UnixSocket
from dockerproto.errors import TimedOut, UploadFailed
from dockerproto.redacted import RedactedBytes, hides_frames
from dockerproto.request.attachments import (
    AGENT_VARIABLE,
    SECRET_LIMIT,
    BuildAttachments,
    Output,
    Secret,
    Tar,
    check_secret,
)
from dockerproto.request.build import BuildKitBuild
from dockerproto.sources import AsyncSource, close_generator
from dockerproto.transport.file_tree import FileTree
from dockerproto.transport.host import FileSystem, Host, OpenFileSystem
from dockerproto.transport.local_work import Closable, LocalWork
from dockerproto.transport.transport import Transport

_AGENT_SECONDS: Final = 5
_TIME_BYTES: Final = 7


class SessionServices(Struct, frozen=True):
    """The services of a session."""

    services: Services
    """Factories of handlers, by method."""
    shared_key: str
    """Key of the build context: of two builds with the same key, the second sends only what changed.

    Changes are detected by size and time, so only the same directory may have the same key.
    """
    dockerfile: str | None = None
    """Path of the Dockerfile, if the directory determines it."""
    in_session: bool = False
    """True if the session serves the build context."""
    resources: tuple[Closable, ...] = ()
    """Resources that are closed with the session."""

    def close(self) -> None:
        """Release all resources."""
        for each in self.resources:
            each.close()


async def prepare_services(
    transport: Transport,
    credentials: CallCredentials,
    build: BuildKitBuild,
    work: LocalWork,
    more: Services,
    *,
    requires_utf8: bool,
) -> SessionServices:
    """Return the services of the session of a build.

    Args:
        transport: Connects to ssh agents, and has the host.
        credentials: Looks up credentials when the engine asks for them.
        build: The build.
        work: Reads the attachments, and counts the time that lookups take.
        more: Services besides those for the attachments.
        requires_utf8: True if the engine rejects names of files that are not UTF-8.

    Raises:
        TimedOut: Reading them took too long.
        UploadFailed: A secret, an ssh agent or the build context is missing or unreadable.
        ValueError: A secret is too long.
    """
    host = transport.need_host("a build with BuildKit")
    services = {**await _attached_services(transport, host, credentials, build, work), **more}
    context = await _open_context(build, work, host)
    named = await _open_named(context, build.attachments.directories, work, host)
    if named.directories:
        services = {**services, **file_sync(named.directories, requires_utf8=requires_utf8)}
    return SessionServices(
        services,
        named.key,
        dockerfile=named.dockerfile,
        in_session=bool(context.directories),
        resources=named.resources,
    )


class _Files(Struct, frozen=True):
    """The files that a session serves."""

    key: str
    """Shared key, which covers every directory: the engine compares files of the same key and name."""
    directories: Mapping[str, FileSystem] = field(default_factory=dict[str, FileSystem])
    dockerfile: str | None = None
    resources: tuple[Closable, ...] = ()

    def with_directory(self, name: str, directory: OpenFileSystem) -> _Files:
        directories, resources = {**self.directories, name: directory}, (*self.resources, directory)
        return replace(self, directories=directories, resources=resources)

    def close(self) -> None:
        for each in self.resources:
            each.close()


async def _open_context(build: BuildKitBuild, work: LocalWork, host: Host) -> _Files:
    body = build.body
    if isinstance(body, BuildContext):
        return await _open_directory(body, work, host)
    if body is None:
        return _Files(host.unique())
    archive, resources = await _open_archive(body, build.context_limit, work, host)
    return _Files(host.unique(), {"context": archive, "dockerfile": archive}, resources=resources)


async def _open_named(context: _Files, directories: Mapping[str, str], work: LocalWork, host: Host) -> _Files:
    """Return the files of the context with those of named directories; if that fails, close all."""
    files = context
    try:
        for name, path in directories.items():
            with _read_errors(f"the build context {name!r}"):
                directory = await work.open(partial(host.directory, path))
            files = files.with_directory(name, directory)
            identity = await work.in_thread(partial(host.identity, path))
            files = replace(files, key=sha256(f"{files.key} {name} {identity}".encode()).hexdigest())
    except BaseException:
        files.close()
        raise
    return files


async def _attached_services(
    transport: Transport, host: Host, credentials: CallCredentials, build: BuildKitBuild, work: LocalWork
) -> Services:
    attachments = build.attachments
    values = {name: await _read_secret(name, each, work, host) for name, each in attachments.secrets.items()}
    sockets = {
        name: await _check_agent(name, path, transport, work) for name, path in attachments.ssh.items()
    }
    find = _caching(credentials, build.auths, work)
    return {
        **health(),
        **({} if attachments.anonymous else auth(find, _key(host))),
        **secrets({name: value for name, value in values.items() if value is not None}),
        **(ssh(sockets, transport) if sockets else {}),
        **_outputs(attachments, host),
    }


def _caching(
    credentials: CallCredentials, auths: Mapping[str, Credentials], work: LocalWork
) -> Callable[[str], Awaitable[Credentials | None]]:
    """Return a lookup that remembers its results, and starts with the credentials of the program."""
    cache: dict[str, Credentials | None] = {**auths}

    async def find(registry: str) -> Credentials | None:
        if registry not in cache:  # engines ask several times
            cache[registry] = await credentials.find(registry, work)
        return cache[registry]

    return find


def _key(host: Host) -> bytes:
    return sha256(host.unique().encode()).digest()


def _outputs(attachments: BuildAttachments, host: Host) -> Services:
    receivers = {number: partial(_receive, each, host) for number, each in attachments.outputs.items()}
    return file_send(receivers) if receivers else {}


def _receive(output: Output, host: Host) -> Handler:
    if isinstance(output, Tar):
        return TarReceiver(partial(host.output_file, os.fspath(output.path)))
    return TreeReceiver(host.output_directory(os.fspath(output)))


async def _open_directory(context: BuildContext, work: LocalWork, host: Host) -> _Files:
    """Return the files of a directory as the context; the engine itself reads the ignore file."""
    source = await work.in_thread(partial(host.open_context, context, work.time_left))
    path, plan = context.directory, source.plan
    directory = None if path is None else await work.open(partial(host.directory, path))
    files: FileSystem = directory or FileTree()
    # Added files replace a Dockerfile that is outside the directory.
    added = {entry.path: content for entry, content in plan.generated}
    dockerfile = FileTree.of(added, mtime=_time_of(added)) if added else files
    return _Files(
        host.unique() if path is None else await work.in_thread(partial(host.identity, path)),
        {"context": files, "dockerfile": dockerfile},
        dockerfile=plan.dockerfile,
        resources=() if directory is None else (directory,),
    )


def _time_of(files: Mapping[str, bytes]) -> int:
    """Return a modification time that depends on the contents, as the engine detects changes by it."""
    digest = sha256(b"".join(sha256(content).digest() for content in files.values()))
    return int.from_bytes(digest.digest()[:_TIME_BYTES])


async def _open_archive(
    source: AsyncSource, limit: int, work: LocalWork, host: Host
) -> tuple[OpenFileSystem, tuple[Closable, ...]]:
    """Return the files in a tar, and the resources to close afterwards."""
    if not isinstance(source, AsyncIterable):
        archive = await work.open(partial(host.tar, source, limit, work.time_left))
        return archive, (archive,)
    # The engine asks for members in any order, so the whole tar is spooled.
    with _read_errors("the build context"):
        spool = await work.open(host.spool)
    chunks = aiter(source)
    try:
        await work.wait(partial(_copy, chunks, limit, spool, work))
        archive = await work.open(partial(host.tar, spool, limit, work.time_left))
    except BaseException:
        spool.close()
        await close_generator(chunks)
        raise
    return archive, (archive, spool)


async def _copy(chunks: AsyncIterator[bytes], limit: int, spool: BinaryIO, work: LocalWork) -> None:
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        check_context(size, limit)
        with _read_errors("the build context"):
            await work.in_thread(partial(spool.write, chunk))
    spool.seek(0)


async def _read_secret(name: str, secret: Secret, work: LocalWork, host: Host) -> bytes | None:
    if secret.variable is not None:
        return _read_variable(name, secret.variable, host)
    if secret.path is not None:
        with _read_errors(f"secret {name!r}"):
            read = partial(host.read, secret.path, SECRET_LIMIT + 1, work.time_left)
            return check_secret(name, await work.in_thread(read))
    return None if secret.value is None else RedactedBytes(secret.value)


@hides_frames
def _read_variable(name: str, variable: str, host: Host) -> bytes | None:
    value = host.variable(variable)
    return None if value is None else check_secret(name, value.encode(errors="surrogateescape"))


async def _check_agent(name: str, path: str | None, transport: Transport, work: LocalWork) -> str:
    """Return the socket path of an ssh agent; raise UploadFailed unless the agent accepts connections."""
    path = path or transport.variable(AGENT_VARIABLE)
    if not path:
        raise UploadFailed(0, f"ssh agent {name!r}: {AGENT_VARIABLE} is not set")
    left = work.time_left()
    limit = _AGENT_SECONDS if left is None else min(left, _AGENT_SECONDS)
    try:
        stream = await transport.connect(UnixSocket(path), limit)
    except OSError as error:
        work.time_left()
        raise UploadFailed(0, f"cannot connect to ssh agent {name!r} at {path}: {error}") from error
    stream.close()
    return path


@contextmanager
def _read_errors(attachment: str) -> Generator[None]:
    """Convert the errors of reading an attachment."""
    try:
        yield
    except TimedOut:  # which is an OSError
        raise
    except OSError as error:
        raise UploadFailed(0, f"cannot read {attachment}: {error}") from error
