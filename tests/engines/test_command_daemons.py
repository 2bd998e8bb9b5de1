"""The command on a BuildKit daemon: the BuildKit of a private engine behind a relay."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockerproto_cli.command import main
from tests.support.private_engines import Start, engines, new_salt
from tests.testbed.daemon_relay import DaemonRelay
from tests.testbed.engines import Docker28Containerd
from tests.testbed.private import PrivateEngine

pytestmark = pytest.mark.engine

start = pytest.fixture(engines, scope="module")
salt = pytest.fixture(new_salt)


@pytest.fixture
def engine(start: Start) -> PrivateEngine:
    """Return an engine with containerd's store, whose BuildKit stands for a daemon."""
    return start(Docker28Containerd)


@pytest.fixture
def daemon(engine: PrivateEngine) -> Iterator[str]:
    """Return the address of the daemon."""
    with DaemonRelay(engine.socket) as relay:
        yield relay.url


class Command:
    """Runs the command on an engine, in this process."""

    def __init__(self, engine: PrivateEngine, capsys: pytest.CaptureFixture[str]) -> None:
        self._engine = engine
        self._capsys = capsys
        self.errors = ""

    def __call__(self, *arguments: str, status: int = 0) -> str:
        ended = main(["-H", self._engine.url, *arguments])
        output, self.errors = self._capsys.readouterr()
        assert ended == status, self.errors
        return output


@pytest.fixture
def command(engine: PrivateEngine, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(engine, capsys)


@pytest.fixture
def source(tmp_path: Path, salt: dict[str, str]) -> str:
    """Return a directory to build."""
    directory = tmp_path / "context"
    directory.mkdir()
    (directory / "Dockerfile").write_text("FROM scratch\nCOPY file /\n")
    (directory / "file").write_text(salt["SALT"])
    return str(directory)


def test_builds(command: Command, daemon: str, source: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert command("build", "--builder", daemon, "-o", str(out), source) == ""
    assert (out / "file").read_text() == Path(source, "file").read_text()
    id = command("build", "-q", "--builder", daemon, "--load", "-t", "from/daemon:1", source).strip()
    assert command("images", "--format", "{{.Repository}}:{{.Tag}}", "from/daemon") == "from/daemon:1\n"
    assert json.loads(command("inspect", "from/daemon:1"))[0]["Id"] == id
    command("rmi", "from/daemon:1")


def test_a_result_that_only_the_cache_has(command: Command, daemon: str, source: str) -> None:
    assert command("build", "--builder", daemon, source) == ""
    warning = "dockerproto: warning: the result is in the cache of the daemon only: use --load, --push or"
    assert warning in command.errors
    command("--json", "build", "--builder", daemon, source)
    assert "warning" not in command.errors


def test_questions(command: Command, daemon: str, source: str) -> None:
    Path(source, "Dockerfile").write_text("FROM scratch as app\n")
    output = command("build", "--check", "--builder", daemon, source, status=1)
    assert "FromAsCasing" in output


def test_prune(command: Command, daemon: str, source: str) -> None:
    command("build", "--builder", daemon, source)
    pruned = json.loads(
        command("--json", "builder", "prune", "-f", "--builder", daemon, "--filter", "id=none")
    )
    assert pruned == {"CachesDeleted": [], "SpaceReclaimed": 0}
    *deleted, total = command("builder", "prune", "-a", "-f", "--builder", daemon).splitlines()
    assert deleted
    assert all(each.startswith("Deleted: ") for each in deleted)
    assert total.startswith("Total reclaimed space: ")
    kept = command("builder", "prune", "-a", "-f", "--filter", "shared=true", "--builder", daemon)
    assert kept == "Total reclaimed space: 0 B\n"
