"""The templates of ``--format``: the common part of Go's ``text/template``, as the Docker CLI uses it.

A template is parsed into functions that render its parts; the value that it is about is their argument. An
action that is not known here is an error, which lists those that are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias, TypeGuard, cast

Part: TypeAlias = Callable[[Any], str]
"""Renders a part of a template for a value."""
_Expression: TypeAlias = Callable[[Any], Any]

_OPEN: Final = "{{"
_CLOSE: Final = "}}"
_WORD: Final = re.compile(r"""\s*(?:("(?:[^"\\\n]|\\.)*"|`[^`]*`)|(-?\d+)|((?:\.\w+)+|\.)|(\w+)|(\|))""")
_ESCAPE: Final = re.compile(r"\\(.)")
_ESCAPED: Final = {"n": "\n", "t": "\t"}


class TemplateError(ValueError):
    """A template has a part that is malformed or unknown."""


def compile_template(text: str) -> Part:
    """Return a function that renders a template for a value.

    >>> compile_template("{{.Repository}}:{{upper .Tag}}")({"Repository": "app", "Tag": "a"})
    'app:A'
    >>> compile_template("{{range .Tags}}<{{.}}>{{else}}none{{end}}")({"Tags": ["a", "b"]})
    '<a><b>'

    Raises:
        TemplateError: It is malformed, or has an unknown action or function.
    """
    tokens = _tokens(_ESCAPE.sub(_unescape, text))
    part, end = _parse(tokens)
    if end:
        raise TemplateError(f"unexpected {{{{{end}}}}} in the template")
    return part


def fields_of(text: str) -> set[str]:
    """Return the names of the fields that a template mentions."""
    actions = (action for kind, action in _tokens(text) if kind == "action")
    return {name for action in actions for name in re.findall(r"\.(\w+)", action)}


def text_of(value: Any) -> str:
    """Return a value as Go prints it.

    >>> text_of(["a", 1]), text_of({"b": True, "a": None}), text_of(1.5)
    ('[a 1]', 'map[a:<no value> b:true]', '1.5')
    """
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if _is_map(value):
        return f"map[{' '.join(f'{name}:{text_of(each)}' for name, each in sorted(value.items()))}]"
    if _is_list(value):
        return f"[{' '.join(map(text_of, value))}]"
    return str(value)


def _is_map(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)


def _is_list(value: Any) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _unescape(match: re.Match[str]) -> str:
    return _ESCAPED.get(match[1], match[0])


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """Yield literal texts and actions; ``-`` at the edge of an action trims the text beside it."""
    start, trim = 0, False
    while (opening := text.find(_OPEN, start)) >= 0:
        closing = text.find(_CLOSE, opening)
        if closing < 0:
            raise TemplateError("an action of the template lacks its }}")
        literal, action = text[start:opening], text[opening + len(_OPEN) : closing]
        if action.startswith("- "):
            literal, action = literal.rstrip(), action.removeprefix("-")
        yield "text", literal.lstrip() if trim else literal
        trim = action.endswith(" -")
        yield "action", action.removesuffix(" -").strip()
        start = closing + len(_CLOSE)
    yield "text", text[start:].lstrip() if trim else text[start:]


def _parse(tokens: Iterator[tuple[str, str]]) -> tuple[Part, str]:
    """Parse up to the end of a block; return its part, and the action that ended it."""
    parts = list[Part]()
    for kind, text in tokens:
        if kind == "text":
            parts.append(_literal(text))
            continue
        word, _, rest = text.partition(" ")
        if word in ("else", "end"):
            if rest:
                raise TemplateError(f"unknown action {{{{{text}}}}}: {_KNOWN}")
            return _joined(parts), word
        parts.append(_BLOCKS[word](_parse_pipeline(rest), tokens) if word in _BLOCKS else _print(text))
    return _joined(parts), ""


def _literal(text: str) -> Part:
    return lambda _: text


def _joined(parts: Sequence[Part]) -> Part:
    return lambda value: "".join(part(value) for part in parts)


def _print(text: str) -> Part:
    if text.startswith("/*"):
        return _literal("")
    expression = _parse_pipeline(text)
    return lambda value: text_of(expression(value))


def _branches(tokens: Iterator[tuple[str, str]]) -> tuple[Part, Part]:
    """Parse the rest of a block: the part before ``else``, and that after it."""
    first, end = _parse(tokens)
    second = _literal("")
    if end == "else":
        second, end = _parse(tokens)
    if end != "end":
        raise TemplateError("a block of the template lacks its {{end}}")
    return first, second


def _if(condition: _Expression, tokens: Iterator[tuple[str, str]]) -> Part:
    first, second = _branches(tokens)
    return lambda value: first(value) if condition(value) else second(value)


def _with(expression: _Expression, tokens: Iterator[tuple[str, str]]) -> Part:
    first, second = _branches(tokens)
    return lambda value: first(found) if (found := expression(value)) else second(value)


def _range(expression: _Expression, tokens: Iterator[tuple[str, str]]) -> Part:
    first, second = _branches(tokens)

    def render(value: Any) -> str:
        items = expression(value) or ()
        if _is_map(items):
            items = [items[name] for name in sorted(items)]
        if not _is_list(items):
            raise TemplateError(f"range needs a list or a map, not {text_of(items)}")
        return "".join(map(first, items)) if items else second(value)

    return render


_BLOCKS: Final[Mapping[str, Callable[[_Expression, Iterator[tuple[str, str]]], Part]]] = {
    "if": _if,
    "range": _range,
    "with": _with,
}


def _parse_pipeline(text: str) -> _Expression:
    """Parse commands separated by ``|``: the result of each is the last argument of the next."""
    commands = [list[_Expression | str]()]
    at = 0
    text = text.strip()
    while at < len(text):
        if (match := _WORD.match(text, at)) is None:
            raise TemplateError(f"cannot read {text[at:]!r} in {{{{{text}}}}}: {_KNOWN}")
        at = match.end()
        if match[5]:
            commands.append([])
        else:
            commands[-1].append(_word(match))
    first, *others = (_command(words, text) for words in commands)

    def evaluate(value: Any) -> Any:
        result = first(value, ())
        for each in others:
            result = each(value, (result,))
        return result

    return evaluate


def _word(match: re.Match[str]) -> _Expression | str:
    """Return a literal or a field; the name of a function stays a text."""
    quoted, number, field, name, _ = match.groups()
    if name is not None and name not in ("true", "false"):
        return str(name)
    if field is not None:
        return _field(field)
    constant = int(number) if number is not None else name == "true" if quoted is None else quoted[1:-1]
    return lambda _: constant


def _field(path: str) -> _Expression:
    names = path.split(".")[1:] if path != "." else []

    def find(value: Any) -> Any:
        for name in names:
            if not _is_map(value) or name not in value:
                known = ", ".join(f".{each}" for each in value) if _is_map(value) else "none"
                raise TemplateError(f"unknown field .{name} in the template; known fields: {known}")
            value = value[name]
        return value

    return find


def _command(words: Sequence[_Expression | str], text: str) -> Callable[[Any, tuple[Any, ...]], Any]:
    head, *arguments = words or [""]
    if isinstance(head, str):
        function = _FUNCTIONS.get(head)
    elif not arguments:
        return lambda value, _: head(value)
    else:
        function = None
    if function is None or any(isinstance(each, str) for each in arguments):
        raise TemplateError(f"unknown action {{{{{text}}}}}: {_KNOWN}")
    expressions = cast("list[_Expression]", arguments)

    def call(value: Any, piped: tuple[Any, ...]) -> Any:
        try:
            return function(*(each(value) for each in expressions), *piped)
        except (TypeError, AttributeError, LookupError, ValueError) as error:
            if isinstance(error, TemplateError):
                raise
            raise TemplateError(f"wrong arguments in {{{{{text}}}}}: {error}") from error

    return call


def compact_json(value: Any) -> str:
    """Return a value as JSON without spaces, as Go prints it."""
    return json.dumps(value, separators=(",", ":"))


def _join(values: Iterable[Any], separator: str) -> str:
    return separator.join(map(text_of, values))


def _split(text: str, separator: str) -> list[str]:
    return text.split(separator)


def _lower(value: Any) -> str:
    return text_of(value).lower()


def _upper(value: Any) -> str:
    return text_of(value).upper()


def _title(value: Any) -> str:
    return text_of(value).title()


def _truncate(value: Any, length: int) -> str:
    return text_of(value)[:length]


def _pad(value: Any, before: int, after: int) -> str:
    return f"{' ' * before}{text_of(value)}{' ' * after}" if value else ""


def _index(value: Any, *keys: Any) -> Any:
    for each in keys:
        value = value[each]
    return value


def _printed(*values: Any) -> str:
    return "".join(map(text_of, values))


def _line(*values: Any) -> str:
    return f"{' '.join(map(text_of, values))}\n"


def _not(value: Any) -> bool:
    return not value


def _eq(value: Any, *others: Any) -> bool:
    return value in others


def _ne(value: Any, other: Any) -> bool:
    return bool(value != other)


_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "eq": _eq,
    "index": _index,
    "join": _join,
    "json": compact_json,
    "len": len,
    "lower": _lower,
    "ne": _ne,
    "not": _not,
    "pad": _pad,
    "print": _printed,
    "println": _line,
    "split": _split,
    "title": _title,
    "truncate": _truncate,
    "upper": _upper,
}
_KNOWN: Final = (
    "known are fields such as .ID, if, range, with, else, end, and the functions "
    f"{', '.join(sorted(_FUNCTIONS))}"
)
