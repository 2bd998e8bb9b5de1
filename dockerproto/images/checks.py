"""Ask about a Dockerfile without building it: what is wrong with it, what it takes, what its targets are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from os import PathLike
from typing import Final, TypeVar

from dockerproto.buildcontext.dockerfile_spec import DOCKERFILE
from dockerproto.buildcontext.plan import parse_context
from dockerproto.credentials.credentials import AuthsLike
from dockerproto.images.build_parameters import (
    attach,
    body_of,
    build_arguments,
    dockerfile_path,
    flags_of,
    remote_url,
    with_auths,
)
from dockerproto.images.builders import for_builder
from dockerproto.messages.check_results import CheckResult, Outline, TargetSummary
from dockerproto.messages.decoding import BuildMessages
from dockerproto.messages.subrequests import SubrequestReducer, parse_check, parse_outline, parse_targets
from dockerproto.operations.operation import Call
from dockerproto.operations.replies import reduced
from dockerproto.redacted import Redacted
from dockerproto.request.attachments import BuildAttachments, SecretLike
from dockerproto.request.build import ClassicBuild
from dockerproto.request.named_contexts import CAPABILITY, NamedContext, NamedContexts, read_contexts
from dockerproto.request.parameters import default_platform, text
from dockerproto.request.solve_options import Requirement, SolveOptions, layout_requirements
from dockerproto.sources import AsyncSource
from dockerproto.timeouts import DEFAULT, TimeoutLike
from dockerproto.versions import Version

R = TypeVar("R")

_SINCE: Final = Version(1, 43)
"""API version of Docker 24, whose BuildKit 0.11 introduced the questions; older engines would build."""

_CAPABILITY: Final = "moby.buildkit.frontend.subrequests+forward"
"""Capability of the frontend without which it would build; one that lacks it fails."""


def check(
    *,
    remote: str | None = None,
    fileobj: AsyncSource | None = None,
    path: str | PathLike[str] | None = None,
    dockerfile: str | bytes | None = None,
    path_dockerfile: str | PathLike[str] | None = None,
    buildargs: Mapping[str, str | None] | None = None,
    pull: bool = False,
    platform: str | None = None,
    timeout: TimeoutLike = DEFAULT,
    target: str | None = None,
    auth: AuthsLike | None = None,
    secrets: Mapping[str, SecretLike] | None = None,
    ssh: Mapping[str, str | PathLike[str] | None] | None = None,
    contexts: Mapping[str, NamedContext] | None = None,
) -> Call[CheckResult]:
    """Check a Dockerfile by the rules of BuildKit, without building it.

    Give exactly one of `path`, `fileobj` and `remote`, or `dockerfile` alone. Needs BuildKit. Since API 1.46;
    since API 1.43 if the Dockerfile begins with ``# syntax=docker/dockerfile:1``.

    Args:
        remote: A git or http(s) URL that the engine fetches: a repository, a tar or a Dockerfile.
        fileobj: A tar with the build context, of any form that `build` accepts.
        path: A directory, of which BuildKit requests the Dockerfile and the ignore file.
        dockerfile: The text of the Dockerfile, for `path`, or for a build without other files.
        path_dockerfile: Path of the Dockerfile in the build context; ``Dockerfile`` by default. With `path`
            it may also be outside the directory.
        buildargs: Build arguments; ``BUILDKIT_DOCKERFILE_CHECK`` configures the check.
        pull: Look for newer base images.
        platform: ``os[/arch[/variant]]``; by default ``$DOCKER_DEFAULT_PLATFORM``.
        timeout: Limits of this call; unlimited by default.
        target: The stage to check, with those that it needs; all stages by default.
        auth: Credentials by registry, see `read_auth`. The client looks up those of other registries when the
            engine asks for them. With `ANONYMOUS` no credentials are sent.
        secrets: Secrets by mount id, of any form that `build` accepts; a private repository needs one.
        ssh: Socket paths of ssh agents by mount id, as for `build`; a private repository may need one.
        contexts: Named contexts, as for `build`.

    Raises:
        BadRequest: The build context is malformed.
        DockerStreamError: The check failed; ``step`` has the step.
        InvalidPattern: The ignore file has a malformed pattern.
        ProtocolViolated: The engine's reply is malformed.
        UnsupportedEngine: The engine is Podman, or its BuildKit has no checks.
        UnsupportedVersion: The engine is too old.
        UploadFailed: The Dockerfile, a secret or an ssh agent is unavailable.
        ValueError: None or several of `path`, `fileobj` and `remote` are given, or an argument that does
            not apply to them.

    Documented at https://docs.docker.com/build/checks/.
    """
    given = _Arguments(
        *(remote, fileobj, path, dockerfile, path_dockerfile, buildargs, pull, platform, timeout, target),
        *(auth, secrets, ssh, contexts),
    )
    return _ask("frontend.lint", "images.check()", parse_check, given)


def outline(
    *,
    remote: str | None = None,
    fileobj: AsyncSource | None = None,
    path: str | PathLike[str] | None = None,
    dockerfile: str | bytes | None = None,
    path_dockerfile: str | PathLike[str] | None = None,
    buildargs: Mapping[str, str | None] | None = None,
    pull: bool = False,
    platform: str | None = None,
    timeout: TimeoutLike = DEFAULT,
    target: str | None = None,
    auth: AuthsLike | None = None,
    secrets: Mapping[str, SecretLike] | None = None,
    ssh: Mapping[str, str | PathLike[str] | None] | None = None,
    contexts: Mapping[str, NamedContext] | None = None,
) -> Call[Outline]:
    """Return what a target of a Dockerfile takes: its arguments, secrets and ssh agents.

    Nothing is built. Give exactly one of `path`, `fileobj` and `remote`, or `dockerfile` alone. Needs
    BuildKit. Since API 1.43.

    Args:
        remote: A git or http(s) URL that the engine fetches: a repository, a tar or a Dockerfile.
        fileobj: A tar with the build context, of any form that `build` accepts.
        path: A directory, of which BuildKit requests the Dockerfile and the ignore file.
        dockerfile: The text of the Dockerfile, for `path`, or for a build without other files.
        path_dockerfile: Path of the Dockerfile in the build context; ``Dockerfile`` by default. With `path`
            it may also be outside the directory.
        buildargs: Build arguments, whose values the outline has.
        pull: Look for newer base images.
        platform: ``os[/arch[/variant]]``; by default ``$DOCKER_DEFAULT_PLATFORM``.
        timeout: Limits of this call; unlimited by default.
        target: The stage, the last by default.
        auth: Credentials by registry, see `read_auth`. The client looks up those of other registries when the
            engine asks for them. With `ANONYMOUS` no credentials are sent.
        secrets: Secrets by mount id, of any form that `build` accepts; a private repository needs one.
        ssh: Socket paths of ssh agents by mount id, as for `build`; a private repository may need one.
        contexts: Named contexts, as for `build`.

    Raises:
        BadRequest: The build context is malformed.
        DockerStreamError: The Dockerfile cannot be built, or has no such target; ``step`` has the step.
        InvalidPattern: The ignore file has a malformed pattern.
        ProtocolViolated: The engine's reply is malformed.
        UnsupportedEngine: The engine is Podman, or its BuildKit has no outlines.
        UnsupportedVersion: The engine is too old.
        UploadFailed: The Dockerfile, a secret or an ssh agent is unavailable.
        ValueError: None or several of `path`, `fileobj` and `remote` are given, or an argument that does
            not apply to them.

    Documented at https://docs.docker.com/reference/cli/docker/buildx/build/#call-outline.
    """
    given = _Arguments(
        *(remote, fileobj, path, dockerfile, path_dockerfile, buildargs, pull, platform, timeout, target),
        *(auth, secrets, ssh, contexts),
    )
    return _ask("frontend.outline", "images.outline()", parse_outline, given)


def targets(
    *,
    remote: str | None = None,
    fileobj: AsyncSource | None = None,
    path: str | PathLike[str] | None = None,
    dockerfile: str | bytes | None = None,
    path_dockerfile: str | PathLike[str] | None = None,
    buildargs: Mapping[str, str | None] | None = None,
    pull: bool = False,
    platform: str | None = None,
    timeout: TimeoutLike = DEFAULT,
    auth: AuthsLike | None = None,
    secrets: Mapping[str, SecretLike] | None = None,
    ssh: Mapping[str, str | PathLike[str] | None] | None = None,
    contexts: Mapping[str, NamedContext] | None = None,
) -> Call[list[TargetSummary]]:
    """List the targets of a Dockerfile, in its order, without building any.

    Give exactly one of `path`, `fileobj` and `remote`, or `dockerfile` alone. Needs BuildKit. Since API 1.43.

    Args:
        remote: A git or http(s) URL that the engine fetches: a repository, a tar or a Dockerfile.
        fileobj: A tar with the build context, of any form that `build` accepts.
        path: A directory, of which BuildKit requests the Dockerfile and the ignore file.
        dockerfile: The text of the Dockerfile, for `path`, or for a build without other files.
        path_dockerfile: Path of the Dockerfile in the build context; ``Dockerfile`` by default. With `path`
            it may also be outside the directory.
        buildargs: Build arguments, which names of base images may contain.
        pull: Look for newer base images.
        platform: ``os[/arch[/variant]]``; by default ``$DOCKER_DEFAULT_PLATFORM``.
        timeout: Limits of this call; unlimited by default.
        auth: Credentials by registry, see `read_auth`. The client looks up those of other registries when the
            engine asks for them. With `ANONYMOUS` no credentials are sent.
        secrets: Secrets by mount id, of any form that `build` accepts; a private repository needs one.
        ssh: Socket paths of ssh agents by mount id, as for `build`; a private repository may need one.
        contexts: Named contexts, as for `build`.

    Raises:
        BadRequest: The build context is malformed.
        DockerStreamError: The Dockerfile cannot be read; ``step`` has the step.
        InvalidPattern: The ignore file has a malformed pattern.
        ProtocolViolated: The engine's reply is malformed.
        UnsupportedEngine: The engine is Podman, or its BuildKit cannot list targets.
        UnsupportedVersion: The engine is too old.
        UploadFailed: The Dockerfile, a secret or an ssh agent is unavailable.
        ValueError: None or several of `path`, `fileobj` and `remote` are given, or an argument that does
            not apply to them.

    Documented at https://docs.docker.com/reference/cli/docker/buildx/build/#call-targets.
    """
    given = _Arguments(
        *(remote, fileobj, path, dockerfile, path_dockerfile, buildargs, pull, platform, timeout, None),
        *(auth, secrets, ssh, contexts),
    )
    return _ask("frontend.targets", "images.targets()", parse_targets, given)


class _Arguments(Redacted, frozen=True):
    """Arguments of a question, as the program gave them."""

    _hidden = ("remote", "fileobj", "dockerfile", "buildargs", "auth", "secrets")

    remote: str | None
    fileobj: AsyncSource | None
    path: str | PathLike[str] | None
    dockerfile: str | bytes | None
    path_dockerfile: str | PathLike[str] | None
    buildargs: Mapping[str, str | None] | None
    pull: bool
    platform: str | None
    timeout: TimeoutLike
    target: str | None
    auth: AuthsLike | None
    secrets: Mapping[str, SecretLike] | None
    ssh: Mapping[str, str | PathLike[str] | None] | None
    contexts: Mapping[str, NamedContext] | None


def _ask(subrequest: str, argument: str, parse: Callable[[bytes], R], given: _Arguments) -> Call[R]:
    """Return the operation that asks a frontend; errors name it by `argument`."""
    context = parse_context(given.path, given.dockerfile, given.path_dockerfile, None)
    body = body_of(given.path, given.fileobj, given.remote, context)
    query = (
        remote_url(given.remote),
        dockerfile_path(body, given.path_dockerfile),
        *flags_of(pull=given.pull),
        default_platform(given.platform),
        text("target", given.target),
    )
    classic = ClassicBuild(
        query=query, body=body, buildargs=build_arguments(given.buildargs), timeout=given.timeout
    )
    classic = with_auths(classic, given.auth, given.path_dockerfile or DOCKERFILE)
    named = read_contexts(given.contexts)
    attachments = BuildAttachments(directories=named.directories)
    request = for_builder(
        "buildkit",
        classic,
        attach(attachments, given.secrets, given.ssh, given.auth),
        _options(named, subrequest, argument),
    )
    return reduced(request, partial(SubrequestReducer, parse), BuildMessages)


def _options(named: NamedContexts, subrequest: str, argument: str) -> SolveOptions:
    capabilities = (CAPABILITY, _CAPABILITY) if named.given else (_CAPABILITY,)
    return SolveOptions(
        argument=argument,
        exporters=(),
        attributes={
            **named.attributes,
            "frontend.caps": ",".join(capabilities),
            "requestid": subrequest,
        },
        context_layouts=named.layouts,
        requirements=(Requirement(argument, _SINCE), *layout_requirements(named)),
        subrequest=True,
    )
