"""The results of operations with progress, reduced from their messages.

What the engine produced (``aux``, the trace) counts before what it printed. Engines differ in how much
they tell: what an engine does not tell is None or empty. ``result`` of a stream equals the function called
with a list of its messages, except that the stream also knows the reference that was requested.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final, Generic, TypeVar

from msgspec import Struct, field

from dockerproto.errors import DockerError, InvalidReference, NotFound
from dockerproto.messages.build_log import BuildLog, ImageId, LogEvent, Tagged, Warned
from dockerproto.messages.decoding import decode_message_trace
from dockerproto.messages.exported import EXPORTED, built_note, descriptor_of, metadata_of
from dockerproto.messages.failed_step import FailedStepFinder
from dockerproto.messages.models import Descriptor, Message
from dockerproto.messages.reduce import Reducer
from dockerproto.messages.trace import StatusResponse, VertexWarning
from dockerproto.messages.values import object_of, text_of
from dockerproto.references import HUB, parse_reference

K = TypeVar("K")
R = TypeVar("R")
T = TypeVar("T")

_DIGEST: Final = r"sha256:[0-9a-f]{64}"
_NAMING: Final = re.compile(r"naming to (\S+)(?: done)?")
_PULLING: Final = re.compile(r"Pulling from \S+")
_PULLED: Final = re.compile(rf"Digest: ({_DIGEST})")
_STATUS: Final = re.compile(r"Status: (Downloaded newer image|Image is up to date) for (\S+)")
_OTHER_PLATFORM: Final = re.compile(
    r"WARNING: image with reference \S+ was found but its platform \(([^()\s]+)\) does not match .*"
)
_REPOSITORY: Final = re.compile(
    r"The push refers to repository \[(\S+?)(?::[\w.-]+)?\]"
)  # Podman includes the tag
_PUSHED: Final = re.compile(rf"(\S+): digest: ({_DIGEST}) size: (\d+)")
_LOADED: Final = re.compile(r"Loaded image(?: ID)?: (\S+)\n?")
_IMAGE_ID: Final = re.compile(_DIGEST)


MOST_RESULTS: Final = 10_000
"""Limit of the tags, warnings or ids in a result, more than one operation ever has; the newest are kept."""


class BuildWarning(Struct, frozen=True):
    """A warning of a builder; the classic builders give only the text."""

    text: str
    """The warning, in one line."""
    detail: tuple[str, ...] = ()
    """More lines of it."""
    url: str | None = None
    """URL of its explanation."""
    filename: str | None = None
    """The Dockerfile that it is about."""
    line: int | None = None
    """The first line that it is about; the Dockerfile begins with 1."""


class Result(Struct, frozen=True):
    """A result, which notebooks display as a table."""

    def _repr_html_(self) -> str:
        from dockerproto.messages.html import result_table  # noqa: PLC0415  # for notebooks only

        return result_table(self)


class BuildResult(Result, frozen=True):
    """The result of a build."""

    image: str | None
    """The id of the image, ``sha256:…``; None if the build made none. `image_id` is never None."""
    tags: tuple[str, ...] = ()
    """The image's new tags, as ``docker images`` shows them; empty for a build with ``quiet``."""
    warnings: tuple[BuildWarning, ...] = ()
    """The warnings of the builder."""
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The engine's facts about what was exported, as the Docker CLI's ``--metadata-file`` has them.

    Only builds with ``outputs``, ``cache_to`` or another argument of BuildKit's Control API have any.
    """
    pushed: tuple[PushedTag, ...] = ()
    """The names by which the build pushed the image."""

    @property
    def descriptor(self) -> Descriptor | None:
        """The descriptor of the image's manifest or index; None where `metadata` has none.

        Engines with a graph driver do not report it.
        """
        return descriptor_of(self.metadata)

    @property
    def digest(self) -> str | None:
        """The digest of the image's manifest or index, by which a registry knows it.

        None where `metadata` has no descriptor, unless the build pushed the image with one digest.
        """
        if self.descriptor is not None:
            return self.descriptor["digest"]
        digests = {each.digest for each in self.pushed}
        return digests.pop() if len(digests) == 1 else None

    @property
    def image_id(self) -> str:
        """The id of the image, ``sha256:…``.

        Raises:
            NotFound: The build made no image, as its output was written to a directory or a tar.
        """
        if self.image is None:
            raise NotFound(0, "the build reported no image; a build with `output` writes files instead")
        return self.image


class MessageList(list[Message], Generic[R]):
    """All messages of an operation that ended, in a list that also has its `result`."""

    def __init__(self, messages: Iterable[Message], result: R) -> None:
        super().__init__(messages)
        self.result: R = result
        """Result of the operation."""

    def _repr_html_(self) -> str:
        from dockerproto.messages.html import result_table  # noqa: PLC0415  # for notebooks only

        return result_table(self.result, len(self))


class PulledTag(Struct, frozen=True):
    """One tag that was pulled."""

    tag: str
    """The tag; of a pull by digest the reference."""
    digest: str
    """The digest of its manifest."""


class PullResult(Result, frozen=True):
    """The result of a pull. Podman reports none of it."""

    reference: str | None
    """The reference that was pulled, as the engine reports it, else as it was requested."""
    downloaded: bool | None = None
    """True if a newer image was downloaded, False if the image was up to date, None if not reported."""
    tags: tuple[PulledTag, ...] = ()
    """The tags that were pulled; several if all tags were requested."""
    mismatched_platform: str | None = None
    """The image's platform, ``linux/amd64``, if the engine reports that another one was requested; else None.

    Docker 28 and later report it, except with the containerd image store.
    """

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
    """Size of the manifest in bytes."""
    repository: str | None = None
    """The repository, with its registry; None: not reported."""


class PushResult(Result, frozen=True):
    """The result of a push."""

    repository: str | None
    """The repository, with its registry."""
    tags: tuple[PushedTag, ...] = ()
    """The tags that were pushed; several if all tags were requested."""

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
        """Size of the last manifest that was pushed, in bytes."""
        return self.tags[-1].size if self.tags else None


class ImportResult(Result, frozen=True):
    """The result of an import, of images or of a file system."""

    references: tuple[str, ...] = ()
    """The references of the images that were loaded."""
    ids: tuple[str, ...] = ()
    """The ids of images without a reference, and of an image made of a file system."""


def build_result(messages: Iterable[Message]) -> BuildResult:
    """Return the result of a build, from all of its messages.

    >>> build_result([{"aux": {"ID": "sha256:abc"}}])
    BuildResult(image='sha256:abc', tags=(), warnings=(), metadata={}, pushed=())
    """
    return _reduce(BuildReducer(), map(decode_message_trace, messages))


def pull_result(messages: Iterable[Message]) -> PullResult:
    """Return the result of a pull, from all of its messages.

    >>> pull_result([{"status": "Status: Image is up to date for busybox:latest"}])
    PullResult(reference='busybox:latest', downloaded=False, tags=(), mismatched_platform=None)
    """
    return _reduce(PullReducer(), messages)


def push_result(messages: Iterable[Message]) -> PushResult:
    """Return the result of a push, from all of its messages.

    >>> push_result([{"aux": {"Tag": "1", "Digest": "sha256:abc", "Size": 528}}]).digest
    'sha256:abc'
    """
    return _reduce(PushReducer(), messages)


def import_result(messages: Iterable[Message]) -> ImportResult:
    r"""Return the result of an import, from all of its messages.

    >>> import_result([{"stream": "Loaded image: app:latest\n"}])
    ImportResult(references=('app:latest',), ids=())
    """
    return _reduce(ImportReducer(), messages)


def _reduce(reducer: Reducer[R], messages: Iterable[Message]) -> R:
    for message in messages:
        reducer.add(message)
    return reducer.result()


class BuildReducer:
    """Reduce the messages of a build to its result, or to the step that failed."""

    def __init__(self) -> None:
        self._log = BuildLog()
        self._failed_step = FailedStepFinder()
        self._image: str | None = None
        self._printed_image: str | None = None
        self._tags: dict[str, None] = {}
        self._warnings = deque[BuildWarning](maxlen=MOST_RESULTS)
        self._metadata: dict[str, Any] | None = None
        self._pushes = PushReducer()

    def add(self, message: Message, /) -> None:
        """Take the next message."""
        if message.get("id") == EXPORTED:
            self._metadata = metadata_of(message.get("aux"))
            return
        if self._metadata is not None:
            self._pushes.add(message)
            self._add_loaded(text_of(message.get("stream")))
        image = object_of(message.get("aux")).get("ID")
        if isinstance(image, str):
            self._image = image
            if "id" not in message:
                # Each stage has one. A tag printed before it may be output of a step.
                self._tags.clear()
        trace: object = message.get("trace")
        if isinstance(trace, StatusResponse):
            self._add_trace(trace)
        elif text := text_of(message.get("stream")):
            event = self._log.parse(text)
            self._failed_step.add_text(text, event)
            if event is not None:
                self._add_event(event)

    def explain(self, error: DockerError, /) -> None:
        """Set the failed step of an error; once the image is built, add a note with its id."""
        if self._metadata is None:
            self._failed_step.explain(error)
        elif self._image is not None:
            error.add_note(built_note(self._image, self._tags))

    def result(self) -> BuildResult:
        """Return the result of the build."""
        return BuildResult(
            image=self._image or self._printed_image,
            tags=tuple(self._tags),
            warnings=tuple(self._warnings),
            metadata=self._metadata or {},
            pushed=self._pushes.result().tags,
        )

    def _add_trace(self, trace: StatusResponse) -> None:
        self._failed_step.add_trace(trace)
        names = (_NAMING.fullmatch(status.id) for status in trace.statuses)
        # An engine with the containerd image store reports an image without a name by its digest.
        for name in names:
            if name and "@" not in name[1]:
                _keep(self._tags, _familiar_name(name[1]), None)
        self._warnings += map(warning_of, trace.warnings)

    def _add_loaded(self, text: str) -> None:
        """Add a tag by which another engine has loaded the image."""
        match = _LOADED.fullmatch(text)
        if match is not None and _IMAGE_ID.fullmatch(match[1]) is None:
            _keep(self._tags, match[1], None)

    def _add_event(self, event: LogEvent) -> None:
        match event:
            case Tagged(reference=reference) if self._image:
                _keep(self._tags, _familiar_name(reference), None)
            case Warned(warning=warning):
                self._warnings.append(BuildWarning(warning))
            case ImageId(id=image):
                self._printed_image = image
            case _:
                pass


class _NoExplanation:
    """Base of reducers whose messages say nothing about an error."""

    def explain(self, error: DockerError, /) -> None:
        """Do nothing."""


class PullReducer(_NoExplanation):
    """Reduce the messages of a pull to its result."""

    def __init__(self, reference: str | None = None) -> None:
        self._reference = reference
        self._downloaded: bool | None = None
        self._tag = ""
        self._tags = deque[PulledTag](maxlen=MOST_RESULTS)
        self._mismatched_platform: str | None = None

    def add(self, message: Message, /) -> None:
        """Take the next message."""
        if "progressDetail" in message:  # one of very many
            return
        status = text_of(message.get("status"))
        if _PULLING.fullmatch(status):
            self._tag = text_of(message.get("id"))
        elif match := _PULLED.fullmatch(status):
            self._tags.append(PulledTag(self._tag, match[1]))
        elif match := _STATUS.fullmatch(status):
            self._downloaded, self._reference = match[1].startswith("Downloaded"), match[2]
        elif match := _OTHER_PLATFORM.fullmatch(status):
            self._mismatched_platform = match[1]

    def result(self) -> PullResult:
        """Return the result of the pull."""
        return PullResult(self._reference, self._downloaded, tuple(self._tags), self._mismatched_platform)


class PushReducer(_NoExplanation):
    """Reduce the messages of a push to its result."""

    def __init__(self) -> None:
        self._repository: str | None = None
        self._tags: dict[tuple[str | None, str], PushedTag] = {}

    def add(self, message: Message, /) -> None:
        """Take the next message."""
        status = text_of(message.get("status"))
        match object_of(message.get("aux")):
            case {"Tag": str(tag), "Digest": str(digest), "Size": int(size)}:
                self._keep(PushedTag(tag, digest, size, self._repository))
            case _ if match := _PUSHED.fullmatch(status):
                self._keep(PushedTag(match[1], match[2], int(match[3]), self._repository))
            case _ if match := _REPOSITORY.fullmatch(status):
                self._repository = match[1]
            case _:
                pass

    def result(self) -> PushResult:
        """Return the result of the push."""
        return PushResult(self._repository, tuple(self._tags.values()))

    def _keep(self, pushed: PushedTag) -> None:
        _keep(self._tags, (pushed.repository, pushed.tag), pushed)


class ImportReducer(_NoExplanation):
    """Reduce the messages of an import to its result."""

    def __init__(self) -> None:
        self._references = deque[str](maxlen=MOST_RESULTS)
        self._ids = deque[str](maxlen=MOST_RESULTS)

    def add(self, message: Message, /) -> None:
        """Take the next message."""
        if match := _LOADED.fullmatch(text_of(message.get("stream"))):
            for name in match[1].split(","):  # Podman lists all in one message
                (self._ids if _IMAGE_ID.fullmatch(name) else self._references).append(name)
        elif _IMAGE_ID.fullmatch(status := text_of(message.get("status"))):
            self._ids.append(status)

    def result(self) -> ImportResult:
        """Return the result of the import."""
        return ImportResult(tuple(self._references), tuple(self._ids))


def warning_of(warning: VertexWarning) -> BuildWarning:
    """Return a warning of a trace."""
    lines = [each.start.line for each in warning.ranges if each.start is not None]
    return BuildWarning(
        text=warning.short.decode(errors="replace"),
        detail=tuple(each.decode(errors="replace") for each in warning.detail),
        url=warning.url or None,
        filename=None if warning.info is None else warning.info.filename or None,
        line=lines[0] if lines else None,
    )


def _keep(items: dict[K, T], key: K, value: T) -> None:
    """Store a value; drop the oldest one if there are too many."""
    if key not in items and len(items) >= MOST_RESULTS:
        del items[next(iter(items))]
    items[key] = value


def _familiar_name(name: str) -> str:
    """Return a name in its short form: without the default registry and repository prefix."""
    try:
        parse_reference(name)
    except InvalidReference:
        return name
    return name.removeprefix(f"{HUB}/library/").removeprefix(f"{HUB}/")
