"""Documents of engines that leave values out, and documents that no engine should send."""

from __future__ import annotations

import json
import re
import time
from typing import Any, Final

import pytest

from tests.support.commanding import Run, stdin
from tests.testbed.scripted import ScriptedEngine, json_response

ID: Final = "sha256:" + "0123456789ab" + "c" * 52
IMAGES: Final = (("images",), "GET", "/images/json")
HISTORY: Final = (("history", "app"), "GET", "/images/app/history")
PRUNE: Final = (("prune", "-f"), "POST", "/images/prune")
REMOVE: Final = (("rmi", "app"), "DELETE", "/images/app")


@pytest.fixture
def run(scripted: ScriptedEngine, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(scripted, capsys)


def script(run: Run, command: tuple[tuple[str, ...], str, str], document: object) -> tuple[str, ...]:
    arguments, method, path = command
    run.engine.script(method, path, json_response(document))
    return arguments


TIMES: dict[str, tuple[dict[str, Any], str, str]] = {
    "all is known": ({"Created": time.time() - 5000, "Size": 12}, "1 hour ago", "12 B"),
    "missing": ({}, "N/A", "N/A"),
    "null": ({"Created": None, "Size": None}, "N/A", "N/A"),
    "zero": ({"Created": 0, "Size": 0}, "N/A", "0 B"),
    "the zero time of Go": ({"Created": -62135596800, "Size": -1}, "N/A", "N/A"),
    "only a time": ({"Created": time.time() - 5000}, "1 hour ago", "N/A"),
    "the future": ({"Created": time.time() + 5000, "Size": 10**30}, "now", "1000000000000 EB"),
}


@pytest.mark.parametrize(("values", "created", "size"), TIMES.values(), ids=TIMES)
def test_times_and_sizes_of_images(run: Run, values: dict[str, Any], created: str, size: str) -> None:
    lines = run(*script(run, IMAGES, [{"Id": ID, "RepoTags": ["app:1"], **values}]))
    assert re.split(" {3,}", lines[1]) == ["app", "1", "0123456789ab", created, size]
    assert run.errors == ""


@pytest.mark.parametrize(("values", "created", "size"), TIMES.values(), ids=TIMES)
def test_times_and_sizes_of_history(run: Run, values: dict[str, Any], created: str, size: str) -> None:
    (head, row) = run(*script(run, HISTORY, [{"Id": ID, "CreatedBy": "RUN a", **values}]))
    assert row.split("  ")[0] == "0123456789ab"
    assert row[head.index("CREATED") :].startswith(created)
    assert row[head.index("SIZE") :].strip() == size
    assert run.errors == ""


def test_an_image_may_have_an_id_only(run: Run) -> None:
    assert [line.split() for line in run(*script(run, IMAGES, [{"Id": ID}]))[1:]] == [
        ["<none>", "<none>", "0123456789ab", "N/A", "N/A"]
    ]
    assert run("images", "-q") == ["0123456789ab"]
    script(run, HISTORY, [{"Id": ID, "CreatedBy": None, "Comment": None}])
    assert run("history", "app")[1].split() == ["0123456789ab", "N/A", "N/A"]
    assert run("history", "-q", "app") == ["0123456789ab"]


MALFORMED: list[tuple[tuple[tuple[str, ...], str, str], Any]] = [
    (IMAGES, [{}]),
    (IMAGES, {}),
    (IMAGES, [[]]),
    (IMAGES, [{"Id": 5}]),
    (IMAGES, [{"Id": ID, "RepoTags": "app"}]),
    (IMAGES, [{"Id": ID, "RepoTags": [1]}]),
    (IMAGES, [{"Id": ID, "Created": "yesterday"}]),
    (IMAGES, [{"Id": ID, "Size": 10**400}]),
    (HISTORY, [{}]),
    (HISTORY, {}),
    (HISTORY, [{"Id": ID, "CreatedBy": ["RUN"]}]),
    (HISTORY, [{"Id": ID, "Comment": 1}]),
    (PRUNE, {}),
    (PRUNE, [{}]),
    (PRUNE, {"ImagesDeleted": {}, "SpaceReclaimed": 1}),
    (PRUNE, {"ImagesDeleted": [{}], "SpaceReclaimed": 1}),
    (PRUNE, {"SpaceReclaimed": "1 kB"}),
    (REMOVE, [{}]),
    (REMOVE, {}),
    (REMOVE, [{"Deleted": 1}]),
]


@pytest.mark.parametrize(("command", "document"), MALFORMED)
def test_a_malformed_document_is_one_line(
    run: Run, command: tuple[tuple[str, ...], str, str], document: object
) -> None:
    lines = run(*script(run, command, document), status=1)
    assert lines == []
    assert run.errors.startswith("dockerproto: the ")
    assert "response" in run.errors
    assert run.errors.count("\n") == 1


def test_a_prune_without_a_list_deleted_nothing(run: Run) -> None:
    assert run(*script(run, PRUNE, {"SpaceReclaimed": 0})) == ["Total reclaimed space: 0 B"]


@pytest.mark.parametrize("image", [{}, {"Id": None}, {"Labels": None, "RepoTags": ["app:1"]}])
def test_json_is_what_the_engine_sent_with_empty_lists(run: Run, image: dict[str, Any]) -> None:
    (line,) = run(*script(run, IMAGES, [image]), "--json")
    assert json.loads(line) == [{"RepoTags": [], "RepoDigests": [], **image}]


@pytest.mark.parametrize(
    ("arguments", "which"),
    [
        ((), "without a name"),
        (
            ("--filter", "label=stage=test"),
            "without a name that match label=stage=test",
        ),
        (
            ("-a", "--filter", "until=1h", "--filter", "label!=keep\x1b[2J"),
            "that no container uses that match until=1h, label!=keep",
        ),
    ],
)
def test_the_question_of_a_prune_has_the_filter(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], which: str
) -> None:
    stdin(monkeypatch, b"n\n")
    assert run("prune", *arguments, status=1) == []
    question = f"This deletes all images {which}. Continue? [y/N] "
    assert run.errors == f"{question}dockerproto: nothing was deleted\n"
    assert run.engine.requests == []
