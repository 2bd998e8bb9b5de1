"""Names in the documentation: each can be imported, and each public name is in the reference."""

from __future__ import annotations

import importlib
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import reduce
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "docs/examples").glob("*.py")]
PACKAGES = ["dockerproto", *sorted(each.name for each in (ROOT / "transports").iterdir())]
SUBMODULES = ["dockerproto.messages.trace", "dockerproto.progress"]
"""Modules whose public classes are public under their own paths."""

DIRECTIVE = re.compile(r"^\.\. (?:(currentmodule)|auto\w+):: (\S+)$", re.MULTILINE)
ROLE = re.compile(r"\{py:\w+\}`(?:[^`<]*<)?~?([^`>]+)>?`")
IMPORT = re.compile(
    r"^(?:>>> )?[ +]*(?:import (dockerproto\S*)$|from (dockerproto\S*) import (\([^)]*\)|.*))", re.MULTILINE
)
PROSE = re.compile(r"`((?:dockerproto(?:_\w+)?)(?:\.\w+)+)`")


def documented(page: str) -> Iterator[str]:
    """Yield the names that a page documents, with their modules."""
    module = "dockerproto"
    for found in DIRECTIVE.finditer(page):
        name = found[2]
        if found[1]:
            module = name
        else:
            yield name if name.startswith("dockerproto") else f"{module}.{name}"


def imported(page: str) -> Iterator[str]:
    """Yield the names that a page's programs import, with their modules."""
    for module, source, names in IMPORT.findall(page):
        if module:
            yield module
        yield from (f"{source}.{name}" for name in re.findall(r"\w+(?= as |,|$|\n|\))", names.strip("()")))


def mentioned(page: str) -> set[str]:
    """Return all names of this library that a page mentions."""
    return {*documented(page), *imported(page), *ROLE.findall(page), *PROSE.findall(page)}


def resolve(name: str) -> object:
    """Return the object of a dotted name: a module, or an attribute of the longest module in it."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        with suppress(ModuleNotFoundError):
            module: object = importlib.import_module(".".join(parts[:end]))
            return reduce(getattr, parts[end:], module)
    raise ModuleNotFoundError(name)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_each_name_on_a_page_can_be_imported(path: Path) -> None:
    for name in sorted(mentioned(path.read_text())):
        resolve(name)


def public_names() -> Iterator[str]:
    """Yield the public names of all packages, each under the path that a program imports it from."""
    for package in PACKAGES:
        yield from (f"{package}.{name}" for name in importlib.import_module(package).__all__)
    for name in SUBMODULES:
        module = importlib.import_module(name)
        yield from (f"{name}.{each}" for each, value in vars(module).items() if is_class_of(name, value))


def is_class_of(module: str, value: object) -> bool:
    """Return whether a value is a public class that a module or one below it defines."""
    return isinstance(value, type) and value.__name__[0] != "_" and value.__module__.startswith(module)


def test_each_public_name_is_documented_once_under_its_own_path() -> None:
    names = Counter(name for path in PAGES for name in documented(path.read_text()))
    assert set(public_names()) - names.keys() == set()
    assert {name: count for name, count in names.items() if count > 1} == {}


@pytest.mark.parametrize(
    "page",
    [
        ".. autoclass:: Absent",
        ".. currentmodule:: dockerproto.absent\n\n.. autodata:: Version",
        "{py:class}`~dockerproto.Absent`",
        "{py:class}`an image <dockerproto.Absent>`",
        "```python\nfrom dockerproto import (\n    Absent,\n    Version as V,\n)\n```",
        ">>> from dockerproto.versions import Version, Absent",
        "+from dockerproto import Absent",
        "import dockerproto_absent",
        "as in `dockerproto.absent`",
    ],
)
def test_a_name_that_cannot_be_imported_is_found(page: str) -> None:
    with pytest.raises((AttributeError, ModuleNotFoundError)):
        for name in mentioned(page):
            resolve(name)
