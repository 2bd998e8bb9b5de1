"""The commands version, info, df, builder prune and import."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

import pytest

from dockerproto import __version__
from tests.support.commanding import Run, stdin
from tests.testbed.scripted import ScriptedEngine, json_response

ID: Final = "sha256:" + "12" * 32
VERSION: Final = {"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12", "Os": "linux"}
USAGE: Final = {
    "LayersSize": 2_000_000,
    "Images": [{"Id": "sha256:" + "a" * 64, "RepoTags": None, "Size": 9, "SharedSize": 0, "Containers": 1}],
    "BuildCache": [{"ID": "b", "Type": "regular", "Size": 5, "InUse": True, "Shared": True}],
}
INFO: Final = {"Name": "here", "ServerVersion": "20.10.24", "MemTotal": 4_000_000, "Other": {"A": [1]}}


@pytest.fixture
def run(scripted: ScriptedEngine, capsys: pytest.CaptureFixture[str]) -> Run:
    scripted.script("GET", "/version", json_response(VERSION))
    scripted.script("GET", "/system/df", json_response(USAGE))
    scripted.script("GET", "/info", json_response(INFO))
    return Run(scripted, capsys)


def test_version(run: Run) -> None:
    lines = run("version")
    assert lines[:2] == ["Client: dockerproto", f"  Version:       {__version__}"]
    assert lines[-4:] == ["Server", "  Version:    20.10.24", "  ApiVersion: 1.41", "  Os:         linux"]
    form = "{{.Client.Version}} {{.Server.Version}} {{.Server.APIVersion}}"
    assert run("version", "--format", form) == [f"{__version__} 20.10.24 1.41"]
    for arguments in (["--format", "json"], ["--json"]):
        document = json.loads("".join(run("version", *arguments)))
        assert document["Server"]["ApiVersion"] == "1.41"


def test_the_version_of_the_client_without_an_engine(
    run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    lines = run("-H", f"unix://{tmp_path}/absent.sock", "version", status=1)
    assert lines[0] == "Client: dockerproto"
    assert "cannot connect" in run.errors


def test_info(run: Run) -> None:
    assert run("info")[1:] == [
        "  Name:           here",
        "  Server Version: 20.10.24",
        "  Total Memory:   4MB",
    ]
    assert run("info", "--format", "{{.Name}} {{json .Other}}") == ['here {"A":[1]}']
    assert json.loads(run("info", "--json")[0]) == INFO


def test_df(run: Run) -> None:
    table = [line.split() for line in run("df")]
    assert table == [
        ["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"],
        ["Images", "1", "1", "2MB", "2MB", "(99%)"],
        ["Containers", "0", "0", "0B", "0B"],
        ["Local", "Volumes", "0", "0", "0B", "0B"],
        ["Build", "Cache", "1", "1", "0B", "0B"],
    ]
    assert run("df", "--format", "{{.Type}} {{.TotalCount}}")[0] == "Images 1"


def test_df_of_each_object(run: Run) -> None:
    text = [line.split() for line in run("df", "-v")][5:]
    assert text == [
        [],
        ["IMAGE", "SIZE", "SHARED", "SIZE", "CONTAINERS"],
        ["a" * 12, "9B", "0B", "1"],
        [],
        ["BUILD", "CACHE", "TYPE", "SIZE", "USE"],
        ["b", "regular", "5B", "in", "use,", "shared"],
    ]


def test_df_as_a_document(run: Run) -> None:
    document = json.loads(run("df", "--json")[0])
    assert document["Images"]["Size"] == 2_000_000
    assert document["Build Cache"]["Items"][0]["ID"] == "b"


PRUNED: Final = {"CachesDeleted": ["b", "c"], "SpaceReclaimed": 2_000}


def test_builder_prune(run: Run) -> None:
    run.engine.script("POST", "/build/prune", json_response(PRUNED))
    arguments = ["builder", "prune", "-af", "--filter", "until=24h", "--keep-storage", "1k"]
    assert run(*arguments) == ["Deleted: b", "Deleted: c", "Total reclaimed space: 2.00 kB"]
    assert run.query == {"keep-storage": ["1024"], "all": ["1"], "filters": ['{"until":["24h"]}']}
    assert json.loads(run("builder", "prune", "-f", "--json")[0]) == PRUNED


def test_builder_prune_asks_before(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.engine.script("POST", "/build/prune", json_response({**PRUNED, "CachesDeleted": None}))
    stdin(monkeypatch, b"no\n")
    assert run("builder", "prune", status=1) == []
    assert run.errors.startswith("This deletes all dangling build cache. Continue? [y/N] ")
    assert run.engine.requests == []
    stdin(monkeypatch, b"y\n")
    assert run("builder", "prune", "-a") == ["Total reclaimed space: 2.00 kB"]


class TestImport:
    def test_a_file(self, run: Run, tmp_path: Path) -> None:
        run.engine.script("POST", "/images/create", json_response({"status": ID}))
        tar = tmp_path / "root.tar"
        tar.write_bytes(b"tar")
        arguments = ["-m", "by hand", "-c", "CMD sh", "--platform", "linux/amd64", str(tar), "app:1"]
        assert run("import", *arguments) == [ID]
        assert run.query == {
            "fromSrc": ["-"],
            "repo": ["app:1"],
            "message": ["by hand"],
            "changes": ["CMD sh"],
            "platform": ["linux/amd64"],
        }
        assert run.engine.requests[-1].body == b"tar"

    def test_standard_input(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        run.engine.script("POST", "/images/create", json_response({"status": ID}))
        stdin(monkeypatch, b"a tar")
        assert run("import", "-", "--json") == [json.dumps({"status": ID})]
        assert run.engine.requests[-1].body == b"a tar"

    def test_a_url(self, run: Run) -> None:
        run.engine.script("POST", "/images/create", json_response({"status": ID}))
        assert run("import", "https://h/root.tar") == [ID]
        assert run.query == {"fromSrc": ["https://h/root.tar"]}

    def test_a_terminal(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        stdin(monkeypatch, b"")
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
        assert run("import", "-", status=1) == []
        assert "cannot read an archive from a terminal" in run.errors
