"""The pages about engines, made of the tests' table of differences: tests/engines/differences.py."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from itertools import groupby

import dockerproto
from tests.engines.differences import Difference, Engines
from tests.testbed.engines import ENGINES

SOURCES = (__file__, str(inspect.getsourcefile(Difference)))
"""Files that the texts depend on."""
_CODE = re.compile(r"(?<!`)`(\w+)`(?!`)")


def features() -> str:
    """Return a table of the features that some engines lack, in Markdown."""
    rows = [
        ["", *map(_title, ENGINES)],
        ["--"] * (len(ENGINES) + 1),
        *([each.feature, *_answers(each)] for each in Difference if each.feature),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def differences() -> str:
    """Return a list of all differences and the engines that have them, by topic, in Markdown."""
    return _lists((each, _titles(each.groups)) for each in Difference)


def differences_of_podman() -> str:
    """Return a list of Podman's differences, by topic, in Markdown; it names versions if not all have one."""
    return _lists(
        (each, "" if group.title == "Podman" else group.title)
        for each in Difference
        for group in each.groups
        if group.title.startswith("Podman")
    )


def _title(name: str) -> str:
    """Return the name of an engine for readers: "Docker 28.5, containerd store"."""
    kind, version, *store = name.split("-")
    return f"{kind.capitalize()} {version}{', containerd store' if store else ''}"


def _answers(difference: Difference) -> list[str]:
    lacking = Difference.NO_BUILDKIT.engines if "BuildKit" in difference.feature else ()
    return ["no" if each in difference.engines else "" if each in lacking else "yes" for each in ENGINES]


def _titles(groups: Iterable[Engines]) -> str:
    return ", ".join(each.title for each in groups)


def _lists(described: Iterable[tuple[Difference, str]]) -> str:
    return "\n".join(
        line
        for topic, group in groupby(described, lambda pair: pair[0].topic)
        for line in ("", f"**{topic.value}**", "", *_items(group))
    )


def _items(described: Iterable[tuple[Difference, str]]) -> Iterator[str]:
    for difference, title in described:
        yield f"- {f'{title}: ' if title else ''}{_CODE.sub(_linked, difference.reason)}"


def _linked(code: re.Match[str]) -> str:
    """Return a name in code as a link, if it is the name of one of the library's classes."""
    known = isinstance(getattr(dockerproto, code[1], None), type)
    return f"{{py:class}}`~dockerproto.{code[1]}`" if known else code[0]
