"""The images that a Dockerfile names, as far as its text tells: those whose registries a build may ask.

What is no reference is left out, and nothing is ever an error: the engine says what is wrong with a
Dockerfile. A variable that only the engine knows is empty. The time is linear in the length of the text.
The syntax is that of https://docs.docker.com/reference/dockerfile/, read as the engine's parser reads it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import takewhile
from typing import Final

from dockerproto.buildcontext.substitution import ESCAPES, LONGEST, expand, flags, words
from dockerproto.errors import InvalidReference
from dockerproto.references import Reference, parse_reference

_BOM: Final = b"\xef\xbb\xbf"
_DIRECTIVE: Final = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(\S.*)")
_HEREDOC: Final = re.compile(r"\d*<<(-?)([^<]+)", re.ASCII)
_WITH_SOURCES: Final = frozenset({"copy", "run"})
_WITH_HEREDOCS: Final = frozenset({"add", "copy", "run"})
_NO_IMAGE: Final = "scratch"


def images_of(dockerfile: bytes, arguments: Mapping[str, str | None]) -> list[Reference]:
    r"""Return the images that a build may pull, each once, in the order of the text.

    These are the images of FROM, of ``COPY --from`` and of ``RUN --mount=from``, in all stages, for the
    engine may build any; but not that of ``# syntax=``, which is for BuildKit.

    >>> images_of(b"ARG TAG=1\nFROM r.example/app:$TAG AS app\nCOPY --from=app /a /a\n", {"TAG": "2"})
    [Reference(name='r.example/app', tag='2', digest=None)]
    """
    lines = dockerfile.removeprefix(_BOM).decode(errors="replace").split("\n")
    escape = _escape(lines)
    scan = _Scan(arguments, escape)
    for name, rest in _instructions(lines, escape):
        scan.take(name, rest)
    return list(scan.images)


class _Scan:
    """What is known of a Dockerfile after some of its instructions."""

    def __init__(self, arguments: Mapping[str, str | None], escape: str) -> None:
        self.images: Final[dict[Reference, None]] = {}
        self._arguments: Final = arguments
        self._escape: Final = escape
        self._values: Final[dict[str, str | None]] = {}
        self._stages: Final[set[str]] = set()
        self._begun = False
        self._takes: Final[Mapping[str, Callable[[str], None]]] = {
            "arg": self._arg,
            "copy": self._copy,
            "from": self._from,
            "onbuild": self._onbuild,
            "run": self._run,
        }

    def take(self, name: str, rest: str) -> None:
        """Read an instruction."""
        if take := self._takes.get(name):
            take(rest)

    def _arg(self, rest: str) -> None:
        if self._begun:
            return  # those of a stage are not for FROM
        for word in words(rest, self._escape):
            name, equals, default = word.partition("=")
            given = self._arguments.get(name)
            if given is not None:
                self._values[name] = given if len(given) <= LONGEST else None
            elif equals:
                self._values[name] = expand(default, self._values, self._escape)

    def _from(self, rest: str) -> None:
        self._begun = True
        _, rest = flags(rest, self._escape)
        match rest.split():
            case [name]:
                stage = ""
            case [name, word, stage] if word.lower() == "as":
                pass
            case _:
                return
        self._image(expand(name, self._values, self._escape))
        self._stages.add(stage.lower())

    def _copy(self, rest: str) -> None:
        given, _ = flags(rest, self._escape)
        self._sources(value for name, value in given if name == "from")

    def _run(self, rest: str) -> None:
        given, _ = flags(rest, self._escape)
        mounts = (value.split(",") for name, value in given if name == "mount")
        options = (option.partition("=") for mount in mounts for option in mount)
        self._sources(value for name, _, value in options if name.lower() == "from")

    def _onbuild(self, rest: str) -> None:
        # A later stage of the same Dockerfile may be of this one.
        name, rest = _split(rest)
        if name in _WITH_SOURCES:
            self.take(name, rest)

    def _sources(self, names: Iterable[str]) -> None:
        for name in names:
            if not name.isdigit():  # the number of a stage
                self._image(name)

    def _image(self, name: str | None) -> None:
        if not name or name == _NO_IMAGE or name.lower() in self._stages:
            return
        with suppress(InvalidReference):
            self.images[parse_reference(name)] = None


def _escape(lines: Iterable[str]) -> str:
    """Return what is escaped with: a directive says it, and directives come before all else."""
    directives = takewhile(bool, (_DIRECTIVE.fullmatch(line.strip()) for line in lines))
    named = (match[2] for match in directives if match and match[1].lower() == "escape")
    return next((each for each in named if each in ESCAPES), ESCAPES[0])


def _instructions(lines: Iterable[str], escape: str) -> Iterator[tuple[str, str]]:
    """Yield the name of each instruction and the rest of its line, continued lines joined."""
    left = iter(lines)
    for line in left:
        if _is_void(line):
            continue
        name, rest = _split("".join(_continued(line, left, escape)))
        for tabs, end in _heredocs(name, rest, escape):
            for body in left:
                if (body.lstrip("\t") if tabs else body).rstrip("\r") == end:
                    break
        yield name, rest


def _continued(line: str, following: Iterator[str], escape: str) -> Iterator[str]:
    """Yield a line, and those that continue it; comments and empty lines between them do not count."""
    while True:
        end = line.rstrip()
        if not end.endswith(escape) or end.endswith(escape * 2):
            yield line
            return
        yield end[:-1]
        line = next((each for each in following if not _is_void(each)), "")


def _heredocs(name: str, rest: str, escape: str) -> Iterator[tuple[bool, str]]:
    """Yield the here-documents that begin after a line: whether tabs are stripped, and what ends each."""
    if name == "onbuild":
        name, rest = _split(rest)
    for word in words(rest, escape) if name in _WITH_HEREDOCS else ():
        if match := _HEREDOC.fullmatch(word):
            yield bool(match[1]), re.sub("[\"']", "", match[2])


def _split(line: str) -> tuple[str, str]:
    name, rest, *_ = *line.split(None, 1), "", ""
    return name.lower(), rest


def _is_void(line: str) -> bool:
    start = line.lstrip()
    return not start or start.startswith("#")
