"""The regular expressions of the library, found by walking its modules, and the worst texts for each of them.

A use of a pattern is found in the source, as the method decides what a text costs: ``search`` tries a pattern
at each position, ``fullmatch`` at the first. A pattern that is chosen when it is used is named in `CHOSEN`.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final, cast

from msgspec import Struct

sre: Final[Any] = importlib.import_module("re._constants")
_parser: Final[Any] = importlib.import_module("re._parser")

PACKAGES: Final = (
    "dockerproto",
    "dockerproto_asyncio",
    "dockerproto_cli",
    "dockerproto_httpx",
    "dockerproto_local",
    "dockerproto_trio",
)
_METHODS: Final = frozenset(
    {"match", "search", "fullmatch", "sub", "subn", "findall", "finditer", "split", "compile"}
)
CHOSEN: Final[Mapping[str, Callable[[Any], Iterable[Any]]]] = {
    "buildcontext.substitution: _SYNTAX[escape].word": lambda m: [each.word for each in m._SYNTAX.values()],
    "buildcontext.substitution: _SYNTAX[escape].quotes": lambda m: [
        each.quotes for each in m._SYNTAX.values()
    ],
    "buildcontext.substitution: syntax.quoted if frames[-1].quoted else syntax.unquoted": lambda m: [
        pattern for each in m._SYNTAX.values() for pattern in (each.quoted, each.unquoted)
    ],
    "dockerproto_cli.registries: invocation.docker.images": lambda _: (),  # a search of a registry
    "endpoint.daemons: allowed[each]": lambda m: map(re.compile, (m._VALUE, m._POD)),
    "endpoint.hosts: pattern": lambda m: dict.fromkeys(pattern for pattern, _ in m._SCHEMES.values()),
    "http.chunked: self._following[0]": lambda m: [m._FIRST[0], m._NEXT[0]],
    "http.chunked: partial": lambda m: [m._FIRST[1], m._NEXT[1]],
    "http.chunked: _run(found[0], length)": lambda m: [m._run(b"1\r\n", 1), m._run(b"\r\n1\r\n", 1)],
    "messages.build_log: _BY_FIRST[first]": lambda m: [m._BY_FIRST[first] for first in m._FIRST],
    "messages.classification: _compile(pattern)": lambda m: [
        *(pattern for phrases in (m.OWN, m.REFUSALS, m.CONTEXTS) for _, pattern in phrases),
        *m.HTTP_STATUSES,
        *(m.HTTP_REQUEST, m.NO_IMAGE, m.AMBIGUOUS),
    ],
}
"""Patterns by the module and the expression that chooses one of them."""


class Use(Struct, frozen=True):
    """A method of a pattern that a module calls."""

    where: str
    """Module and expression."""
    pattern: re.Pattern[Any]
    """The pattern."""
    method: str
    """The method: ``search``."""

    def apply(self, text: str) -> None:
        """Call the method with a text."""
        subject = text.encode("latin-1", "replace") if isinstance(self.pattern.pattern, bytes) else text
        if self.method in ("sub", "subn"):
            self.pattern.sub(subject[:0], subject)
        elif self.method == "finditer":
            for _ in self.pattern.finditer(subject):
                pass
        else:
            getattr(self.pattern, self.method)(subject)


def modules() -> Iterator[ModuleType]:
    """Import and yield each module of the library."""
    for name in PACKAGES:
        package = importlib.import_module(name)
        yield package
        for found in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not found.name.endswith("__main__"):
                yield importlib.import_module(found.name)


GUARDED: Final = frozenset(
    {"buildkit.files.follow_paths: _TOKEN"}
)  # tests/test_linear_parsers.py tests its parser
"""Patterns that are applied to a part of the text only."""


def free_uses() -> list[Use]:
    """Return each use of a pattern once, except those of `GUARDED`.

    Raises:
        LookupError: a pattern of `GUARDED` does not exist.
    """
    distinct = {(use.pattern.pattern, use.pattern.flags, use.method): use for use in uses()}
    if missing := GUARDED - {use.where for use in distinct.values()}:
        raise LookupError(f"no such patterns: {missing}")
    return [use for use in distinct.values() if use.where not in GUARDED]


def uses() -> Iterator[Use]:
    """Yield each use of a pattern.

    Raises:
        LookupError: `CHOSEN` lacks an expression that chooses a pattern.
    """
    for module in modules():
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                yield from _uses(module, node, node.func)


def _uses(module: ModuleType, call: ast.Call, function: ast.Attribute) -> Iterator[Use]:
    owner = ast.unparse(function.value)
    if function.attr not in _METHODS:
        return
    if owner == "re":
        expression, method = ast.unparse(call.args[0]), function.attr
        if method == "compile":  # its result is used by a method, and found there
            return
    else:
        expression, method = owner, function.attr
    where = f"{module.__name__.removeprefix('dockerproto.')}: {expression}"
    for pattern in _patterns(module, expression, where, required=owner == "re" or method != "split"):
        yield Use(where, pattern, method)


def _patterns(
    module: ModuleType, expression: str, where: str, *, required: bool
) -> Iterator[re.Pattern[Any]]:
    if where in CHOSEN:
        yield from map(re.compile, CHOSEN[where](module))
        return
    try:
        found = eval(expression, vars(module))  # an expression of the library itself
    except Exception:  # noqa: BLE001  # a local variable
        found = None
    if isinstance(found, re.Pattern | str | bytes):
        yield re.compile(cast("Any", found))
    elif found is None and required:
        raise LookupError(f"name the patterns of {where!r} in CHOSEN")


_REPEATS: Final = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)
_ASSERTIONS: Final = (sre.ASSERT, sre.ASSERT_NOT)
_CHARACTERS: Final = "a0 .:/-_=\\\"'[](){}<>,;@#$*\t\n\r\x1b~!%A\xe9\x80\x9b\ud800"
_BAD_FRAMES: Final = (("", "\0"), ("", ""), ("", "\n"), ("\0", "\0"))


def worst_texts(pattern: re.Pattern[Any], size: int) -> Iterator[str]:
    """Yield texts that cost a backtracking matcher most: what is repeated in the pattern, many times."""
    source = pattern.pattern
    text = source.decode("latin-1") if isinstance(source, bytes) else source
    tree = _parser.parse(text, pattern.flags & ~re.UNICODE & ~re.DEBUG)
    found = dict.fromkeys(_pumps(tree, ""))
    for before, unit in found:
        for repeated, start in ((unit, before), (before + unit, ""), (before, "")):
            for head, end in _BAD_FRAMES if repeated else ():
                yield head + start + repeated * (size // len(repeated)) + end


def _pumps(items: Any, before: str) -> Iterator[tuple[str, str]]:
    """Yield what is repeated in a pattern, each with a text that leads to it."""
    for operator, argument in items:
        for inner in _inner(operator, argument):
            yield from _pumps(inner, before)
        if operator in _REPEATS and argument[1] > 1:
            for unit in _samples(argument[2]):
                yield before, unit
        before += next(iter(_samples([(operator, argument)])), "")
    yield before, "a"


def _inner(operator: Any, argument: Any) -> list[Any]:
    """Return the patterns inside an item of a pattern."""
    if operator in _REPEATS:
        return [argument[2]]
    if operator is sre.BRANCH:
        return list(argument[1])
    if operator is sre.GROUPREF_EXISTS:
        return [each for each in argument[1:] if each is not None]
    if operator is sre.ATOMIC_GROUP:
        return [argument]
    return [argument[-1]] if operator in (sre.SUBPATTERN, *_ASSERTIONS) else []


def _samples(items: Any) -> list[str]:
    """Return a few texts that a pattern matches; the first character sets of it vary."""
    texts = [""]
    for operator, argument in items:
        following = _item_samples(operator, argument) or [""]
        if len(texts) == 1:
            texts = [texts[0] + each for each in following]
        else:
            texts = [each + following[0] for each in texts]
    return [each for each in texts if each]


def _item_samples(operator: Any, argument: Any) -> list[str]:
    if operator is sre.LITERAL:
        return [chr(argument)]
    if operator in (sre.IN, sre.ANY, sre.NOT_LITERAL):
        return [each for each in _CHARACTERS if _is_in(operator, argument, each)][:6]
    if operator in _REPEATS:
        return [each * max(1, min(argument[0], 70)) for each in _samples(argument[2])]
    if operator in _ASSERTIONS:
        return []
    return [each for inner in _inner(operator, argument) for each in _samples(inner)]


def _is_in(operator: Any, argument: Any, character: str) -> bool:
    if operator is sre.ANY:
        return character != "\n"
    if operator is sre.NOT_LITERAL:
        return chr(argument) != character
    negated: bool = argument[0][0] is sre.NEGATE
    return negated is not any(_is_one(each, character) for each in argument)


_CATEGORIES: Final = {
    sre.CATEGORY_DIGIT: r"\d",
    sre.CATEGORY_SPACE: r"\s",
    sre.CATEGORY_WORD: r"\w",
    sre.CATEGORY_NOT_DIGIT: r"\D",
    sre.CATEGORY_NOT_SPACE: r"\S",
    sre.CATEGORY_NOT_WORD: r"\W",
}


def _is_one(item: Any, character: str) -> bool:
    operator, argument = item
    if operator is sre.LITERAL:
        return chr(argument) == character
    if operator is sre.RANGE:
        return ord(character) in range(argument[0], argument[1] + 1)
    if operator is sre.CATEGORY:
        return re.fullmatch(_CATEGORIES[argument], character) is not None
    return False
