"""The output of --format for each command that has it."""

from __future__ import annotations

import json
import time
from typing import Any, Final

import pytest

from dockerproto_cli.formats import human_age, rfc3339, short_size, since, timestamp
from tests.support.commanding import Run
from tests.testbed.scripted import ScriptedEngine, json_response

ID: Final = "sha256:" + "0123456789ab" + "c" * 52
DIGEST: Final = f"sha256:{'d' * 64}"
DAY: Final = 86400
IMAGE: Final = {
    "Id": ID,
    "RepoTags": ["app:1", "app:2"],
    "RepoDigests": [f"app@{DIGEST}"],
    "Created": 1_700_000_000,
    "Size": 4_040_000,
}
STEP: Final = {"Id": ID, "Created": 1_700_000_000, "CreatedBy": "RUN make", "Size": 12, "Comment": "c"}


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.fixture
def run(scripted: ScriptedEngine, capsys: pytest.CaptureFixture[str]) -> Run:
    scripted.script("GET", "/images/json", json_response([IMAGE]))
    scripted.script("GET", "/images/app/history", json_response([STEP]))
    scripted.script("GET", "/images/app/json", json_response({"Id": ID, "Config": {"Cmd": ["sh"]}}))
    return Run(scripted, capsys)


@pytest.mark.parametrize(
    ("form", "lines"),
    [
        ("{{.Repository}}:{{.Tag}}", ["app:1", "app:2"]),
        ("{{.ID}} {{.Size}} {{.Containers}}", ["0123456789ab 4.04MB N/A"] * 2),
        ("{{.Digest}}", [DIGEST] * 2),
        ("{{.CreatedAt}}", ["2023-11-14 22:13:20 +0000 UTC"] * 2),
        ("a\t{{.Tag}}\nb", ["a\t1", "b", "a\t2", "b"]),
        (r"table {{.Tag}}\t{{.Repository}}", ["TAG   REPOSITORY", "1     app", "2     app"]),
        ("table {{.Tag}}", ["TAG", "1", "2"]),
    ],
)
def test_images(run: Run, form: str, lines: list[str]) -> None:
    assert run("images", "--format", form) == lines


def test_images_as_json_lines(run: Run) -> None:
    first, second = map(json.loads, run("images", "--format", "json", "--no-trunc"))
    assert (first["Tag"], second["Tag"]) == ("1", "2")
    assert first == {
        "ID": ID,
        "Repository": "app",
        "Tag": "1",
        "Digest": DIGEST,
        "CreatedSince": first["CreatedSince"],
        "CreatedAt": "2023-11-14 22:13:20 +0000 UTC",
        "Size": "4.04MB",
        "Containers": "N/A",
        "SharedSize": "N/A",
        "UniqueSize": "N/A",
    }
    assert first["CreatedSince"].endswith("years ago")


def test_the_usual_table(run: Run) -> None:
    assert run("images", "--format", "table") == run("images")


def test_hostile_names_and_long_texts(run: Run) -> None:
    run.engine.script(
        "GET", "/images/json", json_response([{**IMAGE, "RepoTags": ["\x1b[31m" + "a" * 5000 + ":1"]}])
    )
    assert run("images", "--format", "{{.Repository}}") == ["a" * 5000]


def test_history(run: Run) -> None:
    form = "{{.ID}} {{.CreatedBy}} {{.CreatedAt}} {{.Size}} {{.Comment}}"
    assert run("history", "--format", form, "app") == ["0123456789ab RUN make 2023-11-14T22:13:20Z 12B c"]


def test_inspect(run: Run) -> None:
    assert run("inspect", "--format", "{{.Id}} {{join .Config.Cmd `,`}}", "app", "app") == [f"{ID} sh"] * 2
    (found,) = json.loads("".join(run("inspect", "--format", "json", "app")))
    assert found["Id"] == ID


@pytest.mark.parametrize("arguments", [["images"], ["inspect", "app"], ["history", "app"]], ids=" ".join)
def test_unknown_fields(run: Run, arguments: list[str]) -> None:
    assert run(*arguments, "--format", "{{.Bogus}}", status=1) == []
    assert "unknown field .Bogus in the template; known fields: .I" in run.errors


SIZES: dict[float | None, str] = {
    None: "N/A",
    -1: "N/A",
    0: "0B",
    999: "999B",
    1000: "1kB",
    1_982_354: "1.98MB",
    10**12 * 2.5: "2.5TB",
    10**25: "1e+07EB",
}


@pytest.mark.parametrize("size", SIZES)
def test_sizes(size: float | None) -> None:
    assert short_size(size) == SIZES[size]


AGES: dict[float, str] = {
    0: "Less than a second",
    1: "1 second",
    59: "59 seconds",
    61: "About a minute",
    3599: "59 minutes",
    3600: "About an hour",
    3600 * 47: "47 hours",
    DAY * 13: "13 days",
    DAY * 59: "8 weeks",
    DAY * 364: "12 months",
    DAY * 800: "2 years",
}


@pytest.mark.parametrize("seconds", AGES)
def test_ages(seconds: float) -> None:
    assert human_age(seconds) == AGES[seconds]


def test_missing_times() -> None:
    values: list[Any] = [since(None), since(0), timestamp(None), rfc3339(None)]
    assert values == ["N/A"] * 4
    assert since(time.time() + 1000) == "Less than a second ago"
