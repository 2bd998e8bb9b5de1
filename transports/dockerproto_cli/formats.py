"""Print rows by ``--format``: as JSON, as a table, or by a template; and values as the Docker CLI does."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from dockerproto.messages.sizes import FACTOR, UNITS
from dockerproto_cli.printing import Invocation
from dockerproto_cli.templates import compact_json, compile_template, fields_of

_TABLE: Final = "table"
_AGES: Final[Sequence[tuple[float, float, str, str]]] = (
    (1, 1, "", "Less than a second"),
    (2, 1, "", "1 second"),
    (60, 1, "seconds", ""),
    (120, 60, "", "About a minute"),
    (3600, 60, "minutes", ""),
)
"""Limit of an age in seconds, length of its unit, name of the unit, or the text for all such ages."""
_LONG_AGES: Final[Sequence[tuple[int, int, str]]] = (
    (48, 1, "hours"),
    (24 * 7 * 2, 24, "days"),
    (24 * 30 * 2, 24 * 7, "weeks"),
    (24 * 365 * 2, 24 * 30, "months"),
)
"""Limit of an age in hours, and length and name of its unit."""


class Rows(Struct, frozen=True):
    """Rows to print."""

    headers: Mapping[str, str]
    """Heads of columns, by the names of the fields."""
    rows: Sequence[Mapping[str, Any]]
    """Fields by name."""


def has_format(invocation: Invocation) -> bool:
    """Return True if rows are to be printed by a format that is not the usual table."""
    return invocation.arguments.format not in (None, _TABLE)


def mentions(invocation: Invocation, field: str) -> bool:
    """Return True if the template mentions a field."""
    return field in fields_of(invocation.arguments.format or "")


def print_rows(invocation: Invocation, rows: Rows) -> None:
    """Print rows by the format; raise TemplateError."""
    form: str = invocation.arguments.format
    if form == "json":
        for row in rows.rows:
            sys.stdout.write(f"{compact_json(row)}\n")
        return
    is_table = form.startswith(f"{_TABLE} ")
    render = compile_template(form.removeprefix(f"{_TABLE} ").lstrip() if is_table else form)
    head = render(rows.headers) if is_table else ""
    lines = [render(row) for row in rows.rows]
    if is_table:
        invocation.table(head.split("\t"), _equal(head, lines))
        return
    for line in lines:
        invocation.text(line)


def print_document(invocation: Invocation, document: Mapping[str, Any]) -> None:
    """Print a document by the format: as JSON on one line, or by a template."""
    form: str = invocation.arguments.format
    if form == "json":
        sys.stdout.write(f"{compact_json(document)}\n")
    else:
        invocation.text(compile_template(form)(document))


def _equal(head: str, lines: Iterable[str]) -> Iterable[Sequence[str]]:
    """Return the cells of lines, as many in each as the head has."""
    count = head.count("\t")
    return [line.split("\t", count) + [""] * (count - line.count("\t")) for line in lines]


def short_size(count: float | None, digits: int = 3) -> str:
    """Return a number of bytes as the Docker CLI prints it.

    >>> short_size(4_040_000), short_size(0), short_size(12_345), short_size(None)
    ('4.04MB', '0B', '12.3kB', 'N/A')
    """
    if count is None or count < 0:
        return "N/A"
    value, unit = float(count), 0
    while value >= FACTOR and unit < len(UNITS) - 1:
        value, unit = value / FACTOR, unit + 1
    return f"{value:.{digits}g}{UNITS[unit]}"


def since(created: float | None) -> str:
    """Return the age of a time in seconds since 1970, as the Docker CLI prints it."""
    if created is None or created <= 0:
        return "N/A"
    return f"{human_age(max(0.0, time.time() - created))} ago"


def human_age(seconds: float) -> str:
    """Return an age.

    >>> human_age(0), human_age(90), human_age(3600 * 40), human_age(86400 * 20), human_age(86400 * 900)
    ('Less than a second', 'About a minute', '40 hours', '2 weeks', '2 years')
    """
    for limit, length, unit, text in _AGES:
        if seconds < limit:
            return text or f"{int(seconds // length)} {unit}"
    hours = int(seconds / 3600 + 0.5)
    if hours == 1:
        return "About an hour"
    for most, size, unit in _LONG_AGES:
        if hours < most:
            return f"{hours // size} {unit}"
    return f"{int(seconds / 3600) // 24 // 365} years"


def timestamp(created: float | None) -> str:
    """Return a time in seconds since 1970 as ``images`` of the Docker CLI prints it."""
    return "N/A" if created is None else time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(created))


def rfc3339(created: float | None) -> str:
    """Return a time in seconds since 1970 as ``history`` of the Docker CLI prints it."""
    if created is None:
        return "N/A"
    return datetime.fromtimestamp(created).astimezone().isoformat().replace("+00:00", "Z")
