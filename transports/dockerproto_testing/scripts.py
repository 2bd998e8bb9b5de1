"""The replies of a scripted engine: described by a test, turned into steps, and used one after the other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct, json

from dockerproto_testing.replies import LAST_CHUNK, chunk, response, stream_head
from dockerproto_testing.steps import Close, ReadBody, Reset, Step, UntilClosed

End: TypeAlias = Literal["complete", "cut", "reset", "hang"]
"""The end of a scripted reply: whole, or without its last bytes.

Then the connection is closed (``cut``), broken (``reset``), or open until the client closes it (``hang``).
"""

_ENDS: Final[Mapping[str, Step]] = {"cut": Close(), "reset": Reset(), "hang": UntilClosed()}
_JSON: Final[Mapping[str, str]] = {"Content-Type": "application/json"}
_VERSIONED: Final = re.compile(r"/v\d+\.\d+/")
_OK: Final = 200
_ERROR: Final = 500


class Reply(Struct, frozen=True, kw_only=True):
    """A reply as a test describes it; `ScriptedEngine.on` documents the fields."""

    status: int | None
    json: object
    messages: Iterable[Mapping[str, Any]] | None
    body: bytes | None
    error: str
    headers: Mapping[str, str]
    end: End

    def steps(self) -> tuple[Step, ...]:
        """Return the steps of the reply; raise ValueError if the fields contradict each other."""
        self._check()
        if self._is_silent:
            return ReadBody(), *self._last()
        if self.messages is not None:
            return ReadBody(), *self._stream(self.messages)
        whole = self._whole()
        return ReadBody(), whole if self.end == "complete" else whole[:-1], *self._last()

    @property
    def _is_silent(self) -> bool:
        """True if the engine sends nothing at all."""
        described = (self.status, self.json, self.messages, self.body)
        return self.end != "complete" and not self.error and all(each is None for each in described)

    def _check(self) -> None:
        given = [name for name in ("json", "messages", "body") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"a reply has one of json, messages and body, not {' and '.join(given)}")
        if self.error and given not in ([], ["messages"]):
            raise ValueError(f"a reply with an error has no {given[0]}; messages may precede the error")
        if self.end not in ("complete", *_ENDS):
            raise ValueError(f"end must be complete, cut, reset or hang, not {self.end!r}")

    def _whole(self) -> bytes:
        if self.error:
            document = json.encode({"message": self.error})
            return response(self.status or _ERROR, document, {**_JSON, **self.headers})
        if self.json is not None:
            return response(self.status or _OK, json.encode(self.json), {**_JSON, **self.headers})
        return response(self.status or _OK, self.body or b"", self.headers)

    def _stream(self, messages: Iterable[Mapping[str, Any]]) -> tuple[Step, ...]:
        lines: list[Mapping[str, Any]] = [*messages]
        if self.error:
            lines.append({"errorDetail": {"message": self.error}, "error": self.error})
        head = stream_head(self.status or _OK, self.headers)
        last = (LAST_CHUNK,) if self.end == "complete" else self._last()
        return head, *(chunk(json.encode(line) + b"\r\n") for line in lines), *last

    def _last(self) -> tuple[Step, ...]:
        return (_ENDS[self.end],) if self.end != "complete" else ()


class Script:
    """The replies to one method and path: one for each request, the last one for all that follow.

    Args:
        replies: The steps of each reply.
    """

    def __init__(self, replies: Iterable[Sequence[Step]] = ()) -> None:
        self._replies = list(replies)
        self._served = 0

    def add(self, reply: Sequence[Step]) -> None:
        """Add a reply."""
        self._replies.append(reply)

    def next(self) -> Sequence[Step]:
        """Return the steps of the reply to the next request."""
        index = min(self._served, len(self._replies) - 1)
        self._served += 1
        return self._replies[index]


def check_path(path: str) -> str:
    """Return a path; raise ValueError if no request is compared with it."""
    if not path.startswith("/"):
        raise ValueError(f"a path begins with a slash: {path!r}")
    if "?" in path:
        raise ValueError(f"a path has no query; compare that of the received request: {path!r}")
    if _VERSIONED.match(path):
        raise ValueError(f"a path has no API version; replies are for all versions: {path!r}")
    return path
