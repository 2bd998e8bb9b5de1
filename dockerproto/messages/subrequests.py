"""Replies of a Dockerfile frontend to the questions check, outline and targets: JSON of an engine, validated.

Each question is a subrequest; the forms of the replies are documented at
https://github.com/moby/buildkit/tree/master/frontend/subrequests.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Final, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct

from dockerproto.errors import DockerError, ProtocolViolated
from dockerproto.messages.check_results import (
    CheckFailure,
    CheckResult,
    CheckWarning,
    Outline,
    OutlineArg,
    OutlineMount,
    SourceFile,
    SourceLines,
    TargetSummary,
)
from dockerproto.messages.failed_step import FailedStepFinder
from dockerproto.messages.models import Message
from dockerproto.messages.trace import StatusResponse
from dockerproto.messages.values import text_of

R = TypeVar("R")
T = TypeVar("T")

SUBREQUEST: Final = "dockerproto.subrequest"
"""The ``id`` of a message whose ``aux`` is the reply of a frontend, as JSON in base64."""
MAX_LINES: Final = 250_000
"""Limit on the lines of Dockerfiles in one result: many warnings may be about the same lines."""
_Line = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class _Position(Struct):
    line: _Line = 0


class _Range(Struct):
    start: _Position | None = None
    end: _Position | None = None


class _Location(Struct, rename="camel"):
    source_index: int = 0
    ranges: list[_Range] | None = None


class _Source(Struct):
    filename: str = ""
    data: bytes | None = None


class _Warning(Struct, rename="camel"):
    rule_name: str
    description: str = ""
    url: str = ""
    detail: str = ""
    location: _Location | None = None


class _BuildError(Struct):
    message: str
    location: _Location | None = None


class _Lint(Struct, rename="camel"):
    warnings: list[_Warning] | None = None
    sources: list[_Source] | None = None
    build_error: _BuildError | None = None


class _Arg(Struct):
    name: str
    description: str = ""
    value: str | None = None
    location: _Location | None = None


class _Mount(Struct):
    name: str
    required: bool = False
    location: _Location | None = None


class _Outline(Struct):
    name: str = ""
    description: str = ""
    args: list[_Arg] | None = None
    secrets: list[_Mount] | None = None
    ssh: list[_Mount] | None = None
    sources: list[bytes] | None = None


class _Target(Struct):
    name: str = ""
    description: str = ""
    default: bool = False
    base: str = ""
    platform: str = ""
    location: _Location | None = None


class _Targets(Struct):
    targets: list[_Target] | None = None
    sources: list[bytes] | None = None


class SubrequestReducer(Generic[R]):
    """Reduce the messages of a subrequest to its result, or to the step that failed.

    Args:
        parse: Function that turns the reply into the result.
    """

    def __init__(self, parse: Callable[[bytes], R]) -> None:
        self._parse = parse
        self._failed_step = FailedStepFinder()
        self._reply = b""

    def add(self, message: Message, /) -> None:
        """Take the next message."""
        if message.get("id") == SUBREQUEST:
            self._reply = b64decode(text_of(message.get("aux")))
        trace: object = message.get("trace")
        if isinstance(trace, StatusResponse):
            self._failed_step.add_trace(trace)

    def explain(self, error: DockerError, /) -> None:
        """Set the step of an error to the step that failed."""
        self._failed_step.explain(error)

    def result(self) -> R:
        """Return the result of the subrequest."""
        return self._parse(self._reply)


def parse_check(reply: bytes) -> CheckResult:
    """Return the result of a check; raise ProtocolViolated for a reply of another form.

    >>> parse_check(b'{"warnings": [{"ruleName": "StageNameCasing", "detail": "Stage name"}]}').ok
    False
    """
    document = _decode(reply, _Lint)
    sources = [SourceFile(each.filename, _text(each.data)) for each in document.sources or ()]
    found = _Sources([each.text for each in sources])

    def filename(location: _Location | None) -> str | None:
        index = -1 if location is None else location.source_index
        return sources[index].filename or None if 0 <= index < len(sources) else None

    warnings = [
        CheckWarning(
            rule=each.rule_name,
            description=each.description,
            text=each.detail,
            url=each.url or None,
            filename=filename(each.location),
            ranges=found.lines(each.location),
        )
        for each in document.warnings or ()
    ]
    if (error := document.build_error) is None:
        return CheckResult(tuple(warnings), None, tuple(sources))
    failure = CheckFailure(error.message, filename(error.location), found.lines(error.location))
    return CheckResult(tuple(warnings), failure, tuple(sources))


def parse_outline(reply: bytes) -> Outline:
    """Return the outline of a target; raise ProtocolViolated for a reply of another form."""
    document = _decode(reply, _Outline)
    sources = tuple(map(_text, document.sources or ()))
    lines = _Sources(sources).lines

    def mounts(found: Iterable[_Mount] | None) -> tuple[OutlineMount, ...]:
        return tuple(OutlineMount(each.name, each.required, lines(each.location)) for each in found or ())

    return Outline(
        name=document.name or None,
        description=document.description,
        args=tuple(
            OutlineArg(each.name, each.description, each.value, lines(each.location))
            for each in document.args or ()
        ),
        secrets=mounts(document.secrets),
        ssh=mounts(document.ssh),
        sources=sources,
    )


def parse_targets(reply: bytes) -> list[TargetSummary]:
    """Return the targets of a Dockerfile; raise ProtocolViolated for a reply of another form."""
    document = _decode(reply, _Targets)
    lines = _Sources(list(map(_text, document.sources or ()))).lines
    return [
        TargetSummary(
            name=each.name or None,
            description=each.description,
            default=each.default,
            base=each.base,
            platform=each.platform or None,
            ranges=lines(each.location),
        )
        for each in document.targets or ()
    ]


class _Sources:
    """The Dockerfiles of a reply, to find lines in."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = [text.split("\n") for text in texts]
        self._left = MAX_LINES

    def lines(self, location: _Location | None) -> tuple[SourceLines, ...]:
        """Return the lines at a location; raise ProtocolViolated if the result has too many."""
        if location is None:
            return ()
        index = location.source_index
        text = self._texts[index] if 0 <= index < len(self._texts) else list[str]()
        return tuple(self._range(text, each) for each in location.ranges or ())

    def _range(self, text: Sequence[str], found: _Range) -> SourceLines:
        first = 0 if found.start is None else found.start.line
        last = first if found.end is None else found.end.line
        lines = text[max(first - 1, 0) : last]
        self._left -= len(lines)
        if self._left < 0:
            raise ProtocolViolated(0, f"the engine's reply is about more than {MAX_LINES} lines")
        return SourceLines(first, last, tuple(line.removesuffix("\r") for line in lines))


def _decode(reply: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(reply, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolViolated(0, f"the engine's reply is malformed: {error}") from error


def _text(data: bytes | None) -> str:
    return (data or b"").decode(errors="replace")
