"""The wings of the core: a module imports only from wings below its own, and no circle exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "dockerproto"
TRANSPORTS = ROOT / "transports"

FLOORS: list[set[str]] = [
    {"__init__"},
    {"registry"},
    {"docker"},
    {"daemon_client", "engine_client"},
    {"images"},
    {"operations"},
    {"client"},
    {"buildkit"},
    {"engine"},
    {"configuration", "request"},
    {"credentials", "http"},
    {"progress"},
    {"transport"},
    {"messages"},
    {"endpoint", "buildcontext"},
    {"protobuf", "config"},
    {"agent", "arguments", "caller", "errors", "redacted", "references", "sources", "timeouts", "versions"},
]
"""Wings, from the top floor down; the modules of the ground floor may import each other."""
FLOOR = {wing: number for number, wings in enumerate(FLOORS) for wing in wings}
GROUND = FLOORS[-1]
ROOMS = ["control", "content", "session", "files", "rpc"]
"""The folders of `dockerproto.buildkit`, from the top down."""
CLIENTS = {"dockerproto_asyncio", "dockerproto_trio", "dockerproto_httpx"}


def module_name(path: Path) -> str:
    """Return the dotted name of a module of the core."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(CORE.rglob("*.py"))}


def wing_of(module: str) -> str:
    """Return the wing of a module of the core: its folder, or itself in the root."""
    return [*module.split("."), "__init__"][1]


def imported_modules(source: str, known: set[str]) -> Iterator[str]:
    """Yield the known modules that a source imports anywhere, in functions and for type checkers too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            below = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in known else str(node.module) for name in below]
        else:
            continue
        yield from (name for name in names if name in known)


def upward(module: str, source: str) -> list[str]:
    """Return the imports of a module that do not lead down."""
    own = wing_of(module)
    return [
        name
        for name in imported_modules(source, set(MODULES))
        if (wing := wing_of(name)) != own
        and not (own in GROUND and wing in GROUND)
        and FLOOR[wing] <= FLOOR[own]
    ]


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Return the groups of modules that import each other, directly or not."""
    reached = {module: reachable(module, graph) for module in graph}
    groups = {frozenset({other for other in reached[one] if one in reached[other]}) for one in graph}
    return sorted((set(group) for group in groups if group), key=sorted)


def reachable(module: str, graph: dict[str, set[str]]) -> set[str]:
    """Return the modules that a module imports, directly or not."""
    seen = set[str]()
    waiting = [module]
    while waiting:
        following = graph[waiting.pop()] - seen
        seen |= following
        waiting += following
    return seen


def test_each_wing_has_a_floor() -> None:
    assert {wing_of(module) for module in MODULES} == FLOOR.keys()


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_wings_below_its_own(module: str) -> None:
    assert upward(module, MODULES[module].read_text()) == []


def test_no_circle_of_modules_exists() -> None:
    graph = {name: set(imported_modules(path.read_text(), set(MODULES))) for name, path in MODULES.items()}
    assert circles(graph) == []


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_of_buildkit_imports_only_rooms_below_its_own(room: str) -> None:
    above = tuple(f"dockerproto.buildkit.{other}" for other in ROOMS[: ROOMS.index(room)])
    modules = {
        name: path for name, path in MODULES.items() if name.startswith(f"dockerproto.buildkit.{room}")
    }
    imported = {
        (name, other)
        for name, path in modules.items()
        for other in imported_modules(path.read_text(), set(MODULES))
    }
    assert imported
    assert {(name, other) for name, other in imported if other.startswith(above)} == set()


def test_each_folder_of_buildkit_is_a_room() -> None:
    assert {path.parent.name for path in (CORE / "buildkit").glob("*/*.py")} == set(ROOMS)


def test_the_design_page_shows_the_floors() -> None:
    rows = re.findall(r"^\| (`.*`) \|", (ROOT / "docs/design.md").read_text(), re.MULTILINE)
    assert [set(re.findall(r"\w+", row)) for row in rows] == FLOORS[1:-1]


def test_an_upward_import_is_found_wherever_it_is() -> None:
    for source in (
        "from dockerproto.client import Client",
        "def f():\n    from dockerproto import client",
        "if TYPE_CHECKING:\n    import dockerproto.client",
    ):
        assert upward("dockerproto.buildkit.session.coordinator", source) == ["dockerproto.client"]
    assert upward("dockerproto.client", "from dockerproto.buildkit.rpc.grpc import GRPC") == []


def test_a_circle_is_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set[str](), "e": {"e"}}
    assert circles(graph) == [{"a", "b", "c"}, {"e"}]


@pytest.mark.parametrize("path", sorted(TRANSPORTS.rglob("*.py")), ids=lambda path: path.parent.name)
def test_clients_do_not_import_each_other(path: Path) -> None:
    package = path.relative_to(TRANSPORTS).parts[0]
    imported = {
        str(node.module).split(".")[0]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
    }
    assert (imported & CLIENTS) - {package} == set()


@pytest.mark.parametrize("wing", sorted(wing for wing in FLOOR if (CORE / wing / "__init__.py").exists()))
def test_a_wing_says_what_is_in_it_and_what_it_may_know(wing: str) -> None:
    text = ast.get_docstring(ast.parse((CORE / wing / "__init__.py").read_text()))
    assert text is not None
    assert len(text.split(".")) > 1
