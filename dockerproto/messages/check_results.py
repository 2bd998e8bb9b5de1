"""The results of the questions to a Dockerfile frontend: check, outline, targets."""

from __future__ import annotations

from msgspec import Struct


class SourceLines(Struct, frozen=True):
    """Consecutive lines of a Dockerfile."""

    first: int
    """Number of the first line; the Dockerfile begins with 1."""
    last: int
    """Number of the last line."""
    lines: tuple[str, ...] = ()
    """The lines, without line ends; empty if the engine does not send the Dockerfile."""


class SourceFile(Struct, frozen=True):
    """A Dockerfile."""

    filename: str
    """Path in the build context; that of a Dockerfile that was given as text is generated."""
    text: str
    """Content."""


class CheckWarning(Struct, frozen=True):
    """A warning of a check: a rule that the Dockerfile breaks."""

    rule: str
    """Name of the rule, such as ``StageNameCasing``."""
    description: str = ""
    """Description of the rule."""
    text: str = ""
    """Message about this breach of it."""
    url: str | None = None
    """URL of an explanation."""
    filename: str | None = None
    """The Dockerfile that it is about."""
    ranges: tuple[SourceLines, ...] = ()
    """The lines that it is about."""


class CheckFailure(Struct, frozen=True):
    """The reason why a Dockerfile cannot be built."""

    message: str
    """Message of the builder."""
    filename: str | None = None
    """The Dockerfile."""
    ranges: tuple[SourceLines, ...] = ()
    """The lines that it is about."""


class CheckResult(Struct, frozen=True):
    """The result of a check of a Dockerfile."""

    warnings: tuple[CheckWarning, ...] = ()
    """Warnings, in the order of the Dockerfile."""
    failure: CheckFailure | None = None
    """The reason why the Dockerfile cannot be built; None if the check found none."""
    sources: tuple[SourceFile, ...] = ()
    """The Dockerfiles that were checked."""

    @property
    def ok(self) -> bool:
        """True if there is neither a warning nor a failure."""
        return not self.warnings and self.failure is None


class OutlineArg(Struct, frozen=True):
    """A build argument that a target uses."""

    name: str
    """Name."""
    description: str = ""
    """Comment above its ``ARG``, without the name that it begins with."""
    value: str | None = None
    """Value: that of the build, or else the default; None if it has neither."""
    ranges: tuple[SourceLines, ...] = ()
    """Its ``ARG``."""


class OutlineMount(Struct, frozen=True):
    """A secret or an ssh agent that a target mounts."""

    name: str
    """Mount id."""
    required: bool = False
    """True if the build fails without it."""
    ranges: tuple[SourceLines, ...] = ()
    """The step that mounts it."""


class Outline(Struct, frozen=True):
    """The inputs that a target of a Dockerfile declares."""

    name: str | None = None
    """Name of the target; None if its stage has none."""
    description: str = ""
    """Comment above its ``FROM``, without the name that it begins with."""
    args: tuple[OutlineArg, ...] = ()
    """Build arguments."""
    secrets: tuple[OutlineMount, ...] = ()
    """Secrets."""
    ssh: tuple[OutlineMount, ...] = ()
    """SSH agents."""
    sources: tuple[str, ...] = ()
    """Content of the Dockerfile."""


class TargetSummary(Struct, frozen=True):
    """A target of a Dockerfile: a stage that can be built."""

    name: str | None = None
    """Name; None if the stage has none."""
    description: str = ""
    """Comment above its ``FROM``, without the name that it begins with."""
    default: bool = False
    """True if it is built unless another target is requested."""
    base: str = ""
    """Name of its base image."""
    platform: str | None = None
    """Platform of its ``FROM``; None if that names none."""
    ranges: tuple[SourceLines, ...] = ()
    """Its ``FROM``."""
