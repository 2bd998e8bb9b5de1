"""Options of the command's build: the syntax of secrets, ssh agents and outputs."""

from __future__ import annotations

import tarfile
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dockerproto import Secret, Tar
from dockerproto_cli.build_options import read_agent, read_output, read_secret
from tests.engines.differences import Difference
from tests.engines.test_command_engine import Command
from tests.testbed.agent import Agent, programs
from tests.testbed.base_image import context
from tests.testbed.private import PrivateEngine

READ: list[tuple[Callable[[str], Any], str, object]] = [
    (read_secret, "id=a,src=f", ("a", Secret.from_file("f"))),
    (read_secret, "ID=a,source=f=g", ("a", Secret.from_file("f=g"))),
    (read_secret, "type=file,id=a,src=f", ("a", Secret.from_file("f"))),
    (read_secret, 'id=a,"src=f,g"', ("a", Secret.from_file("f,g"))),
    (read_secret, "id=a,env=B", ("a", Secret.from_env("B"))),
    (read_secret, "id=a,type=env,src=B", ("a", Secret.from_env("B"))),
    (read_secret, "id=a,type=env", ("a", Secret.from_env("a"))),
    (read_secret, "id=SET", ("SET", Secret.from_env("SET"))),
    (read_secret, "id=SET,type=file", ("SET", Secret.from_file("SET"))),
    (read_secret, "id=NOT_SET", ("NOT_SET", Secret.from_file("NOT_SET"))),
    (read_agent, "default", ("default", None)),
    (read_agent, "a=/run/agent", ("a", "/run/agent")),
    (read_agent, "a=", ("a", None)),
    (read_output, "dist", Path("dist")),
    (read_output, "type=local,dest=d", Path("d")),
    (read_output, "dest=out.tar,type=tar", Tar("out.tar")),
]
REFUSED: list[tuple[Callable[[str], Any], str, str]] = [
    (read_secret, "", "needs an id"),
    (read_secret, "src=f", "needs an id"),
    (read_secret, "a", "must be one of"),
    (read_secret, "id=a,mode=3", "must be one of"),
    (read_secret, "id=a,type=x", "file or env"),
    (read_secret, "id=a,src=f,env=B", "not both"),
    (read_agent, "=a", "must be ID"),
    (read_agent, "a=b,c", "must be ID"),
    (read_output, "", "path of a directory"),
    (read_output, "-", "path of a directory"),
    (read_output, "type=local", "path of a directory"),
    (read_output, "type=image,dest=a", "local or tar"),
    (read_output, "dest=a", "local or tar"),
]


@pytest.mark.parametrize(("read", "text", "value"), READ)
def test_are_read(
    read: Callable[[str], Any], text: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SET", "")
    monkeypatch.delenv("NOT_SET", raising=False)
    assert read(text) == value


@pytest.mark.parametrize(("read", "text", "error"), REFUSED)
def test_are_refused(read: Callable[[str], Any], text: str, error: str) -> None:
    with pytest.raises(ArgumentTypeError, match=error):
        read(text)


@pytest.mark.engine
@pytest.mark.differs(Difference.NO_BUILDKIT, raises=AssertionError)
class TestOnAnEngine:
    @pytest.fixture
    def command(self, engine: PrivateEngine) -> Command:
        return Command(engine)

    def test_secrets(self, command: Command, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("of the file\n")
        mounts = "--mount=type=secret,id=a --mount=type=secret,id=DOCKER_HOST"
        dockerfile = f"FROM busybox\nRUN {mounts} cat /run/secrets/*\n"
        secrets = ("--secret", f"id=a,src={tmp_path / 'file'}", "--secret", "id=DOCKER_HOST")
        command("build", "--no-cache", "--network", "none", *secrets, "-", stdin=context(dockerfile))
        assert "of the file" in command.errors
        assert "unix://" in command.errors

    def test_agents(self, command: Command, tmp_path: Path) -> None:
        programs(tmp_path)
        (tmp_path / "Dockerfile").write_text(
            "FROM busybox\nCOPY . /\nRUN --mount=type=ssh,id=a /usr/bin/ssh-add -l\n"
        )
        with Agent() as agent:
            ssh = ("--ssh", f"a={agent.socket}")
            command("build", "--no-cache", "--network", "none", *ssh, str(tmp_path))
            assert agent.keys().strip() in command.errors

    def test_outputs(self, command: Command, tmp_path: Path) -> None:
        tar = context("FROM scratch\nCOPY poem.txt /\n", **{"poem.txt": b"one core\n"})
        there = tmp_path / "dist"
        for output in (str(there), f"type=local,dest={there}"):
            assert command("build", "-o", output, "-", stdin=tar) == ""
            assert (there / "poem.txt").read_text() == "one core\n"
        command("build", "--output", f"type=tar,dest={tmp_path / 'out.tar'}", "-", stdin=tar)
        with tarfile.open(tmp_path / "out.tar") as opened:
            assert opened.getnames() == ["poem.txt"]
