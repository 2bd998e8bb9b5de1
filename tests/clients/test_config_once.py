"""config.json is read once for a client, and again only after it has changed."""

from __future__ import annotations

import builtins
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dockerproto_local.config_directory import ConfigDirectory
from tests.conftest import Connect
from tests.support.stored import ENTRY, ME, OTHER, PULL, Machine, sent
from tests.testbed.base_image import context
from tests.testbed.scripted import ScriptedEngine, chunked

NAME = f"{OTHER}/a"


@pytest.fixture
def opened(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of files that are opened; files are old enough to trust their times."""
    names: list[str] = []
    real: Any = io.open

    def counted(file: Any, *args: Any, **options: Any) -> Any:
        names.append(str(file))
        return real(file, *args, **options)

    monkeypatch.setattr(io, "open", counted)
    monkeypatch.setattr(builtins, "open", counted)
    monkeypatch.setattr("dockerproto_local.config_directory.time_ns", lambda: 2**62)
    return names


def times(names: list[str]) -> int:
    return sum(Path(name).name == "config.json" for name in names)


@pytest.mark.anyio
async def test_one_reading_serves_a_client_and_its_lookups(
    scripted: ScriptedEngine,
    connect: Connect,
    machine: Machine,
    opened: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scripted.script(*PULL, chunked(b'{"status":"done"}\n'))
    scripted.script("POST", "/build", chunked(b"{}"))
    machine.write(
        {
            "auths": {OTHER: ENTRY},
            "HttpHeaders": {"X-Team": "blue"},
            "proxies": {"default": {"httpProxy": "http://p"}},
            "currentContext": "default",
        }
    )
    monkeypatch.setenv("DOCKER_HOST", scripted.url)
    opened.clear()
    async with connect() as docker:
        assert times(opened) == 1
        for _ in range(2):
            await docker.images.pull(NAME)
            assert sent(scripted) == {**ME, "serveraddress": OTHER}
        await docker.images.build(fileobj=context(f"FROM {NAME}\n"))
        assert OTHER in sent(scripted, "x-registry-config")
    assert times(opened) == 1
    assert scripted.requests[-1].headers["x-team"] == "blue"
    assert json.loads(scripted.requests[-1].query["buildargs"][0])["HTTP_PROXY"] == "http://p"


@pytest.mark.anyio
async def test_a_later_login_is_seen(
    scripted: ScriptedEngine, connect: Connect, machine: Machine, opened: list[str]
) -> None:
    scripted.script(*PULL, chunked(b'{"status":"done"}\n'))
    async with connect(scripted.url) as docker:
        await docker.images.pull(NAME)
        assert sent(scripted) is None
        machine.write({"auths": {OTHER: ENTRY}})
        opened.clear()
        for _ in range(2):
            await docker.images.pull(NAME)
            assert sent(scripted) == {**ME, "serveraddress": OTHER}
        assert times(opened) == 1


@pytest.mark.anyio
async def test_a_client_that_is_told_everything_reads_nothing(
    scripted: ScriptedEngine, connect: Connect, machine: Machine, opened: list[str]
) -> None:
    machine.write("{")
    opened.clear()
    async with connect(scripted.url, headers={}, proxies={}, credentials=None) as docker:
        await docker.ping()
    assert times(opened) == 0


@pytest.mark.anyio
async def test_a_broken_file_warns_once(connect: Connect, machine: Machine) -> None:
    machine.write("{")
    with pytest.warns(UserWarning, match="was passed over") as warned:
        async with connect():
            pass
    assert len(warned) == 1
    machine.write({"HttpHeaders": 5, "proxies": 6, "auths": 7, "currentContext": 8})
    with pytest.warns(UserWarning, match="was passed over") as warned:
        async with connect():
            pass
    assert [str(each.message).partition("passed over: ")[2] for each in warned] == [
        "currentContext must be a string, not a number",
        "HttpHeaders must be an object, not a number",
        "proxies must be an object, not a number",
    ]


def write(path: Path, name: str) -> None:
    path.write_text(json.dumps({"currentContext": name}))


def unchanging(status: object) -> Callable[[Path], object]:
    def stat(_: Path) -> object:
        return status

    return stat


def test_a_file_that_has_just_changed_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.json"
    directory = ConfigDirectory({"DOCKER_CONFIG": str(tmp_path)})
    write(path, "one")
    status = path.stat()
    monkeypatch.setattr("dockerproto_local.config_directory.time_ns", lambda: status.st_ctime_ns + 10**6)
    monkeypatch.setattr(Path, "stat", unchanging(status))
    assert directory.config().current_context == "one"
    write(path, "two")  # of the same size, and as far as its times tell, at the same moment
    assert directory.config().current_context == "two"
    monkeypatch.setattr("dockerproto_local.config_directory.time_ns", lambda: status.st_ctime_ns + 10**10)
    assert directory.config().current_context == "two"
    write(path, "six")
    assert directory.config().current_context == "two", "the times tell of no change, long after the last one"


def test_the_directory_is_that_of_the_environment_at_the_time(tmp_path: Path) -> None:
    environment = {"DOCKER_CONFIG": str(tmp_path)}
    directory = ConfigDirectory(environment)
    write(tmp_path / "config.json", "one")
    assert directory.config().current_context == "one"
    (tmp_path / "other").mkdir()
    write(tmp_path / "other/config.json", "two")
    environment["DOCKER_CONFIG"] = str(tmp_path / "other")
    assert directory.config().current_context == "two"
    (tmp_path / "other/config.json").unlink()
    assert directory.config().current_context == ""
