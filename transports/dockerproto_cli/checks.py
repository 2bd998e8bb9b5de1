"""Ask about a Dockerfile instead of building it: ``--check`` and ``--call``, as the Docker CLI has them."""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import asdict

from dockerproto import (
    CheckFailure,
    CheckResult,
    CheckWarning,
    Outline,
    OutlineArg,
    OutlineMount,
    SourceLines,
    TargetSummary,
)
from dockerproto.docker import BlockingBuildKit
from dockerproto.images import Images
from dockerproto_cli.build_source import parse_source
from dockerproto_cli.control_options import separated
from dockerproto_cli.printing import Invocation

_FAILED: Final = 1
_RULE: Final = "-" * 20
_YES: Final = {True: "yes", False: ""}


class Question(Struct, frozen=True):
    """A question about a Dockerfile."""

    method: str
    """Method of the client: ``check``, ``outline`` or ``targets``."""
    json: bool = False
    """True if the reply is printed as JSON."""


CHECK: Final = Question("check")
"""The question of ``--check``."""


def read_call(text: str) -> Question | None:
    """Parse ``check``, ``outline`` or ``targets``, with or without ``,format=json``; ``build`` asks nothing.

    >>> read_call("outline,format=json")
    Question(method='outline', json=True)

    Raises:
        ArgumentTypeError: The text has another form.
    """
    method, *form = text.split(",")
    if method not in ("build", *_PRINTERS) or form not in ([], ["format=json"], ["format=text"]):
        raise ArgumentTypeError(
            f"must be check, outline or targets, with or without ,format=json, not {text!r}"
        )
    return None if method == "build" else Question(method, form == ["format=json"])


def ask(invocation: Invocation, question: Question, builder: Images | BlockingBuildKit) -> int:
    """Ask a builder a question, and print the reply; the status is that of the check."""
    reply = getattr(builder, question.method)(**_arguments(invocation.arguments, question))
    if invocation.json or question.json:
        invocation.document(_DOCUMENTS[question.method](reply))
    else:
        _PRINTERS[question.method](invocation, reply)
    return _FAILED if isinstance(reply, CheckResult) and not reply.ok else 0


def _arguments(arguments: Namespace, question: Question) -> dict[str, Any]:
    """Return the arguments of the question; raise ValueError for options that it cannot have."""
    if arguments.builder == "classic":
        raise ValueError(f"the classic builder does not support --call {question.method}")
    platforms = separated(arguments.platform)
    if len(platforms) > 1:
        raise ValueError(f"--call {question.method} takes one platform, not {','.join(platforms)}")
    given = {
        **parse_source(arguments.source, arguments.file),
        "buildargs": dict(arguments.build_arg),
        "pull": arguments.pull,
        "platform": platforms[0] if platforms else None,
        "target": arguments.target,
        "secrets": dict(arguments.secret),
        "ssh": dict(arguments.ssh),
        "contexts": dict(arguments.build_context),
    }
    return (
        given if question.method != "targets" else {name: given[name] for name in given if name != "target"}
    )


def _print_check(invocation: Invocation, check: CheckResult) -> None:
    count = len(check.warnings)
    found = f"{count or 'no'} warning{'' if count == 1 else 's'} found"
    outcome = "complete" if check.failure is None else "failed"
    invocation.line(f"Check {outcome}, {found}.")
    for warning in check.warnings:
        invocation.line("")
        invocation.line(f"WARNING: {warning.rule}" + (f" - {warning.url}" if warning.url else ""))
        invocation.line(warning.text or warning.description)
        _print_lines(invocation, warning)
    if check.failure is not None:
        invocation.line("")
        invocation.line(f"ERROR: {check.failure.message}")
        _print_lines(invocation, check.failure)


def _print_lines(invocation: Invocation, found: CheckWarning | CheckFailure) -> None:
    """Print the lines of a Dockerfile that a warning is about, with their numbers."""
    if not found.ranges:
        return
    width = len(str(max(each.last for each in found.ranges)))
    invocation.line(f"{found.filename or 'Dockerfile'}:{found.ranges[0].first}")
    invocation.line(_RULE)
    for each in found.ranges:
        for number, line in enumerate(each.lines, each.first):
            invocation.line(f"{number:{width}} | {line}")
    invocation.line(_RULE)


def _print_outline(invocation: Invocation, outline: Outline) -> None:
    for head, text in (("TARGET", outline.name), ("DESCRIPTION", outline.description)):
        if text:
            invocation.line(f"{head}: {text}")
    if outline.args:
        rows = [(each.name, each.value or "", each.description) for each in outline.args]
        invocation.table(("BUILD ARG", "VALUE", "DESCRIPTION"), rows)
    for head, mounts in (("SECRET", outline.secrets), ("SSH", outline.ssh)):
        if mounts:
            invocation.table((head, "REQUIRED"), [(each.name, _YES[each.required]) for each in mounts])


def _print_targets(invocation: Invocation, targets: Sequence[TargetSummary]) -> None:
    rows = [
        (" ".join(filter(None, (each.name, "(default)" * each.default))), each.base, each.description)
        for each in targets
    ]
    invocation.table(("TARGET", "BASE", "DESCRIPTION"), rows)


_PRINTERS: Final[Mapping[str, Callable[[Invocation, Any], None]]] = {
    "check": _print_check,
    "outline": _print_outline,
    "targets": _print_targets,
}
"""Functions that print a reply, by the question."""


def _check_document(check: CheckResult) -> dict[str, object]:
    names = [each.filename for each in check.sources]

    def located(found: CheckWarning | CheckFailure) -> dict[str, object]:
        index = names.index(found.filename) if found.filename in names else 0
        return {"location": {"sourceIndex": index, **_location(found.ranges)}}

    warnings = [
        {
            "ruleName": each.rule,
            "description": each.description,
            "url": each.url or "",
            "detail": each.text,
            **located(each),
        }
        for each in check.warnings
    ]
    sources = [{"filename": each.filename, "data": _base64(each.text)} for each in check.sources]
    failure = check.failure
    error = {} if failure is None else {"buildError": {"message": failure.message, **located(failure)}}
    return {"warnings": warnings, "sources": sources, **error}


def _outline_document(outline: Outline) -> dict[str, object]:
    lists = {name: list(map(_document, getattr(outline, name))) for name in ("args", "secrets", "ssh")}
    sources = list(map(_base64, outline.sources))
    return {"name": outline.name or "", "description": outline.description, **lists, "sources": sources}


def _targets_document(targets: Sequence[TargetSummary]) -> dict[str, object]:
    return {"targets": list(map(_document, targets))}


_DOCUMENTS: Final[Mapping[str, Callable[[Any], dict[str, object]]]] = {
    "check": _check_document,
    "outline": _outline_document,
    "targets": _targets_document,
}
"""Functions that return a reply as the Docker CLI prints it with ``format=json``, by the question."""


def _document(found: OutlineArg | OutlineMount | TargetSummary) -> dict[str, object]:
    fields = {name: value for name, value in asdict(found).items() if name != "ranges" and value}
    return {**fields, "location": _location(found.ranges)}


def _location(ranges: Sequence[SourceLines]) -> dict[str, object]:
    return {"ranges": [{"start": {"line": each.first}, "end": {"line": each.last}} for each in ranges]}


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode("ascii")
