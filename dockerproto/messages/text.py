"""The text of a message, for people: of every operation and both builders.

Each message is described on its own, from what the engine reports in it. `dockerproto.progress` joins
messages instead: it knows the state of every layer and step.
"""

from __future__ import annotations

import re
from typing import Final

from dockerproto.messages.models import Message
from dockerproto.messages.results import warning_of
from dockerproto.messages.sizes import size, size_of
from dockerproto.messages.trace import StatusResponse, Vertex, VertexStatus, VertexWarning
from dockerproto.messages.values import number_of, object_of, text_of, trace_of

_SURROGATES: Final = re.compile(r"[\ud800-\udfff]")


def message_text(message: Message) -> str:
    r"""Return a message as text for people, ready to be written as it is: ``print(text, end="")``.

    Statuses and steps are lines. Output of a build has the line ends that the engine sends, and is the same
    bytes, control characters included; bytes that are not UTF-8 are replaced. The text of a message that
    says nothing to people, such as the digest of a push as JSON, is empty. No message raises an exception.

    >>> detail = {"current": 500, "total": 999}
    >>> message_text({"id": "0a1b", "status": "Downloading", "progressDetail": detail})
    '0a1b: Downloading 500 B / 999 B\n'
    >>> message_text({"stream": "hello\n"})
    'hello\n'
    """
    trace = trace_of(message)
    if trace is not None:
        return replace_surrogates(_trace_text(trace))
    if stream := text_of(message.get("stream")):
        return replace_surrogates(stream)
    line = _error(message) or _status(message)
    return replace_surrogates(f"{line}\n") if line else ""


def replace_surrogates(text: str) -> str:
    """Replace halves of surrogate pairs, which cannot be encoded, by U+FFFD."""
    return _SURROGATES.sub("\ufffd", text)


def _error(message: Message) -> str:
    """Return the error of a message; the library raises it, but a saved message may have it."""
    detail = object_of(message.get("errorDetail"))
    return text_of(detail.get("message")) or text_of(message.get("error"))


def _status(message: Message) -> str:
    name, status = text_of(message.get("id")), text_of(message.get("status"))
    if not status:
        return ""
    line = status if name in ("", status) else f"{name}: {status}"
    amount = _amount(object_of(message.get("progressDetail")))
    return f"{line} {amount}" if amount else line


def _amount(detail: dict[str, object]) -> str:
    current, total = number_of(detail.get("current")), number_of(detail.get("total"))
    if not (current or total) or detail.get("hidecounts") is True:
        return ""
    if units := text_of(detail.get("units")):
        return f"{current} / {total} {units}" if total else f"{current} {units}"
    return size_of(current, total or None)


def _trace_text(trace: StatusResponse) -> str:
    """Return what a trace reports in the order of time: starts, tasks, output, warnings, ends."""
    lines = [vertex.name for vertex in trace.vertexes if vertex.started and not _ended(vertex)]
    lines += [_task(status) for status in trace.statuses if status.completed]
    output = b"".join(log.msg for log in trace.logs).decode(errors="replace")
    ends = [_warning(warning) for warning in trace.warnings]
    ends += [f"{vertex.name}: {_outcome(vertex)}" for vertex in trace.vertexes if _ended(vertex)]
    if output and ends and not output.endswith("\n"):
        output += "\n"
    return f"{_joined(lines)}{output}{_joined(ends)}"


def _joined(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _ended(vertex: Vertex) -> bool:
    return vertex.completed is not None or vertex.error != ""


def _outcome(vertex: Vertex) -> str:
    if vertex.error:  # when a step fails, the engine cancels those that run beside it
        return "canceled" if "context canceled" in vertex.error else f"failed: {vertex.error}"
    if vertex.cached:
        return "cached"
    if vertex.started is None or vertex.completed is None:
        return "done"
    return f"done {max(0.0, vertex.completed.time - vertex.started.time):.1f}s"


def _task(status: VertexStatus) -> str:
    name = (status.name or status.id).removesuffix(" done")
    total = number_of(status.total)
    return f"{name}: done {size(total)}" if total else f"{name}: done"


def _warning(warning: VertexWarning) -> str:
    known = warning_of(warning)
    place = "" if known.line is None else f" ({known.filename or 'Dockerfile'}:{known.line})"
    url = "" if known.url is None else f", see {known.url}"
    return f"warning: {known.text}{place}{url}"
