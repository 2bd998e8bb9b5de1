"""The log of a classic builder, Docker's or Podman's, as typed events: the only place that knows its wording.

Such a builder writes its own lines and the output of its steps into one stream of text; each of its lines is
a message of its own, so a message is parsed as a whole. A step can print such a line too: a step header
counts only if its number follows the last one's, and of the rest the consumer decides.
The wording is that of Docker 20.10, 26.1 and Podman 4.3. Podman's "COMMIT name" is not parsed:
database clients print "COMMIT" as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct


class LogEvent(Struct, frozen=True):
    """One message of the log."""

    text: str
    """Text of the message, with its line end, without the red that Docker gives to standard error."""


class StepStarted(LogEvent, frozen=True):
    """The header of a step: ``Step 2/3 : RUN make``, ``[1/2] STEP 2/3: RUN make``."""

    number: int
    """Number of the step; Podman counts the steps of each stage, Docker those of all stages."""
    total: int
    """Number of steps that are counted together."""
    instruction: str
    """Instruction of the Dockerfile: ``RUN make``."""
    stage: str
    """Number of the stage, as Podman writes it: ``[1/2]``; empty if there is only one, and on Docker."""


class StepCached(LogEvent, frozen=True):
    """The result of the step was found in the cache."""


class StepNotice(LogEvent, frozen=True):
    """A line end, or a line about the containers and layers of the step."""


class StepOutput(LogEvent, frozen=True):
    """Output of a step, of any number of lines, or a line of the builder that means nothing to us."""


class Warned(LogEvent, frozen=True):
    """A warning of the builder."""

    warning: str
    """The warning, without what stands around it."""


class Built(LogEvent, frozen=True):
    """The image of the build, or of one of its stages, is complete."""


class Tagged(LogEvent, frozen=True):
    """The image was tagged."""

    reference: str
    """The new reference."""


class ImageId(LogEvent, frozen=True):
    """The id of the image, which is all that a quiet build prints."""

    id: str
    """The id: ``sha256:…``."""


# Docker sends the line end of a header as a message of its own; Podman ends the header with it.
_PATTERN: Final = re.compile(
    r"""
      (?P<step>
        (?: (?P<docker>Step) | (?:(?P<stage>\[\d+/\d+\])[ ])?STEP )
        [ ](?P<number>\d{1,5})/(?P<total>\d{1,5}) (?(docker)[ ]):[ ]
        (?P<instruction>.*) (?(docker)(?<!\n)|\n) )
    | (?P<cached> [ ]?--->[ ]Using[ ]cache\n | -->[ ]Using[ ]cache[ ][0-9a-f]{6,64}\n )
    | (?P<notice>
        [ ]?--->[ ](?:Running[ ]in|Removed[ ]intermediate)[ ][^\n]*\n
        | Removing[ ]intermediate[ ][^\n]*\n
        | [ ]?-?-->[ ][0-9a-f]{6,64}\n
        | \n )
    | (?P<warned> (?:[ ]--->[ ])?\[Warning\][ ](?P<warning>.+?)\n? )
    | (?P<built> Successfully[ ]built[ ][0-9a-f]{12}\n )
    | (?P<tagged> Successfully[ ]tagged[ ](?P<reference>\S+)\n )
    | (?P<quiet> (?:sha256:)?(?P<id>[0-9a-f]{64})\n? )
    """,
    re.DOTALL | re.VERBOSE,
)
_RED: Final = re.compile("\x1b\\[91m(.*)\x1b\\[0m", re.DOTALL)
_EVENTS: Final[Mapping[str | None, Callable[[re.Match[str]], LogEvent]]] = {
    "cached": lambda match: StepCached(match[0]),
    "notice": lambda match: StepNotice(match[0]),
    "warned": lambda match: Warned(match[0], match["warning"]),
    "built": lambda match: Built(match[0]),
    "tagged": lambda match: Tagged(match[0], match["reference"]),
    "quiet": lambda match: ImageId(match[0], f"sha256:{match['id']}"),
}
"""Constructor of the event by the outermost group of the pattern; "step" needs the step before it."""


class BuildLog:
    r"""A parser of the log of one build.

    >>> log = BuildLog()
    >>> log.parse("Step 1/2 : FROM busybox").instruction
    'FROM busybox'
    >>> log.parse("Step 2/9 : printed by a program")
    StepOutput(text='Step 2/9 : printed by a program')
    """

    def __init__(self) -> None:
        self._number = 0
        self._total = 0

    def parse(self, text: str) -> LogEvent:
        """Return the event of the next message of the log."""
        match = _PATTERN.fullmatch(text)
        if match is None:
            red = _RED.fullmatch(text)
            return StepOutput(red[1] if red else text)
        return self._start_step(match) if match.lastgroup == "step" else _EVENTS[match.lastgroup](match)

    def _start_step(self, match: re.Match[str]) -> LogEvent:
        number, total = int(match["number"]), int(match["total"])
        if number != 1 and (number, total) != (self._number + 1, self._total):
            return StepOutput(match[0])
        self._number, self._total = number, total
        return StepStarted(match[0], number, total, match["instruction"], match["stage"] or "")
