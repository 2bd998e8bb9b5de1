"""Builds by the command: sources, arguments and failures."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from dockerproto import ConnectionFailed, DockerStreamError, to_json
from dockerproto_cli.printing import report_error
from dockerproto_httpx import Docker
from dockerproto_local.small_files import READ_LIMIT
from tests.support.commanding import Run, endless_stdin, stdin
from tests.support.recorded_streams import lines_of, reply
from tests.testbed.base_image import context
from tests.testbed.scripted import ScriptedEngine, recorded


@pytest.fixture
def run(scripted: ScriptedEngine, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(scripted, capsys)


def test_build_of_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.engine.script("POST", "/build", recorded("docker-26.1/build-classic-ok"))
    stdin(monkeypatch, b"FROM busybox")
    monkeypatch.setenv("WHO", "me")
    monkeypatch.delenv("NOBODY", raising=False)
    arguments = "-t a -t b:1 --build-arg X=1=2 --build-arg WHO --build-arg NOBODY --label l=v --label bare"
    arguments += " --no-cache --pull --target t --network none -"
    assert run("build", *arguments.split()) == [
        "sha256:0204b82371e0bb2c141d4861ed2e27645b3cf867b527d2dcbb126cc2c5489b5e"
    ]
    query = {name: values for name, values in run.query.items() if name not in ("rm", "dockerfile")}
    assert json.loads(query.pop("buildargs")[0]) == {"X": "1=2", "WHO": "me", "NOBODY": None}
    assert json.loads(query.pop("labels")[0]) == {"l": "v", "bare": ""}
    assert query == {
        "t": ["a", "b:1"],
        "nocache": ["1"],
        "pull": ["1"],
        "target": ["t"],
        "networkmode": ["none"],
    }


def test_build_of_a_tar(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.engine.script("POST", "/build", recorded("docker-26.1/build-classic-ok"))
    for tar in (context("FROM busybox"), gzip.compress(context("FROM busybox"))):
        stdin(monkeypatch, tar)
        run("build", "-f", "sub/Dockerfile", "-")
        assert run.engine.requests[-1].body == tar
        assert run.query["dockerfile"] == ["sub/Dockerfile"]


def test_build_of_an_url(run: Run) -> None:
    run.engine.script("POST", "/build", recorded("docker-26.1/build-classic-ok"))
    run("build", "https://git.example/app.git", "-f", "Other")
    assert run.query["remote"] == ["https://git.example/app.git"]
    assert run.query["dockerfile"] == ["Other"]


def test_build_of_a_directory(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run.engine.script("POST", "/build", recorded("docker-26.1/build-classic-ok"))
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "poem.txt").write_text("one core\n")
    monkeypatch.chdir(tmp_path)
    Path("Other").write_text("FROM busybox")
    for file, standard in (("Other", b""), ("-", b"FROM busybox")):
        stdin(monkeypatch, standard)
        run("build", "-f", file, "--builder", "classic", "context")
        with tarfile.open(fileobj=io.BytesIO(run.engine.requests[-1].body)) as sent:
            assert "poem.txt" in sent.getnames()
            dockerfile = sent.extractfile(run.query["dockerfile"][0])
            assert dockerfile is not None
            assert dockerfile.read() == b"FROM busybox"
        assert "upload: " in run.errors


def test_limits_of_steps(run: Run) -> None:
    run.engine.script("POST", "/build", recorded("docker-26.1/build-classic-ok"))
    options = "--add-host a:10.0.0.1 --shm-size 64m --ulimit nofile=5:6 -m 1g --force-rm --cache-from a,b"
    run("build", *options.split(), "https://git.example/app.git")
    assert run.query["extrahosts"] == ["a:10.0.0.1"]
    assert (run.query["shmsize"], run.query["memory"]) == ([str(64 * 2**20)], [str(2**30)])
    assert json.loads(run.query["ulimits"][0]) == [{"Name": "nofile", "Soft": 5, "Hard": 6}]
    assert json.loads(run.query["cachefrom"][0]) == ["a", "b"]
    assert run.query["forcerm"] == ["1"]


@pytest.mark.parametrize("mode", ["rawjson", "quiet"])
def test_progress_for_programs(run: Run, mode: str) -> None:
    messages: list[dict[str, Any]] = [{"stream": "done\n"}, {"aux": {"ID": f"sha256:{'1' * 64}"}}]
    run.engine.script("POST", "/build", reply(messages))
    assert run("build", "--progress", mode, "https://git.example/app.git") == [f"sha256:{'1' * 64}"]
    assert [json.loads(line) for line in run.errors.splitlines()] == (messages if mode == "rawjson" else [])


def test_a_build_without_an_image_writes_none(run: Run) -> None:
    run.engine.script("POST", "/build", reply([{"stream": "done\n"}]))
    assert run("build", "https://git.example/app.git") == []


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["-f", "-", "-"], "the context and the Dockerfile cannot both come from standard input"),
        (["-f", "x", "-"], "standard input is a Dockerfile, but -f names another one"),
    ],
)
def test_standard_input_is_one_thing(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str], error: str
) -> None:
    stdin(monkeypatch, b"FROM busybox")
    assert run("build", *arguments, status=1) == []
    usage, _, last = run.errors.rpartition("dockerproto: ")
    assert usage.startswith("usage: dockerproto build [-h]")
    assert last == f"{error}\n"


@pytest.mark.parametrize("arguments", [["-"], ["-f", "-", "."]])
def test_a_dockerfile_without_end(run: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    endless_stdin(monkeypatch)
    assert run("build", *arguments, status=1) == []
    assert run.errors.endswith(f"a Dockerfile on standard input must have at most {READ_LIMIT} bytes\n")


def test_a_quiet_build_that_fails_shows_what_the_step_wrote(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.engine.script("POST", "/build", recorded("docker-26.1/build-buildkit-failing-step"))
    stdin(monkeypatch, b"FROM busybox")
    assert run("build", "-q", "-", status=1) == []
    *log, error = run.errors.splitlines()
    assert set(log) == {"out", "err"}
    assert error.startswith("dockerproto: [2/2] RUN echo out; echo err >&2; exit 3: process ")


def test_json_is_that_of_the_library(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = lines_of("docker-26.1", "build-buildkit-ok")
    run.engine.script("POST", "/build", reply(sent))
    with Docker(run.engine.url) as docker:
        messages = docker.images.build(dockerfile="FROM busybox")
    stdin(monkeypatch, b"FROM busybox")
    lines = run("build", "--json", "-")
    assert lines == [to_json(message).decode() for message in messages]
    assert any('"trace": {"vertexes": [{' in line for line in lines)


def test_a_cause_on_this_side_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    error = DockerStreamError("transport is closing")
    error.__cause__ = ConnectionFailed(0, "the session of the build broke")
    report_error(error, Namespace(json=False, quiet=False))
    error.__cause__ = OSError("no error of ours")
    report_error(error, Namespace(json=False, quiet=False))
    assert capsys.readouterr().err.splitlines() == [
        "dockerproto: transport is closing (the session of the build broke)",
        "dockerproto: transport is closing",
    ]


def test_a_build_that_fails_as_json(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.engine.script("POST", "/build", recorded("docker-26.1/build-buildkit-failing-step"))
    stdin(monkeypatch, b"FROM busybox")
    messages = [json.loads(line) for line in run("build", "-", "--json", status=1)]
    logs = [log["msg"] for message in messages for log in message.get("trace", {}).get("logs", ())]
    assert sorted(logs) == ["err\n", "out\n"]
    error = json.loads(run.errors)
    assert error["error"].startswith("process ")
    assert error["step"]["exit_code"] == 3
    assert set(error["step"]["log"]) == {"out", "err"}
