"""Tables of HTML for notebooks: their cells, and that nothing of an engine is HTML."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from dockerproto.messages.html import MOST_ROWS
from dockerproto.messages.results import (
    BuildResult,
    BuildWarning,
    ImportResult,
    MessageList,
    PulledTag,
    PullResult,
    PushResult,
)
from dockerproto.messages.tables import HistoryTable, ImageTable, SearchTable

ID = "sha256:0123456789abcdef"


class Cells(HTMLParser):
    """The texts of the cells of a table, and its tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def cells(shown: Any) -> list[list[str]]:
    return rows_of(shown._repr_html_())


def rows_of(html: str) -> list[list[str]]:
    return [[cell.strip("\n") for cell in row] for row in Cells(html).rows]


def test_images() -> None:
    images: Any = [
        {"Id": ID, "RepoTags": ["app:1", "app:2"], "Created": 1_700_000_000, "Size": 4_042_315},
        {"Id": ID, "RepoTags": [], "Created": 0, "Size": 5},
    ]
    assert cells(ImageTable(images)) == [
        ["name", "id", "created", "size"],
        ["app:1\napp:2", "0123456789ab", "2023-11-14 22:13", "4.04 MB"],
        ["<none>", "0123456789ab", "", "5 B"],
    ]


def test_history() -> None:
    entries: Any = [{"Id": "<missing>", "Created": 1_700_000_000, "CreatedBy": "/bin/sh -c true", "Size": 0}]
    assert cells(HistoryTable(entries))[1] == ["<missing>", "2023-11-14 22:13", "/bin/sh -c true", "0 B"]


def test_search_results() -> None:
    results: Any = [{"name": "busybox", "description": "a box", "star_count": 3000}]
    assert cells(SearchTable(results)) == [["name", "description", "stars"], ["busybox", "a box", "3000"]]


@pytest.mark.parametrize(
    ("result", "rows"),
    [
        (
            BuildResult(ID, ("app:1", "app:2"), (BuildWarning("old syntax", ("more",)),), {"key": 1}),
            [["image", ID], ["tags", "app:1\napp:2"], ["warnings", "old syntax  more"]],
        ),
        (
            PullResult("busybox:latest", downloaded=True, tags=(PulledTag("latest", "sha256:1"),)),
            [["reference", "busybox:latest"], ["downloaded", "True"], ["tags", "latest  sha256:1"]],
        ),
        (PushResult("team/app"), [["repository", "team/app"]]),
        (ImportResult(), []),
    ],
    ids=["build", "pull", "push", "import"],
)
def test_results(result: Any, rows: list[list[str]]) -> None:
    assert cells(result) == rows
    assert cells(MessageList([{"status": "x"}], result)) == [*rows, ["messages", "1"]]


def html(make_table: Callable[[Any], Any], documents: list[dict[str, Any]]) -> str:
    text: str = make_table(documents)._repr_html_()
    return text


def test_more_rows_are_counted() -> None:
    shown = html(ImageTable, [{"Id": ID}] * (MOST_ROWS + 5))
    assert len(Cells(shown).rows) == 1 + MOST_ROWS
    assert shown.endswith("<p>… 5 more</p>")


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["Id", "RepoTags", "Created", "CreatedBy", "Size", "name", "star_count"]),
            st.one_of(
                st.text(st.characters()),
                st.integers(),
                st.none(),
                st.lists(st.text()),
                st.floats(),
            ),
        ),
        max_size=3,
    )
)
def test_nothing_of_an_engine_is_html(documents: list[dict[str, Any]]) -> None:
    for make_table in (ImageTable, HistoryTable, SearchTable):
        shown = html(make_table, documents)
        shown.encode()
        assert Cells(shown).tags == {"table", "tr", "th"} | ({"td"} if documents else set())


def test_hostile_text_is_escaped() -> None:
    shown = html(
        ImageTable, [{"Id": "<script>", "RepoTags": ["<img src=x onerror=alert(1)>", 5], "Size": "<b>"}]
    )
    assert rows_of(shown)[1] == ["<img src=x onerror=alert(1)>", "<script>", "", "0 B"]
    assert not re.search("<(script|img|b)", shown)
    odd = html(ImageTable, [{"RepoTags": 5, "Created": 2**62, "Id": "\ud800"}])
    assert rows_of(odd)[1] == ["<none>", "?", "", "0 B"]


def test_a_table_is_a_list() -> None:
    documents: Any = [{"Id": ID}]
    table = ImageTable(documents)
    assert table == documents
    assert repr(table) == repr(documents)
    assert json.encode(table) == json.encode(documents)
    assert pickle.loads(pickle.dumps(table)) == documents
