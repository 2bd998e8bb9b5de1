"""Builds of one image on several builders, each for its platforms.

Each builder pushes its part, without a tag where it can, and the parts are joined into one index. If one
fails, the others are stopped, as the index needs all parts. A blocking client builds in threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from msgspec import Struct

from dockerproto.daemon_client import DaemonClient
from dockerproto.docker import AnyClient
from dockerproto.errors import DockerError, ProtocolViolated, UnsupportedEngine
from dockerproto.images.build import build
from dockerproto.images.daemon_build import build as build_on_daemon
from dockerproto.messages.models import Descriptor, Message
from dockerproto.messages.results import BuildResult
from dockerproto.operations.operation import Reported
from dockerproto.operations.streams import AsyncProgress
from dockerproto.redacted import hides_frames
from dockerproto.references import Reference
from dockerproto.request.outputs import Image
from dockerproto.transport.runtime import Runtime
from dockerproto.transport.transport import Transport

OnMessage: TypeAlias = Callable[[str, Message], None]
"""Function that gets the first platform of a builder, and a message of its build."""

_OWN: Final = ("output", "outputs", "platform", "platforms", "quiet", "stream", "tag")
"""Arguments of a build that the joined build sets itself."""


class JoinedBuild(Struct, frozen=True):
    """The result of a build on several builders."""

    descriptor: Descriptor
    """Descriptor of the index in the registry."""
    results: Mapping[str, BuildResult]
    """Results of the builds, by platform; platforms of one builder share one."""


def check_arguments(builders: Mapping[str, AnyClient], arguments: Mapping[str, Any]) -> None:
    """Check the arguments of a build on several builders.

    Raises:
        TypeError: A build argument is one that the joined build sets itself, or can be read only once.
        ValueError: The mapping of builders is empty.
    """
    if not builders:
        raise ValueError("builders must have at least one platform")
    if own := [name for name in _OWN if name in arguments]:
        raise TypeError(f"a build on several builders has no argument {own[0]!r}")
    if not isinstance(arguments.get("fileobj"), bytes | None):
        raise TypeError("fileobj must be bytes, as each builder reads it; or use path=")


def check_builders(builds: Sequence[BuilderBuild], transport: Transport) -> None:
    """Raise TypeError for a builder whose client does not run on a transport of this kind."""
    for each in builds:
        client = each.builder.client
        if type(client.transport) is not type(transport):
            message = f"{client!r} is a client of another package than this one, which uses {transport.name}"
            raise TypeError(message)


def plan_builds(
    builders: Mapping[str, AnyClient],
    target: Reference,
    arguments: Mapping[str, Any],
    on_message: OnMessage | None,
) -> list[BuilderBuild]:
    """Return the build of each builder, for all of its platforms."""
    by_client: dict[int, BuilderBuild] = {}
    for platform, builder in builders.items():
        planned = BuilderBuild(builder, target, arguments, on_message)
        by_client.setdefault(id(builder), planned).platforms.append(platform)
    return list(by_client.values())


class BuilderBuild:
    """The build on one builder."""

    def __init__(
        self,
        builder: AnyClient,
        target: Reference,
        arguments: Mapping[str, Any],
        on_message: OnMessage | None,
    ) -> None:
        self.builder: Final = builder
        """The builder."""
        self.platforms: Final[list[str]] = []
        """Platforms to build for."""
        self.result: BuildResult | None = None
        """Result, once it is built."""
        self.reference: str = ""
        """Reference of the pushed image, once it is built."""
        self._target = target
        self._arguments = arguments
        self._on_message = on_message
        self._stream: AsyncProgress[BuildResult] | None = None
        self._stopped = False

    async def run(self) -> None:
        """Build and push; the exception of a failure names the builder."""
        try:
            try:
                await self._push_by_digest()
            except UnsupportedEngine:  # a graph driver pushes tags only
                await self._push_by_tag()
        except DockerError as error:
            where = f"on {self.builder.endpoint.address}, for {', '.join(self.platforms)}"
            error.hint = "; ".join(filter(None, (error.hint, where)))
            raise

    def stop(self) -> None:
        """Stop the build, without waiting for it; one that has not begun will not begin."""
        self._stopped = True
        if self._stream is not None:
            self._stream.abort()

    async def _push_by_digest(self) -> None:
        self.result = await self._build(self._target.name, Image(push=True, by_digest=True))
        if self.result.digest is None:
            raise ProtocolViolated(0, "the builder did not report the digest of the image that it pushed")
        self.reference = f"{self._target.name}@{self.result.digest}"

    async def _push_by_tag(self) -> None:
        platform = self.platforms[0].replace("/", "-")
        self.reference = f"{self._target.name}:{self._target.tag or 'latest'}-{platform}"
        self.result = await self._build(self.reference, Image(push=True))

    async def _build(self, tag: str, image: Image) -> BuildResult:
        operation = self._operation(tag, image)
        self._stream = stream = operation.on_async(self.builder.client, "build")
        if self._stopped:  # by another thread, perhaps before it knew the stream
            stream.abort()
        async with stream:
            async for message in stream:
                if self._on_message is not None:
                    self._on_message(self.platforms[0], message)
        return stream.result

    @hides_frames
    def _operation(self, tag: str, image: Image) -> Reported[BuildResult]:
        """Return the build; its arguments may contain credentials, and tracebacks may show variables."""
        make = build_on_daemon if isinstance(self.builder.client, DaemonClient) else build
        operation: Reported[BuildResult] = make(
            **self._arguments, tag=tag, outputs=image, platforms=self.platforms, stream=True
        )
        return operation


class Together:
    """Builds that run at once, in tasks of an event loop or in threads."""

    def __init__(self, runtime: Runtime, builds: Sequence[BuilderBuild]) -> None:
        self._runtime = runtime
        self._builds = builds
        self._waiting = deque(builds)
        self._ended = runtime.signal()
        self._workers: list[None] = []
        """An item for each worker that has ended; appending is atomic among threads."""
        self._failures: list[Exception] = []

    async def run(self, concurrency: int) -> None:
        """Run them, at most so many at once; raise the first failure, and stop the others then."""
        count = min(concurrency, len(self._builds))
        tasks = [self._runtime.start(self._work()) for _ in range(count)]
        finished = False
        try:
            while len(self._workers) < count and not self._failures:
                await self._ended.wait(None)
            finished = not self._failures
        finally:
            if not finished:
                self._waiting.clear()
                for each in self._builds:
                    each.stop()
                for task in tasks:
                    task.cancel()
            for task in tasks:
                await task.wait()
        if self._failures:
            raise self._failures[0]

    async def _work(self) -> None:
        try:
            while (build := self._next()) is not None:
                await build.run()
        except Exception as error:  # noqa: BLE001  # whatever a callback of the program raises
            self._waiting.clear()
            self._failures.append(error)
        finally:
            self._workers.append(None)
            self._ended.set()

    def _next(self) -> BuilderBuild | None:
        try:
            return self._waiting.popleft()
        except IndexError:
            return None
