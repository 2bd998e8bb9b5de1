"""Builds, as data: for the classic builder, for BuildKit, or for whichever of them the client chooses.

A build becomes a `Request` by its `request` method, once the client has what it adds: build arguments of
proxies, and for the classic builder the path of the Dockerfile in the context and credentials of registries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Self, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from dockerproto.arguments import json_text
from dockerproto.buildcontext.dockerfile_spec import DOCKERFILE, DockerfileSpec
from dockerproto.buildcontext.limits import CONTEXT_LIMIT
from dockerproto.buildcontext.plan import BuildContext
from dockerproto.credentials.credentials import Credentials, registry_config
from dockerproto.errors import UnsupportedEngine
from dockerproto.redacted import Redacted, RedactedText, hides_frames
from dockerproto.request.attachments import BuildAttachments
from dockerproto.request.outputs import Image, exporter_of, image_exporter
from dockerproto.request.parameters import Environment, Parameter
from dockerproto.request.request import Request
from dockerproto.request.solve_options import SolveOptions
from dockerproto.sources import AsyncSource
from dockerproto.timeouts import DEFAULT, Pace, TimeoutLike
from dockerproto.versions import OLDEST, Version


class Build(Redacted, frozen=True, kw_only=True):
    """The part of a build that is the same for both builders."""

    _hidden: ClassVar[tuple[str, ...]] = ("body", "buildargs")

    method: ClassVar[str] = "POST"
    path: ClassVar[str] = "/build"
    pace: ClassVar[Pace] = "long"

    query: tuple[Parameter, ...]
    """Query parameters, except the build arguments."""
    body: AsyncSource | BuildContext | None
    """Build context: a tar, or a directory; None: the engine fetches it."""
    buildargs: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    """Build arguments; None leaves the Dockerfile's default alone."""
    auths: Mapping[str, Credentials] = field(default_factory=dict[str, Credentials])
    """Credentials by registry, from the program."""
    timeout: TimeoutLike = DEFAULT
    """Limits from the program."""

    @property
    def differs(self) -> bool:
        """True if Podman wants another form than Docker."""
        return any(each.differs for each in self._parameters())

    def with_defaults(self, buildargs: Mapping[str, str]) -> Self:
        """Return the build with these build arguments too, unless it sets them itself."""
        return replace(self, buildargs={**buildargs, **self.buildargs}) if buildargs else self

    def _parameters(self, *query: Parameter) -> tuple[Parameter, ...]:
        arguments = (_build_args(self.buildargs),) if self.buildargs else ()
        return (*self.query, *query, *arguments)


class ClassicBuild(Build, frozen=True, kw_only=True):
    """A build for the classic builder, to which the context is uploaded."""

    _hidden = ("body", "buildargs", "on_upload")

    headers: tuple[tuple[str, str], ...] = ()
    """Headers of the upload."""
    dockerfile: DockerfileSpec | None = None
    """Dockerfile in the context, for whose registries the client looks up credentials; None: no lookup."""
    on_upload: Callable[[int], None] | None = None
    """Function that is called with the number of bytes sent so far, after each chunk of the context."""

    def with_dockerfile(self, path: str) -> Self:
        """Return the build with the path of the Dockerfile, known when its directory has been looked at."""
        named = () if path == DOCKERFILE else (Parameter("dockerfile", path),)
        spec = None if self.dockerfile is None else replace(self.dockerfile, path=path)
        return replace(self, query=(*self.query, *named), dockerfile=spec)

    def request(self, auths: Mapping[str, Credentials] | None = None) -> Request:
        """Return the request, without its body; by default with no more credentials than the program's."""
        auths = self.auths if auths is None else auths
        config = (("X-Registry-Config", RedactedText(registry_config(auths))),) if auths else ()
        return Request(
            method=self.method,
            path=self.path,
            query=self._parameters(),
            headers=(*self.headers, *config),
            timeout=self.timeout,
            pace="long",
        )


class BuildKitBuild(Build, frozen=True, kw_only=True):
    """A build for BuildKit, which asks for the context and the credentials in a session."""

    attachments: BuildAttachments
    """The other things that the session serves."""
    context_limit: int = CONTEXT_LIMIT
    """Limit on what a tar takes in temporary files, in bytes."""

    def request(self, *session: Parameter) -> Request:
        """Return the request, with parameters that bind it to its session."""
        return Request(
            method=self.method,
            path=self.path,
            query=self._parameters(*session),
            timeout=self.timeout,
            pace="long",
        )

    def for_control(self) -> SolveBuild:
        """Return the same build for BuildKit's Control API.

        Raises:
            UnsupportedEngine: It cannot do the build.
        """
        if any(each.name == "squash" and each.value for each in self.query):
            raise UnsupportedEngine(
                0, "this engine has no POST /session, without which squash is unsupported"
            )
        names = tuple(name for each in self.query if each.name == "t" for _, name in each.pairs(OLDEST))
        outputs = self.attachments.outputs.values()
        exporters = tuple(map(exporter_of, outputs)) or (image_exporter(Image(), names, {}),)
        return SolveBuild(
            query=self.query,
            body=self.body,
            buildargs=self.buildargs,
            auths=self.auths,
            timeout=self.timeout,
            attachments=self.attachments,
            context_limit=self.context_limit,
            options=SolveOptions(argument="builder", exporters=exporters),
        )


class SolveBuild(BuildKitBuild, frozen=True, kw_only=True):
    """A build by BuildKit's Control API, which has options that ``POST /build`` lacks."""

    path: ClassVar[str] = "/grpc"

    options: SolveOptions
    """The options."""

    def pairs(self, version: Version, environment: Environment) -> dict[str, tuple[str, ...]]:
        """Return the values of the parameters by name.

        Raises:
            UnsupportedVersion: The API version does not have a parameter or an option.
        """
        self.options.check_version(version)
        values: dict[str, tuple[str, ...]] = {}
        for name, value in (
            pair for each in self.query for pair in each.pairs(version, environment=environment)
        ):
            values[name] = (*values.get(name, ()), value)
        return values


class EitherBuild(Struct, frozen=True):
    """A build that both builders can do."""

    method: ClassVar[str] = Build.method
    path: ClassVar[str] = Build.path
    pace: ClassVar[Pace] = "long"

    classic: ClassicBuild
    """The build for the classic builder."""
    buildkit: BuildKitBuild
    """The build for BuildKit."""

    @property
    def body(self) -> AsyncSource | BuildContext | None:
        """Build context."""
        return self.classic.body

    @property
    def timeout(self) -> TimeoutLike:
        """Limits from the program."""
        return self.classic.timeout


AnyBuild: TypeAlias = ClassicBuild | BuildKitBuild | EitherBuild
"""A build, as operations describe it."""


@hides_frames
def _build_args(arguments: Mapping[str, str | None]) -> Parameter:
    defined = {name: value for name, value in arguments.items() if value is not None}
    # Podman reads null as an empty value.
    return Parameter("buildargs", json_text(arguments), for_podman=json_text(defined), secret=True)
