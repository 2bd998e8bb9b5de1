"""The command beside the Docker CLI, on one engine: the same text by a template, and the same exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dockerproto_cli.command import main
from tests.support.terminal import environment
from tests.testbed.base_image import busybox_layer
from tests.testbed.podman import Podman
from tests.testbed.private import PrivateEngine
from tests.testbed.registry import Registry

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("docker_command")]


class Both:
    """Runs the same arguments by the Docker CLI and by this command."""

    def __init__(self, engine: PrivateEngine, capsys: pytest.CaptureFixture[str]) -> None:
        self.url = engine.url
        self._capsys = capsys

    def docker(self, *arguments: str) -> tuple[int, str]:
        """Return the exit status and the output of the Docker CLI."""
        done = subprocess.run(
            ["docker", "-H", self.url, *arguments],
            capture_output=True,
            text=True,
            env=environment(),
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return done.returncode, done.stdout

    def ours(self, *arguments: str) -> tuple[int, str]:
        """Return the exit status and the output of this command."""
        try:
            status = main(["-H", self.url, *arguments])
        except SystemExit as ending:
            status = int(str(ending.code))
        return status, self._capsys.readouterr().out


@pytest.fixture
def both(engine: PrivateEngine, capsys: pytest.CaptureFixture[str]) -> Both:
    if isinstance(engine, Podman):
        pytest.skip("the Docker CLI shows other names than Podman has")
    return Both(engine, capsys)


FORMATS = {
    "images": "{{.Repository}}:{{.Tag}} {{.ID}} {{.Digest}} {{.Size}} {{.CreatedAt}}",
    "images --no-trunc": "{{.ID}} {{upper .Tag}}",
    "images -q": "{{.ID}}",
    "history busybox": "{{.ID}} {{.CreatedBy}} {{.Size}} {{.CreatedAt}} [{{.Comment}}]",
    "inspect busybox": "{{.Id}} {{.Os}}/{{.Architecture}} {{json .RootFS.Layers}} {{len .RootFS.Layers}}",
    "inspect dockerproto/image:1": "{{range .RootFS.Layers}}<{{.}}>{{end}}{{if .Config}}yes{{else}}no{{end}}",
    "version": "{{.Server.Version}} {{.Server.APIVersion}} {{.Server.Os}}",
    "info": "{{.ServerVersion}} {{.Driver}} {{.NCPU}} {{.OSType}}",
}


@pytest.mark.parametrize("line", FORMATS)
def test_formats(both: Both, name: str, line: str) -> None:
    words = line.split()
    (ours, printed), (theirs, expected) = (
        each(*words, "--format", FORMATS[line]) for each in (both.ours, both.docker)
    )
    assert (ours, theirs) == (0, 0)
    assert sorted(printed.splitlines()) == sorted(expected.splitlines())  # the engine's order varies


def test_rows_as_json(both: Both, name: str) -> None:
    (status, ours), (_, theirs) = (each("images", "--format", "json") for each in (both.ours, both.docker))
    assert status == 0
    expected = {(row["Repository"], row["Tag"]): row for row in map(json.loads, theirs.splitlines())}
    rows = [json.loads(line) for line in ours.splitlines()]
    assert len(rows) == len(theirs.splitlines())
    for row in rows:
        if row["Repository"] == "<none>":  # images of other tests, which the key does not tell apart
            continue
        theirs_row = expected[row["Repository"], row["Tag"]]
        assert row.keys() <= theirs_row.keys()
        # The Docker CLI leaves out the digest unless a template mentions it; a second may pass.
        for field in row.keys() - {"Digest", "CreatedSince"}:
            assert row[field] == theirs_row[field]


def test_disk_usage(both: Both) -> None:
    form = "{{.Type}} {{.TotalCount}} {{.Active}}"
    assert both.ours("df", "--format", form) == both.docker("system", "df", "--format", form)


STATUSES = [
    *("images --bogus", "images a b", "images -f x", "bogus", "pull", "tag a", "rmi no/such/image"),
    *("history no/such/image", "inspect no/such/image", "pull -a busybox:1", "login -u", "save", "import"),
    "images --format {{.Bogus}}",
]


@pytest.mark.parametrize("line", STATUSES)
def test_exit_statuses(both: Both, line: str) -> None:
    words = line.split()
    assert both.ours(*words)[0] == both.docker(*words)[0]


def test_the_docker_cli_uses_a_stored_login(
    both: Both, closed_registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "docker"
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    arguments = ("login", "-u", "anna", "-p", "s3cret+/pass:word", closed_registry.host)
    assert both.ours(*arguments) == (0, "Login Succeeded\n")
    stored = (folder / "config.json").read_text()
    (folder / "config.json").unlink()
    env = {**os.environ, "DOCKER_CONFIG": str(folder)}
    subprocess.run(["docker", "-H", both.url, *arguments], env=env, check=True, capture_output=True)
    assert json.loads(stored) == json.loads((folder / "config.json").read_text())
    assert both.ours("logout", closed_registry.host)[0] == 0
    assert json.loads((folder / "config.json").read_text()) == {"auths": {}}


def test_an_import(both: Both, tmp_path: Path) -> None:
    tar = tmp_path / "root.tar"
    tar.write_bytes(busybox_layer())
    for run, name in ((both.ours, "from/import:ours"), (both.docker, "from/import:docker")):
        status, id = run("import", "-c", "ENV A=b", "-m", "by hand", str(tar), name)
        assert (status, len(id.strip())) == (0, 71)
    form = "{{.Config.Env}} {{.Comment}} {{.RootFS.Layers}}"
    first, second = (
        both.ours("inspect", "--format", form, f"from/import:{each}") for each in ("ours", "docker")
    )
    assert first == second
    both.ours("rmi", "from/import:ours", "from/import:docker")


def test_the_program(engine: PrivateEngine) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dockerproto_cli", "df"],
        capture_output=True,
        text=True,
        env=environment(DOCKER_HOST=engine.url),
        check=True,
    )
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        "TYPE",
        "Images",
        "Containers",
        "Local",
        "Build",
    ]
