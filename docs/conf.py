"""Configuration of Sphinx: pages in MyST Markdown, the reference from docstrings."""

# ruff: noqa: ARG001, PLR0917  # Sphinx defines the arguments of its callbacks

import ast
import builtins
import enum
import inspect
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from docutils.nodes import Element, Node, TextElement, raw
from docutils.statemachine import StringList
from msgspec import Struct
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.ext.napoleon import Config, GoogleDocstring
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective
from sphinx.util.inspect import stringify_signature

import dockerproto
from dockerproto_local import configure

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]  # for the testbed

import captures  # noqa: E402  # they need the line above
import commands  # noqa: E402
import engines  # noqa: E402

project = "dockerproto"
version = release = dockerproto.__version__
copyright = "2026 The dockerproto authors, under the MIT License"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"dockerproto {version}"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["pages.css"]

default_role = "any"  # single backticks in docstrings are references
autodoc_member_order = "bysource"
maximum_signature_line_length = 80
doctest_test_doctest_blocks = ""  # pytest runs those of docstrings, in the namespace of their module

nitpicky = True
# Linking the standard library and httpx would need their inventories from the network.
_STANDARD = "Any|AsyncIterable|Awaitable|BinaryIO|Callable|Iterable|Literal|Mapping|Path|PathLike|Response"
nitpick_ignore_regex = [
    ("py:class", _STANDARD),
    ("py:class", r"(collections\.abc|contextlib|os|rich|ssl|typing|httpx)\..*"),
    ("py:class", r"Int32|Int64|types\.Annotated"),  # fields of protobuf, with their numbers
    ("py:class", "Console|Struct"),  # rich's, msgspec's
    ("py:class", r"SSLContext|AbstractContextManager|(datetime\.)?(datetime|timedelta)"),
    ("py:class", "ListParameters"),  # the way autodoc shows Unpack[ListParameters]
    ("py:class", r"dockerproto\.timeouts\.Default"),  # the type of DEFAULT
    ("py:class", r"(dockerproto\.(\w+\.)+)?[CPRT]"),  # type variables
    # Parts of documented types:
    ("py:class", r"Found|Peer|RequestSender|(dockerproto\.buildcontext\.plan\.)?ExclusionPatterns"),
    ("py:attr", r"dockerproto\.timeouts\.Default\.DEFAULT"),  # documented as DEFAULT
]

# Return types of operations, by kind of client; see dockerproto/operations/operation.py.
_ON_ASYNC_CLIENTS = {
    "Call": "Awaitable",
    "RegistryCall": "Awaitable",
    "Login": "Awaitable[str]",
    "Reported": "AsyncProgress",
    "Downloaded": "AsyncDownload",
    "Streamed": "AsyncStream",
    "TotalOrStream": "Awaitable[CachePruned] | AsyncStream[CacheRecord]",
}
_ON_BLOCKING_CLIENTS = {
    "Call": "",
    "RegistryCall": "",
    "Login": "str",
    "Reported": "Progress",
    "Downloaded": "Download",
    "Streamed": "Stream",
    "TotalOrStream": "CachePruned | Stream[CacheRecord]",
}
_ORIGINS = {
    alias.name: str(node.module)
    for node in ast.walk(ast.parse(inspect.getsource(dockerproto)))
    if isinstance(node, ast.ImportFrom)
    for alias in node.names
}
"""Modules from which `dockerproto` imports its public names."""
_DESCRIBED_ELSEWHERE = ("dockerproto_asyncio.", "dockerproto_trio.")
"""Packages with clients that have the arguments of those in `dockerproto_httpx`."""
_MADE_BY_OPERATIONS = (
    *("AsyncDownload", "AsyncImages", "AsyncProgress", "AsyncStream"),
    *("Download", "Images", "Progress", "Stream"),
)
_NOT_CALLED = tuple(f"dockerproto.{name}" for name in _MADE_BY_OPERATIONS)


class _OnClient(ast.NodeTransformer):
    """Replaces operations in a return annotation by the type that a client returns."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id == "ListOrStream":
            result = ast.unparse(node.slice)
            either = f"Call[MessageList[{result}]] | Reported[{result}]"
            return ast.NodeTransformer.generic_visit(self, ast.parse(either, mode="eval")).body
        self.generic_visit(node)
        return node.slice if isinstance(node.value, ast.Name) and not node.value.id else node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id == "SizeOrDownload":
            return self.visit(ast.parse("Call[int] | Downloaded", mode="eval").body)
        return ast.Name(self._names.get(node.id, node.id))

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:  # builtins.list
        return ast.Name(node.attr)


def _with_readable_default(parameter: inspect.Parameter) -> inspect.Parameter:
    """Show the factory of a mapping as what it makes; Sphinx cannot parse a signature with ``<factory>``."""
    return parameter.replace(default={}) if repr(parameter.default) == "<factory>" else parameter


def _is_never_called(cls: type[Any]) -> bool:
    """Return whether a class is an enum or a protocol, which no program instantiates."""
    return issubclass(cls, enum.Enum) or bool(getattr(cls, "_is_protocol", False))


def show_signature(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None] | None:
    """Show annotations as the source has them, so that type aliases keep their names."""
    if signature is None:
        return None
    if what == "class" and (_is_never_called(obj) or name in _NOT_CALLED):
        return "", None
    if what == "class" and name.startswith(_DESCRIBED_ELSEWHERE):
        return "", None
    found = inspect.signature(obj)
    if isinstance(obj, type) and issubclass(obj, Struct):  # the signature of a struct has resolved types
        source = {name: hint for each in obj.__mro__ for name, hint in inspect.get_annotations(each).items()}
        named = [each.replace(annotation=source[each.name]) for each in found.parameters.values()]
        found = found.replace(parameters=[_with_readable_default(each) for each in named])
    if what == "method":
        found = found.replace(parameters=list(found.parameters.values())[1:])
    shown, arrow, result = stringify_signature(found, unqualified_typehints=True).rpartition(" -> ")
    if not arrow:
        return result, None
    names = _ON_ASYNC_CLIENTS if name.split(".")[-2].startswith("Async") else _ON_BLOCKING_CLIENTS
    return shown, ast.unparse(_OnClient(names).visit(ast.parse(result, mode="eval")))


def read_docstring(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Parse the sections of a docstring, and format parameter names in single backticks as code.

    As an extension, Napoleon would parse attributes too, and mistake a sentence with a colon for a type.
    """
    if what == "data" and name.removeprefix("dockerproto.") in _ORIGINS:  # autodoc shows the type's docstring
        lines[:] = _imported_data_docstring(name.removeprefix("dockerproto."))
    if what == "class":  # many classes have a `close`
        lines[:] = [re.sub("(?<!`)`close`", "``close()``", line) for line in lines]
    if name == "dockerproto_httpx.Docker":
        own = "\n".join(line for line in lines if "transport:" in line)
        lines[:] = f"{lines[0]}\n\n{_arguments_of_clients(own)}".splitlines()
    if what in ("attribute", "data", "property"):
        return
    with suppress(TypeError, ValueError):
        names = "|".join(map(re.escape, inspect.signature(obj).parameters))
        lines[:] = [re.sub(rf"(?<!`)`({names})`(?!`)", r"``\1``", line) for line in lines]
    lines[:] = GoogleDocstring(lines, Config(napoleon_use_rtype=False), app, what, name, obj, options).lines()


def _arguments_of_clients(own: str) -> str:
    """Return the sections of the docstring of `configure`, with a client's own argument."""
    sections = inspect.cleandoc(str(configure.__doc__)).partition("Args:")[2]
    arguments, errors = sections.split("Raises:")
    return f"Args:{arguments.rstrip()}\n{own}\n\nRaises:{errors}"


def _imported_data_docstring(name: str) -> list[str]:
    """Return the docstring of data that `dockerproto` imports, from the module that defines the data."""
    return ModuleAnalyzer.for_module(_ORIGINS[name]).find_attr_docs()["", name]


def find_anywhere(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, shown: TextElement
) -> Element | None:
    """Resolve a name in an annotation that lacks its module."""
    if node.get("refdomain") != "py" or node.get("refspecific") or hasattr(builtins, node["reftarget"]):
        return None
    node["refspecific"] = True
    domain = env.domains.python_domain
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", node["reftarget"], node, shown)


class Capture(SphinxDirective):
    """A picture of the progress display, generated now: see captures.py."""

    required_arguments = 1

    def run(self) -> list[Node]:
        return [raw("", captures.html(self.arguments[0]), format="html")]


class EnginesTable(SphinxDirective):
    """Text about engines, generated now: see engines.py."""

    required_arguments = 1
    _TEXTS: ClassVar = {
        "features": engines.features,
        "differences": engines.differences,
        "podman": engines.differences_of_podman,
    }

    def run(self) -> list[Node]:
        for source in engines.SOURCES:
            self.env.note_dependency(source)
        parsed = Element()
        text = self._TEXTS[self.arguments[0]]()
        self.state.nested_parse(StringList(text.splitlines(), engines.__file__), 0, parsed)
        return parsed.children


class CommandTable(SphinxDirective):
    """Text about the command, generated now: see commands.py."""

    required_arguments = 1
    _TEXTS: ClassVar = {
        "overview": commands.overview,
        "options": commands.options_by_command,
        "help": commands.help_texts,
    }

    def run(self) -> list[Node]:
        for source in commands.SOURCES:
            self.env.note_dependency(source)
        parsed = Element()
        text = self._TEXTS[self.arguments[0]]()
        self.state.nested_parse(
            StringList(text.splitlines(), commands.__file__), 0, parsed, match_titles=True
        )
        return parsed.children


def setup(app: Sphinx) -> None:
    """Connect the functions of this file."""
    app.add_directive("command", CommandTable)
    app.add_directive("capture", Capture)
    app.add_directive("engines", EnginesTable)
    app.connect("autodoc-process-signature", show_signature)
    app.connect("autodoc-process-docstring", read_docstring)
    app.connect("missing-reference", find_anywhere)
