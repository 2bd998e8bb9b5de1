"""Facts about a build that the command writes to files: ``--iidfile`` and ``--metadata-file``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.commanding import Run
from tests.support.control_engines import script
from tests.support.controlling import CONTAINERD, IMAGE, PUSHED, building, pushing
from tests.support.recorded_streams import reply
from tests.testbed.scripted import ScriptedEngine, json_response, recorded

CONFIG: Final = f"sha256:{'ef' * 32}"
CLASSIC: Final = "sha256:0204b82371e0bb2c141d4861ed2e27645b3cf867b527d2dcbb126cc2c5489b5e"
URL: Final = "https://h/a.git"


@pytest.fixture
def run(scripted: ScriptedEngine, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(scripted, capsys)


def controlled(run: Run, response: Mapping[str, str], labels: Mapping[str, str] = CONTAINERD) -> None:
    """Let the engine build by the Control API, and recommend BuildKit."""
    script(run.engine, building(labels=labels, response=response))
    version = {"Api-Version": "1.47", "Builder-Version": "2"}
    run.engine.script("GET", "/_ping", json_response({}, headers=version))


def test_metadata(run: Run, tmp_path: Path) -> None:
    controlled(run, {"containerimage.digest": IMAGE})
    path = tmp_path / "metadata.json"
    lines = run("build", "--metadata-file", str(path), "--push", "-t", "app", URL)
    assert lines[-1] == IMAGE
    assert json.loads(path.read_text()) == {"containerimage.digest": IMAGE}


def test_both_need_no_other_option(run: Run, tmp_path: Path) -> None:
    controlled(run, {"containerimage.digest": IMAGE, "containerimage.config.digest": CONFIG})
    metadata, image = tmp_path / "metadata.json", tmp_path / "image"
    run("build", "--metadata-file", str(metadata), "--iidfile", str(image), URL)
    assert json.loads(metadata.read_text())["containerimage.config.digest"] == CONFIG
    assert image.read_text() == CONFIG


@pytest.mark.parametrize(
    ("response", "content"),
    [
        ({"containerimage.digest": IMAGE, "containerimage.config.digest": CONFIG}, CONFIG),
        ({"containerimage.digest": IMAGE}, IMAGE),
        ({}, ""),
    ],
    ids=["config", "image", "none"],
)
@pytest.mark.parametrize("variable", ["", "1"])
def test_an_image_id(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    response: dict[str, str],
    *,
    content: str,
    variable: str,
) -> None:
    monkeypatch.setenv("DOCKER_BUILDKIT", variable)
    controlled(run, response)
    run("build", "--iidfile", str(tmp_path / "image"), URL)
    assert (tmp_path / "image").read_text() == content


@pytest.mark.parametrize(
    ("variable", "options"),
    [("0", ()), ("", ("--builder", "classic"))],
    ids=["variable", "option"],
)
def test_an_image_id_of_the_classic_builder(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, options: tuple[str, ...]
) -> None:
    monkeypatch.setenv("DOCKER_BUILDKIT", variable)
    run.engine.script("POST", "/build", recorded("docker-26.1/build-classic-ok"))
    run("build", "--iidfile", str(tmp_path / "image"), *options, URL)
    assert (tmp_path / "image").read_text() == CLASSIC


def test_of_the_engines_own_push(run: Run, tmp_path: Path) -> None:
    """The digest is that in the registry, as buildx writes it."""
    controlled(run, {"containerimage.digest": IMAGE}, labels={})
    run.engine.script("POST", "/images/r.example/app/push", reply(pushing("r.example/app")))
    metadata, image = tmp_path / "metadata.json", tmp_path / "image"
    options = ("--metadata-file", str(metadata), "--iidfile", str(image), "--push", "-t", "r.example/app:1")
    run("build", *options, URL)
    assert json.loads(metadata.read_text()) == {
        "containerimage.digest": PUSHED,
        "containerimage.config.digest": IMAGE,
    }
    assert image.read_text() == IMAGE


def test_of_a_directory(run: Run, tmp_path: Path) -> None:
    controlled(run, {})
    image = tmp_path / "image"
    run("build", "--iidfile", str(image), "-o", "type=cacheonly", URL)
    assert image.read_text() == ""


@pytest.mark.parametrize("recommended", [{"Builder-Version": "1"}, {}])
def test_the_engine_recommends_the_classic_builder(run: Run, tmp_path: Path, recommended: Any) -> None:
    run.engine.script("GET", "/_ping", json_response({}, headers={"Api-Version": "1.41", **recommended}))
    run.engine.script("POST", "/build", recorded("docker-26.1/build-classic-ok"))
    run("build", "--iidfile", str(tmp_path / "image"), "--builder", "classic", URL)
    run("build", "--iidfile", str(tmp_path / "image"), URL)
    assert (tmp_path / "image").read_text() == CLASSIC
