"""The log of a classic builder, Docker's or Podman's, as typed events: the only place that knows its wording.

Such a builder writes its own lines and the output of its steps into one stream of text; each of its lines is
a message of its own, so a message is parsed as a whole. A step can print such a line too: a step header
counts only if its number follows the last one's, and of the rest the consumer decides.
Nearly all messages are output, and the first character rules out most of them: they cost no pattern and no
event.
The wording is that of Docker 20.10, 26.1 and Podman 4.3. Podman's "COMMIT name" is not parsed:
database clients print "COMMIT" as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from msgspec import Struct


class StepStarted(Struct, frozen=True):
    """The header of a step: ``Step 2/3 : RUN make``, ``[1/2] STEP 2/3: RUN make``."""

    number: int
    """Number of the step; Podman counts the steps of each stage, Docker those of all stages."""
    total: int
    """Number of steps that are counted together."""
    instruction: str
    """Instruction of the Dockerfile: ``RUN make``."""
    stage: str
    """Number of the stage, as Podman writes it: ``[1/2]``; empty if there is only one, and on Docker."""


class StepCached(Struct, frozen=True):
    """The result of the step was found in the cache."""


class StepNotice(Struct, frozen=True):
    """A line end, or a line about the containers and layers of the step."""


class Warned(Struct, frozen=True):
    """A warning of the builder."""

    warning: str
    """The warning, without the text around it."""


class Built(Struct, frozen=True):
    """The image of the build, or of one of its stages, is complete."""


class Tagged(Struct, frozen=True):
    """The image was tagged."""

    reference: str
    """The new reference."""


class ImageId(Struct, frozen=True):
    """The id of the image, which is all that a quiet build prints."""

    id: str
    """The id: ``sha256:…``."""


LogEvent: TypeAlias = StepStarted | StepCached | StepNotice | Warned | Built | Tagged | ImageId
"""One line of the builder itself."""

# Docker sends the line end of a header as a message of its own; Podman ends the header with it.
_STEP: Final = (
    r"(?P<step>(?:(?P<docker>Step )|(?:(?P<stage>\[\d+/\d+\]) )?STEP )"
    r"(?P<number>\d{1,5})/(?P<total>\d{1,5})(?(docker) ): (?P<instruction>.*)(?(docker)(?<!\n)|\n))"
)
_WARNING: Final = r"(?P<warned>(?: ---> )?\[Warning\] (?P<warning>.+?)\n?)"
_PATTERNS: Final[Mapping[str, tuple[str, ...]]] = {
    "S": (
        _STEP,
        r"(?P<built>Successfully built [0-9a-f]{12}\n)",
        r"(?P<tagged>Successfully tagged (?P<reference>\S+)\n)",
    ),
    "[": (_STEP, _WARNING),
    " -": (
        r"(?P<cached> ?---> Using cache\n|--> Using cache [0-9a-f]{6,64}\n)",
        r"(?P<notice> ?---> (?:Running in|Removed intermediate container) [^\n]*\n| ?-?--> [0-9a-f]{6,64}\n)",
        _WARNING,
    ),
    "R": (r"(?P<notice>Removing intermediate container [^\n]*\n)",),
    "\n": (r"(?P<notice>\n)",),
    "0123456789abcdefs": (r"(?P<quiet>(?:sha256:)?(?P<id>[0-9a-f]{64})\n?)",),
}
"""Patterns of whole messages, by the first characters of the messages that they match."""
_FIRST: Final = frozenset("".join(_PATTERNS))


class _Compiled(dict[str, re.Pattern[str]]):
    """Patterns by a first character, compiled for the first message that has it, not on import."""

    def __missing__(self, first: str) -> re.Pattern[str]:
        patterns = next(patterns for characters, patterns in _PATTERNS.items() if first in characters)
        self[first] = re.compile("|".join(patterns), re.DOTALL)
        return self[first]


_BY_FIRST: Final = _Compiled()
_EVENTS: Final[Mapping[str | None, Callable[[re.Match[str]], LogEvent]]] = {
    "cached": lambda _: StepCached(),
    "notice": lambda _: StepNotice(),
    "warned": lambda match: Warned(match["warning"]),
    "built": lambda _: Built(),
    "tagged": lambda match: Tagged(match["reference"]),
    "quiet": lambda match: ImageId(f"sha256:{match['id']}"),
}
"""Constructor of the event by the outermost group of the pattern; "step" needs the step before it."""
_RED: Final = "\x1b[91m"
_NOT_RED: Final = "\x1b[0m"


def without_red(output: str) -> str:
    r"""Return output of a step without the red that Docker gives to standard error.

    >>> without_red("\x1b[91mfailed\n\x1b[0m")
    'failed\n'
    """
    if output.startswith(_RED) and output.endswith(_NOT_RED):
        return output[len(_RED) : -len(_NOT_RED)]
    return output


class BuildLog:
    r"""A parser of the log of one build.

    >>> log = BuildLog()
    >>> log.parse("Step 1/2 : FROM busybox")
    StepStarted(number=1, total=2, instruction='FROM busybox', stage='')
    >>> log.parse("Step 2/9 : printed by a program")
    """

    def __init__(self) -> None:
        self._number = 0
        self._total = 0

    def parse(self, text: str) -> LogEvent | None:
        """Return the event of the next message; None for output, and for lines without a meaning to us.

        Output is of any number of lines; see `without_red`.
        """
        first = text[:1]
        if first not in _FIRST or (match := _BY_FIRST[first].fullmatch(text)) is None:
            return None
        return self._start_step(match) if match.lastgroup == "step" else _EVENTS[match.lastgroup](match)

    def _start_step(self, match: re.Match[str]) -> StepStarted | None:
        number, total = int(match["number"]), int(match["total"])
        if number != 1 and (number, total) != (self._number + 1, self._total):
            return None
        self._number, self._total = number, total
        return StepStarted(number, total, match["instruction"], match["stage"] or "")
