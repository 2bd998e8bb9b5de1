"""Find the images that a Dockerfile names: a build may pull them, so it needs their registries' credentials.

Only the text is looked at. An invalid reference is skipped and nothing raises, as the engine reports errors
in a Dockerfile better. A variable that only the engine knows is empty. Time is linear in the length of the
text. The syntax is that of https://docs.docker.com/reference/dockerfile/, parsed as the engine parses it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import takewhile
from typing import Final

from dockerproto.buildcontext.substitution import ESCAPES, MAX_LENGTH, expand, flags, words
from dockerproto.errors import InvalidReference
from dockerproto.references import Reference, parse_reference

_BOM: Final = b"\xef\xbb\xbf"
_DIRECTIVE: Final = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(\S.*)")
_HEREDOC: Final = re.compile(r"\d*<<(-?)([^<]+)", re.ASCII)
_WITH_SOURCES: Final = frozenset({"copy", "run"})
_WITH_HEREDOCS: Final = frozenset({"add", "copy", "run"})
_VARIABLES_LENGTH: Final = 2**20
"""Limit on the characters of all variables: each can be hundreds of times as long as its line."""
_NO_IMAGE: Final = "scratch"


def images_of(dockerfile: bytes, arguments: Mapping[str, str | None]) -> list[Reference]:
    r"""Return the images that a build may pull, each once, in the order of the text.

    These are the images of FROM, of ``COPY --from`` and of ``RUN --mount=from`` in all stages, as the engine
    may build any of them. The image of ``# syntax=`` is not among them: it is for BuildKit.

    >>> images_of(b"ARG TAG=1\nFROM r.example/app:$TAG AS app\nCOPY --from=app /a /a\n", {"TAG": "2"})
    [Reference(name='r.example/app', tag='2', digest=None)]
    """
    lines = dockerfile.removeprefix(_BOM).decode(errors="replace").split("\n")
    escape = _escape(lines)
    scan = _Scanner(arguments, escape)
    for name, rest in _instructions(lines, escape):
        scan.scan(name, rest)
    return list(scan.images)


class _Scanner:
    """State of a scan after some of a Dockerfile's instructions."""

    def __init__(self, arguments: Mapping[str, str | None], escape: str) -> None:
        self.images: Final[dict[Reference, None]] = {}
        self._arguments = arguments
        self._escape = escape
        self._variables: dict[str, str | None] = {}
        self._variables_length = 0
        self._stages: set[str] = set()
        self._in_stage = False
        self._scanners: Mapping[str, Callable[[str], None]] = {
            "arg": self._scan_arg,
            "copy": self._scan_copy,
            "from": self._scan_from,
            "onbuild": self._scan_onbuild,
            "run": self._scan_run,
        }

    def scan(self, name: str, rest: str) -> None:
        """Scan one instruction."""
        if scan := self._scanners.get(name):
            scan(rest)

    def _scan_arg(self, rest: str) -> None:
        if self._in_stage:
            return  # an ARG inside a stage does not apply to FROM
        for word in words(rest, self._escape):
            name, equals, default = word.partition("=")
            argument = self._arguments.get(name)
            if argument is not None:
                self._set_variable(name, argument if len(argument) <= MAX_LENGTH else None)
            elif equals:
                self._set_variable(name, expand(default, self._variables, self._escape))

    def _set_variable(self, name: str, value: str | None) -> None:
        self._variables_length += len(value or "")
        self._variables[name] = value if self._variables_length <= _VARIABLES_LENGTH else None

    def _scan_from(self, rest: str) -> None:
        self._in_stage = True
        _, rest = flags(rest, self._escape)
        match rest.split():
            case [name]:
                stage = ""
            case [name, word, stage] if word.lower() == "as":
                pass
            case _:
                return
        self._add_image(expand(name, self._variables, self._escape))
        self._stages.add(stage.lower())

    def _scan_copy(self, rest: str) -> None:
        options, _ = flags(rest, self._escape)
        self._add_images(value for name, value in options if name == "from")

    def _scan_run(self, rest: str) -> None:
        options, _ = flags(rest, self._escape)
        mounts = (value.split(",") for name, value in options if name == "mount")
        fields = (field.partition("=") for mount in mounts for field in mount)
        self._add_images(value for name, _, value in fields if name.lower() == "from")

    def _scan_onbuild(self, rest: str) -> None:
        # A later stage of the same Dockerfile may build on this stage, and then runs the trigger.
        name, rest = _split(rest)
        if name in _WITH_SOURCES:
            self.scan(name, rest)

    def _add_images(self, names: Iterable[str]) -> None:
        for name in names:
            if not name.isdigit():  # a number refers to a stage
                self._add_image(name)

    def _add_image(self, name: str | None) -> None:
        if not name or name == _NO_IMAGE or name.lower() in self._stages:
            return
        with suppress(InvalidReference):
            self.images[parse_reference(name)] = None


def _escape(lines: Iterable[str]) -> str:
    """Return the escape character. A directive may set it; directives precede everything else."""
    directives = takewhile(bool, (_DIRECTIVE.fullmatch(line.strip()) for line in lines))
    named = (match[2] for match in directives if match and match[1].lower() == "escape")
    return next((each for each in named if each in ESCAPES), ESCAPES[0])


def _instructions(lines: Iterable[str], escape: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the rest of each instruction, its continuation lines joined."""
    remaining = iter(lines)
    for line in remaining:
        if _is_blank(line):
            continue
        name, rest = _split("".join(_continued(line, remaining, escape)))
        for strips_tabs, delimiter in _heredocs(name, rest, escape):
            for body in remaining:
                if (body.lstrip("\t") if strips_tabs else body).rstrip("\r") == delimiter:
                    break
        yield name, rest


def _continued(line: str, following: Iterator[str], escape: str) -> Iterator[str]:
    """Yield a line and its continuation lines; comments and empty lines between them are skipped."""
    while True:
        end = line.rstrip()
        if not end.endswith(escape) or end.endswith(escape * 2):
            yield line
            return
        yield end[:-1]
        line = next((each for each in following if not _is_blank(each)), "")


def _heredocs(name: str, rest: str, escape: str) -> Iterator[tuple[bool, str]]:
    """Yield for each here-document of a line: True if leading tabs are stripped, and the delimiter."""
    if name == "onbuild":
        name, rest = _split(rest)
    for word in words(rest, escape) if name in _WITH_HEREDOCS else ():
        if match := _HEREDOC.fullmatch(word):
            yield bool(match[1]), re.sub("[\"']", "", match[2])


def _split(line: str) -> tuple[str, str]:
    name, rest, *_ = *line.split(None, 1), "", ""
    return name.lower(), rest


def _is_blank(line: str) -> bool:
    start = line.lstrip()
    return not start or start.startswith("#")
