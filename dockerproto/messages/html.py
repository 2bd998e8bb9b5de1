"""Tables of HTML, as notebooks display lists of documents and results.

An engine's texts may contain anything, so everything is escaped, and a value of another type than expected is
left out. Times are in UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any, Final, TypeAlias, cast

from msgspec import Struct

from dockerproto.messages.sizes import size
from dockerproto.messages.values import number_of, text_of

MOST_ROWS: Final = 100
"""Limit of the rows of a table; more are counted."""
_ID_LENGTH: Final = 12
_CELL: Final = ' style="text-align: left; white-space: pre-line"'

Document: TypeAlias = Mapping[str, Any]
"""A JSON object of an engine."""


def images_table(images: Sequence[Document]) -> str:
    """Return a table of images."""
    return _documents(images, {"name": _names, "id": _id, "created": _created, "size": _size})


def history_table(entries: Sequence[Document]) -> str:
    """Return a table of the steps that made an image."""
    return _documents(
        entries, {"id": _id, "created": _created, "created by": _text("CreatedBy"), "size": _size}
    )


def search_table(results: Sequence[Document]) -> str:
    """Return a table of repositories."""
    columns = {"name": _text("name"), "description": _text("description"), "stars": _stars}
    return _documents(results, columns)


def result_table(result: object, messages: int = 0) -> str:
    """Return a table of the fields of a result, without empty ones, and the number of messages."""
    fields: tuple[str, ...] = getattr(result, "__struct_fields__", ())
    rows = [(name, _value(getattr(result, name))) for name in fields]
    rows.append(("messages", str(messages or "")))
    return _table((), [row for row in rows if row[1]])


def _documents(documents: Sequence[Document], columns: Mapping[str, Callable[[Document], str]]) -> str:
    rows = [[cell(each) for cell in columns.values()] for each in documents[:MOST_ROWS]]
    table = _table(tuple(columns), rows)
    more = len(documents) - len(rows)
    return f"{table}<p>… {more} more</p>" if more else table


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; without a head, the first cell of each row is its heading."""
    lines = ["<table>"]
    if head:
        lines.append(_row("".join(_cell("th", each) for each in head)))
    for first, *rest in rows:
        cells = [_cell("td" if head else "th", first), *(_cell("td", each) for each in rest)]
        lines.append(_row("".join(cells)))
    return "\n".join((*lines, "</table>"))


def _row(cells: str) -> str:
    return f"<tr>{cells}</tr>"


def _cell(tag: str, text: str) -> str:
    # Halves of surrogate pairs cannot be sent to a browser.
    return f"<{tag}{_CELL}>{escape(text.encode(errors='replace').decode())}</{tag}>"


def _names(image: Document) -> str:
    tags = image.get("RepoTags")
    names = map(text_of, cast("list[object]", tags)) if isinstance(tags, list) else ()
    return "\n".join(filter(None, names)) or "<none>"


def _id(document: Document) -> str:
    return text_of(document.get("Id")).removeprefix("sha256:")[:_ID_LENGTH]


def _created(document: Document) -> str:
    seconds = number_of(document.get("Created"))
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}" if seconds else ""
    except (ValueError, OverflowError, OSError):  # after the year 9999
        return ""


def _size(document: Document) -> str:
    return size(number_of(document.get("Size")))


def _stars(document: Document) -> str:
    return str(number_of(document.get("star_count")))


def _text(key: str) -> Callable[[Document], str]:
    return lambda document: text_of(document.get(key))


def _value(value: object) -> str:
    """Return a field of a result as text: a line for each part of a tuple."""
    if isinstance(value, tuple):
        return "\n".join(map(_value, cast("tuple[object, ...]", value)))
    if isinstance(value, Struct):
        fields = [_value(getattr(value, name)) for name in value.__struct_fields__]
        return "  ".join(filter(None, fields))
    return "" if value is None or isinstance(value, Mapping) else str(value)
