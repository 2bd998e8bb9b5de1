"""The rules of the house: no I/O in the core, one place for each fact, nothing too long, all documented."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import subprocess
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, TypeAlias

import pytest

import dockerproto
from dockerproto import AsyncBuildKit, AsyncImages, Images
from dockerproto.docker import BlockingBuildKit

ROOT = Path(__file__).parents[2]
CORE = sorted((ROOT / "dockerproto").rglob("*.py"))
TRANSPORTS = sorted((ROOT / "transports").rglob("*.py"))
SOURCES = [*CORE, *TRANSPORTS]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
PACKAGES = [
    "dockerproto",
    *sorted(each.name for each in (ROOT / "transports").iterdir() if (each / "__init__.py").exists()),
]

FORBIDDEN = [
    *("asyncio", "trio", "anyio", "httpx", "socket", "ssl", "select", "selectors", "subprocess"),
    *("http.client", "urllib.request"),
]

FunctionDef: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Definition: TypeAlias = FunctionDef | ast.ClassDef

LONGEST_FUNCTION = 30
LONGEST_MODULE = 450
LONGEST_ON_THE_WAY = {"client.py": 199, "daemon_client.py": 199, "engine.py": 199, "engine_client.py": 199}
LONGEST_EXAMPLE = 80
LONGEST_PACKAGE = {"dockerproto_asyncio": 190, "dockerproto_trio": 160, "dockerproto_httpx": 290}


def name_of(path: Path) -> str:
    """Return the path of a source as it is shown."""
    return str(path.relative_to(ROOT))


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


by_source = pytest.mark.parametrize("path", SOURCES, ids=name_of)
by_core_source = pytest.mark.parametrize("path", CORE, ids=name_of)

IMPORT_ALL = """
import importlib, json, pkgutil, sys
before = sorted(sys.modules)
import dockerproto
for module in pkgutil.walk_packages(dockerproto.__path__, "dockerproto."):
    importlib.import_module(module.name)
print(json.dumps([before, sorted(sys.modules)]))
"""


@pytest.fixture(scope="module")
def loaded() -> tuple[set[str], set[str]]:
    """Return what a fresh Python has loaded before and after the whole core was imported."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True, check=True, cwd=ROOT
    )
    before, after = json.loads(done.stdout)
    return set(before), set(after)


@pytest.mark.parametrize("module", FORBIDDEN)
def test_the_core_loads_nothing_that_does_io(module: str, loaded: tuple[set[str], set[str]]) -> None:
    before, after = loaded
    assert "dockerproto.images.build" in after
    assert module not in before, "a Python that has loaded it already tells nothing"
    assert module not in after


@by_core_source
def test_the_core_imports_nothing_that_does_io(path: Path) -> None:
    assert sorted(set(imported(parse(path))) & set(FORBIDDEN)) == []


@by_core_source
def test_the_core_reads_no_clock_environment_or_file(path: Path) -> None:
    names = {
        ast.unparse(node) for node in ast.walk(parse(path)) if isinstance(node, ast.Attribute | ast.Name)
    }
    assert sorted(names & {"open", "os.environ", "os.getenv", "print", "input"}) == []
    assert (
        sorted(set(imported(parse(path))) & {"time", "random", "secrets", "pathlib", "tempfile", "threading"})
        == []
    )


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the modules that a source imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


MODULES = [
    importlib.import_module(f"dockerproto.images.{name}")
    for name in ("build", "checks", "load_save", "local", "pull_push", "registry")
]
OPERATIONS: dict[str, Any] = {
    name: value
    for module in MODULES
    for name, value in vars(module).items()
    if isinstance(value, FunctionType) and value.__module__ == module.__name__ and not name.startswith("_")
}
OTHER_NAMES = {"load": "import_image", "save": "export_image"}
FACADES: list[type] = [AsyncImages, Images]


def test_there_are_operations() -> None:
    assert len(OPERATIONS) == 21
    assert {"build", "pull", "list", "search"} <= OPERATIONS.keys()


@pytest.mark.parametrize("facade", FACADES)
def test_a_facade_has_the_operations_and_no_others(facade: type) -> None:
    assert {name for name in vars(facade) if not name.startswith("_")} == {*OPERATIONS, *OTHER_NAMES}


@pytest.mark.parametrize("facade", FACADES)
def test_other_names_of_operations(facade: type) -> None:
    for name, operation in OTHER_NAMES.items():
        assert getattr(facade, name) is getattr(facade, operation)


def test_clients_of_daemons_have_the_same_operations() -> None:
    own = {name for name, value in vars(AsyncBuildKit).items() if isinstance(value, FunctionType)}
    operations = own - {"__init__"}
    assert operations >= {"build", "check", "workers"}
    blocking = vars(BlockingBuildKit)
    assert {name for name in blocking if name[0] != "_"} == operations
    assert all(blocking[name].__doc__ == vars(AsyncBuildKit)[name].__doc__ for name in operations)


@pytest.mark.parametrize("facade", FACADES)
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_method_is_documented_as_its_operation(facade: type, name: str) -> None:
    method, operation = getattr(facade, name), OPERATIONS[name]
    assert (method.__name__, method.__doc__) == (name, operation.__doc__)
    parameters = list(inspect.signature(method).parameters.values())
    assert (parameters[0].name, parameters[0].kind) == ("self", inspect.Parameter.POSITIONAL_ONLY)
    assert parameters[1:] == list(inspect.signature(operation).parameters.values())


@pytest.mark.parametrize("name", PACKAGES)
def test_public_names_exist_and_are_sorted(name: str) -> None:
    package = importlib.import_module(name)
    assert [each for each in package.__all__ if not hasattr(package, each)] == []
    assert sorted(package.__all__, key=isort) == package.__all__
    assert len(set(package.__all__)) == len(package.__all__)


def isort(name: str) -> tuple[int, str]:
    """Sort constants first, then classes, then the rest."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


@pytest.mark.parametrize("name", PACKAGES)
def test_what_a_package_exports_is_documented(name: str) -> None:
    package = importlib.import_module(name)
    assert [
        each for each in package.__all__ if not isinstance(getattr(package, each), ModuleType)
    ] == package.__all__
    assert set(package.__all__) - DOCUMENTED == set()


def _documented(tree: ast.Module) -> Iterator[str]:
    """Yield what has a docstring at the top of a module, constants too."""
    for node, following in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(node, Definition) and ast.get_docstring(node):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign) and _is_text(following):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def _is_text(node: ast.AST | None) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


DOCUMENTED = {name for path in SOURCES for name in _documented(parse(path))}


@by_source
def test_everything_public_is_documented(path: Path) -> None:
    tree = parse(path)
    assert ast.get_docstring(tree)
    assert [name for name, node in public(tree, "") if not ast.get_docstring(node)] == []


def public(tree: ast.Module | ast.ClassDef, within: str) -> Iterator[tuple[str, Definition]]:
    """Yield the public classes, functions, methods and properties of a source."""
    for node in tree.body:
        if not isinstance(node, Definition) or node.name.startswith("_") or _is_overload(node):
            continue
        yield within + node.name, node
        if isinstance(node, ast.ClassDef):
            yield from public(node, f"{within}{node.name}.")


def _is_overload(node: Definition) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "overload" for each in node.decorator_list)


def test_each_path_of_the_engine_stands_once() -> None:
    paths = Counter(shown for path in CORE for shown in paths_of(parse(path)))
    assert paths.keys() >= {
        "/images/create",
        "/images/json",
        "/build",
        "/_ping",
        "/images/{}/push",
        "/version",
    }
    assert {shown: times for shown, times in paths.items() if times > 1} == {}


def paths_of(tree: ast.AST) -> Iterator[str]:
    """Yield the strings of a source that begin with a slash, except docstrings; {} is a placeholder."""
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    inside |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        shown = ""
        if isinstance(node, ast.JoinedStr):
            shown = "".join(
                str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            shown = node.value
        if shown.startswith("/") and len(shown) > 1:
            yield shown


@by_source
def test_no_function_is_too_long(path: Path) -> None:
    functions = (node for node in ast.walk(parse(path)) if isinstance(node, FunctionDef))
    lengths = {node.name: length_of(node) for node in functions}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION} == {}


def length_of(function: FunctionDef) -> int:
    """Return the lines of a function without its signature and its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", [*SOURCES, *TESTS], ids=name_of)
def test_no_module_is_too_long(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_MODULE


@pytest.mark.parametrize(("module", "longest"), LONGEST_ON_THE_WAY.items(), ids=LONGEST_ON_THE_WAY)
def test_no_module_on_the_way_of_a_request_is_too_long(module: str, longest: int) -> None:
    assert len((ROOT / "dockerproto" / module).read_text().splitlines()) <= longest


@pytest.mark.parametrize(("package", "longest"), LONGEST_PACKAGE.items(), ids=LONGEST_PACKAGE)
def test_no_transport_is_too_long(package: str, longest: int) -> None:
    sources = [path for path in TRANSPORTS if package in path.parts]
    assert sources
    assert sum(len(lines_of_code(path)) for path in sources) < longest


def lines_of_code(path: Path) -> set[int]:
    """Return the lines that are neither blank nor a comment nor part of a docstring."""
    ignored = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
    with tokenize.open(path) as source:
        tokens = [token for token in tokenize.generate_tokens(source.readline) if token.type not in ignored]
    lines = {line for token in tokens for line in range(token.start[0], token.end[0] + 1)}
    texts = (node for node in ast.walk(parse(path)) if isinstance(node, ast.Expr) and _is_text(node))
    return lines - {line for node in texts for line in range(node.lineno, (node.end_lineno or 0) + 1)}


def test_the_transport_of_the_docs_is_short() -> None:
    assert len((ROOT / "docs/examples/socket_transport.py").read_text().splitlines()) <= LONGEST_EXAMPLE


def test_asyncio_and_trio_are_built_alike() -> None:
    on_asyncio = methods("dockerproto_asyncio", "Asyncio")
    assert on_asyncio == methods("dockerproto_trio", "Trio")
    assert on_asyncio.keys() == {"BuildKit", "Docker", "_Transport", "_Lock", "_Task", "_Stream"}


def methods(package: str, loop: str) -> dict[str, set[str]]:
    """Return the classes of a transport, without the name of its loop, and the methods of each."""
    classes = (
        node
        for node in parse(ROOT / "transports" / package / "__init__.py").body
        if isinstance(node, ast.ClassDef)
    )
    return {
        node.name.replace(loop, ""): {
            each.name
            for each in node.body
            if isinstance(each, FunctionDef) and (not each.name.startswith("_") or each.name == "__init__")
        }
        for node in classes
    }


def test_the_version_is_written_once() -> None:
    assert dockerproto.__version__.count(".") == 2
    assert [path for path in SOURCES if "__version__ = " in path.read_text()] == [
        ROOT / "dockerproto/agent.py"
    ]
