"""The public interface: every type in a public signature is public, and `dir()` shows nothing else."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType, UnionType
from typing import Annotated, Any, ForwardRef, get_origin, get_overloads

import pytest

import dockerproto
from dockerproto.docker import AsyncBuildKit, AsyncDocker
from dockerproto.operations.operation import AsyncNamespace, Namespace, Operation
from dockerproto.operations.streams import AsyncStream
from dockerproto.registry.operations import RegistryCall

PACKAGES = (
    "dockerproto",
    "dockerproto_asyncio",
    "dockerproto_cli",
    "dockerproto_httpx",
    "dockerproto_local",
    "dockerproto_testing",
    "dockerproto_trio",
)
SUBMODULES = ("dockerproto.progress", "dockerproto.messages.trace")
"""Documented modules whose public classes are the public names."""
DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = "".join(page.read_text() for page in sorted(DOCS.glob("reference*.md")))
MADE_BY_THE_LIBRARY = (AsyncStream, AsyncNamespace, Namespace)
"""Classes that no program instantiates: their constructors are not public."""


def public(module: ModuleType) -> list[str]:
    """Return the public names of a module."""
    classes = [name for name, value in vars(module).items() if isinstance(value, type) and name[0] != "_"]
    return list(getattr(module, "__all__", classes))


MODULES = [importlib.import_module(name) for name in (*PACKAGES, *SUBMODULES)]
PUBLIC = {f"{module.__name__}.{name}": getattr(module, name) for module in MODULES for name in public(module)}
DOCUMENTED = re.findall(r"^\.\. auto\w+:: dockerproto\.(\S+)$", REFERENCE, re.MULTILINE)
NAMES = {path.rpartition(".")[2] for path in (*PUBLIC, *DOCUMENTED)}
"""Names of types that a program can import: exported, or documented under their own paths."""


def annotations_of(value: object) -> Iterator[tuple[str, object]]:
    """Yield the annotations of a public object, each with the name of the module that resolves it."""
    if isinstance(value, property):
        yield from annotations_of(value.fget)
    elif isinstance(value, FunctionType):
        for function in (inspect.unwrap(value), *get_overloads(inspect.unwrap(value))):
            yield from own_annotations(function)
    elif isinstance(value, type):
        for base in filter(is_ours, value.__mro__):
            yield from own_annotations(base)
            yield from member_annotations(base)


def own_annotations(value: Any) -> Iterator[tuple[str, object]]:
    for name, annotation in inspect.get_annotations(value).items():
        if not name.startswith("_"):
            yield value.__module__, annotation


def member_annotations(cls: type) -> Iterator[tuple[str, object]]:
    constructed = not issubclass(cls, MADE_BY_THE_LIBRARY)
    for name, member in vars(cls).items():
        if not name.startswith("_") or (name == "__init__" and constructed):
            yield from annotations_of(getattr(member, "__func__", member))


def types_in(module: str, annotation: object) -> Iterator[str]:
    """Yield the names of this library's types in an annotation."""
    if isinstance(annotation, type):
        names = [annotation.__name__] if is_ours(annotation) else []
    else:
        text = annotation.__forward_arg__ if isinstance(annotation, ForwardRef) else str(annotation)
        names = [node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)]
        names += [node.attr for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute)]
    yield from (name for name in names if is_ours(getattr(sys.modules[module], name, None)))


def is_ours(value: object) -> bool:
    """Return whether a value is a type of this library; operations stand for what they return."""
    origin = get_origin(value)
    if isinstance(kind := origin or value, type) and issubclass(kind, Operation | RegistryCall):
        return False
    if isinstance(value, type):
        return value.__module__.startswith("dockerproto")
    return isinstance(value, UnionType) or origin not in (None, Annotated)


@pytest.mark.parametrize("value", PUBLIC.values(), ids=PUBLIC)
def test_every_type_in_a_public_signature_is_public(value: object) -> None:
    used = {(module, name) for module, each in annotations_of(value) for name in types_in(module, each)}
    assert {f"{module}.{name}" for module, name in used if name not in NAMES} == set()


def test_dir_shows_the_public_names_only() -> None:
    assert dir(dockerproto) == sorted([*dockerproto.__all__, "__version__"])


@pytest.mark.parametrize("name", ["BuildKit", "Docker"])
def test_clients_are_in_the_packages_of_the_transports(name: str) -> None:
    with pytest.raises(ImportError, match="dockerproto_asyncio, dockerproto_trio or dockerproto_httpx"):
        exec(f"from dockerproto import {name}", {})


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(ImportError, match="cannot import name 'Absent'"):
        exec("from dockerproto import Absent", {})
    assert not hasattr(dockerproto, "absent")


def test_the_async_clients_are_loaded_late() -> None:
    assert dockerproto.AsyncDocker is AsyncDocker
    assert dockerproto.AsyncBuildKit is AsyncBuildKit
