"""What came of an operation with progress, made of its messages: of what they produced, else of their text.

Engines tell it in different ways, and some tell less: what is not told is None, or empty. ``result`` of a
stream is the same as the function of a list of its messages, but that it knows what was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, Literal, TypeVar, cast

from msgspec import Struct

from dockerproto.errors import DockerStreamError, InvalidReference
from dockerproto.messages.decoding import traced
from dockerproto.messages.failed_step import Steps
from dockerproto.messages.models import Message
from dockerproto.messages.reduce import Reducer
from dockerproto.messages.trace import VertexWarning
from dockerproto.references import HUB, parse_reference

R = TypeVar("R")

_DIGEST: Final = r"sha256:[0-9a-f]{64}"
_TAGGED: Final = re.compile(r"Successfully tagged (\S+)\n")
_NAMING: Final = re.compile(r"naming to (\S+)(?: done)?")
_WARNING: Final = re.compile(r"(?: ---> )?\[Warning\] (.+?)\n?", re.DOTALL)
_QUIET: Final = re.compile(r"(?:sha256:)?([0-9a-f]{64})\n?")
_PULLING: Final = re.compile(r"Pulling from \S+")
_PULLED: Final = re.compile(rf"Digest: ({_DIGEST})")
_STATUS: Final = re.compile(r"Status: (Downloaded newer image|Image is up to date) for (\S+)")
_REPOSITORY: Final = re.compile(
    r"The push refers to repository \[(\S+?)(?::[\w.-]+)?\]"
)  # Podman's has the tag
_PUSHED: Final = re.compile(rf"(\S+): digest: ({_DIGEST}) size: (\d+)")
_LOADED: Final = re.compile(r"Loaded image(?: ID)?: (\S+)\n?")
_IDENTIFIED: Final = re.compile(_DIGEST)


class BuildWarning(Struct, frozen=True):
    """What a builder warns of; the classic ones give only the text."""

    text: str
    """The warning, in one line."""
    detail: tuple[str, ...] = ()
    """More of it."""
    url: str | None = None
    """Where it is explained."""
    filename: str | None = None
    """The Dockerfile that it is about."""
    line: int | None = None
    """The first line that it is about; the Dockerfile begins with 1."""


class BuildResult(Struct, frozen=True):
    """What came of a build."""

    image: str | None
    """The id of the image, ``sha256:…``; None if the build made none."""
    tags: tuple[str, ...] = ()
    """The names that it got, as ``docker images`` shows them; none of a build with ``quiet``."""
    warnings: tuple[BuildWarning, ...] = ()
    """What the builder warns of."""


class PulledTag(Struct, frozen=True):
    """One tag that was pulled."""

    tag: str
    """The tag; of a pull by digest the reference."""
    digest: str
    """The digest of its manifest."""


class PullResult(Struct, frozen=True):
    """What came of a pull. Podman says nothing of it."""

    reference: str | None
    """What was pulled, as the engine says it, else as it was asked for."""
    downloaded: bool | None = None
    """Whether there was anything new; False: it was up to date; None: the engine does not say."""
    tags: tuple[PulledTag, ...] = ()
    """What was pulled; several if it was all tags."""

    @property
    def digest(self) -> str | None:
        """The digest of the last manifest that was pulled."""
        return self.tags[-1].digest if self.tags else None


class PushedTag(Struct, frozen=True):
    """One tag that was pushed."""

    tag: str
    """The tag."""
    digest: str
    """The digest of its manifest."""
    size: int
    """Bytes of the manifest."""


class PushResult(Struct, frozen=True):
    """What came of a push."""

    repository: str | None
    """The repository, with its registry."""
    tags: tuple[PushedTag, ...] = ()
    """What was pushed; several if it was all tags."""

    @property
    def tag(self) -> str | None:
        """The last tag that was pushed."""
        return self.tags[-1].tag if self.tags else None

    @property
    def digest(self) -> str | None:
        """The digest of the last manifest that was pushed."""
        return self.tags[-1].digest if self.tags else None

    @property
    def size(self) -> int | None:
        """Bytes of the last manifest that was pushed."""
        return self.tags[-1].size if self.tags else None


class ImportResult(Struct, frozen=True):
    """What came of an import, of images or of a file system."""

    references: tuple[str, ...] = ()
    """The names of the images that were loaded."""
    ids: tuple[str, ...] = ()
    """The ids of images without a name, and of one made of a file system."""


def build_result(messages: Iterable[Message]) -> BuildResult:
    r"""Return what came of a build, of all of its messages.

    >>> build_result([{"aux": {"ID": "sha256:abc"}}, {"stream": "Successfully tagged app:latest\n"}])
    BuildResult(image='sha256:abc', tags=('app:latest',), warnings=())
    """
    return _folded(BuildReducer(), map(traced, messages))


def pull_result(messages: Iterable[Message]) -> PullResult:
    """Return what came of a pull, of all of its messages.

    >>> pull_result([{"status": "Status: Image is up to date for busybox:latest"}])
    PullResult(reference='busybox:latest', downloaded=False, tags=())
    """
    return _folded(PullReducer(), messages)


def push_result(messages: Iterable[Message]) -> PushResult:
    """Return what came of a push, of all of its messages.

    >>> push_result([{"aux": {"Tag": "1", "Digest": "sha256:abc", "Size": 528}}]).digest
    'sha256:abc'
    """
    return _folded(PushReducer(), messages)


def import_result(messages: Iterable[Message]) -> ImportResult:
    r"""Return what came of an import, of all of its messages.

    >>> import_result([{"stream": "Loaded image: app:latest\n"}])
    ImportResult(references=('app:latest',), ids=())
    """
    return _folded(ImportReducer(), messages)


def _folded(fold: Reducer[R], messages: Iterable[Message]) -> R:
    for message in messages:
        fold.add(message)
    return fold.result()


class BuildReducer:
    """Makes the result of a build; or says of its error which step failed."""

    def __init__(self) -> None:
        self._steps = Steps()
        self._made: str | None = None
        self._said: str | None = None
        self._tags: dict[str, None] = {}
        self._warnings: list[BuildWarning] = []

    def add(self, message: Message, /) -> None:
        """Take the next message."""
        self._steps.add(message)
        made = _aux(message).get("ID")
        if isinstance(made, str):
            self._made = made
            if "id" not in message:
                # Each stage has one. What the text says before it may be what a step prints.
                self._tags.clear()
        if trace := message.get("trace"):
            names = (_NAMING.fullmatch(status.id) for status in trace.statuses)
            # An engine that keeps its images in containerd names one without a name by its digest.
            self._tags |= {_familiar(name[1]): None for name in names if name and "@" not in name[1]}
            self._warnings += map(_warning, trace.warnings)
        else:
            self._read(_text(message, "stream"))

    def explain(self, error: DockerStreamError, /) -> None:
        """Say on an error which step failed."""
        error.step = self._steps.failed(error)

    def result(self) -> BuildResult:
        """Return what came of the build."""
        return BuildResult(self._made or self._said, tuple(self._tags), tuple(self._warnings))

    def _read(self, text: str) -> None:
        if self._made and (match := _TAGGED.fullmatch(text)):
            self._tags[_familiar(match[1])] = None
        elif match := _WARNING.fullmatch(text):
            self._warnings.append(BuildWarning(match[1]))
        elif match := _QUIET.fullmatch(text):
            self._said = f"sha256:{match[1]}"


class _Told:
    """A fold that has nothing to say of errors."""

    def explain(self, error: DockerStreamError, /) -> None:
        """Say nothing."""


class PullReducer(_Told):
    """Makes the result of a pull."""

    def __init__(self, reference: str | None = None) -> None:
        self._reference = reference
        self._downloaded: bool | None = None
        self._tag = ""
        self._tags: list[PulledTag] = []

    def add(self, message: Message, /) -> None:
        """Take the next message."""
        if "progressDetail" in message:  # one of very many
            return
        status = _text(message, "status")
        if _PULLING.fullmatch(status):
            self._tag = _text(message, "id")
        elif match := _PULLED.fullmatch(status):
            self._tags.append(PulledTag(self._tag, match[1]))
        elif match := _STATUS.fullmatch(status):
            self._downloaded, self._reference = match[1].startswith("Downloaded"), match[2]

    def result(self) -> PullResult:
        """Return what came of the pull."""
        return PullResult(self._reference, self._downloaded, tuple(self._tags))


class PushReducer(_Told):
    """Makes the result of a push."""

    def __init__(self) -> None:
        self._repository: str | None = None
        self._tags: dict[str, PushedTag] = {}

    def add(self, message: Message, /) -> None:
        """Take the next message."""
        status = _text(message, "status")
        match _aux(message):
            case {"Tag": str(tag), "Digest": str(digest), "Size": int(size)}:
                self._tags[tag] = PushedTag(tag, digest, size)
            case _ if match := _PUSHED.fullmatch(status):
                self._tags[match[1]] = PushedTag(match[1], match[2], int(match[3]))
            case _ if match := _REPOSITORY.fullmatch(status):
                self._repository = match[1]
            case _:
                pass

    def result(self) -> PushResult:
        """Return what came of the push."""
        return PushResult(self._repository, tuple(self._tags.values()))


class ImportReducer(_Told):
    """Makes the result of an import."""

    def __init__(self) -> None:
        self._references: list[str] = []
        self._ids: list[str] = []

    def add(self, message: Message, /) -> None:
        """Take the next message."""
        if match := _LOADED.fullmatch(_text(message, "stream")):
            for name in match[1].split(","):  # Podman says all in one
                (self._ids if _IDENTIFIED.fullmatch(name) else self._references).append(name)
        elif _IDENTIFIED.fullmatch(status := _text(message, "status")):
            self._ids.append(status)

    def result(self) -> ImportResult:
        """Return what came of the import."""
        return ImportResult(tuple(self._references), tuple(self._ids))


def _aux(message: Message) -> dict[str, Any]:
    aux = message.get("aux")
    return cast("dict[str, Any]", aux) if isinstance(aux, dict) else {}  # JSON of the engine


def _text(message: Message, key: Literal["id", "status", "stream"]) -> str:
    value: object = message.get(key)
    return value if isinstance(value, str) else ""


def _warning(warning: VertexWarning) -> BuildWarning:
    places = [place.start.line for place in warning.ranges if place.start is not None]
    return BuildWarning(
        text=warning.short.decode(errors="replace"),
        detail=tuple(each.decode(errors="replace") for each in warning.detail),
        url=warning.url or None,
        filename=None if warning.info is None else warning.info.filename or None,
        line=places[0] if places else None,
    )


def _familiar(name: str) -> str:
    """Return a name as it is written, without what is added to make it full."""
    try:
        parse_reference(name)
    except InvalidReference:
        return name
    return name.removeprefix(f"{HUB}/library/").removeprefix(f"{HUB}/")
