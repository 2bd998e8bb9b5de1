"""config.json is read once for a client, and again only after it has changed."""

from __future__ import annotations

import json
import os
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
    """Return the list of files that are opened."""
    names: list[str] = []
    real: Any = os.open

    def counted(file: Any, *args: Any, **options: Any) -> Any:
        names.append(str(file))
        return real(file, *args, **options)

    monkeypatch.setattr(os, "open", counted)
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
    with pytest.warns(UserWarning, match="was ignored") as warned:
        async with connect():
            pass
    assert len(warned) == 1
    machine.write({"HttpHeaders": 5, "proxies": 6, "auths": 7, "currentContext": 8})
    with pytest.warns(UserWarning, match="was ignored") as warned:
        async with connect():
            pass
    assert [str(each.message).partition("ignored: ")[2] for each in warned] == [
        "currentContext must be a string, not a number",
        "HttpHeaders must be an object, not a number",
        "proxies must be an object, not a number",
    ]


def write(path: Path, name: str) -> None:
    path.write_text(json.dumps({"currentContext": name}))


def test_a_replaced_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    directory = ConfigDirectory({"DOCKER_CONFIG": str(tmp_path)})
    assert directory.config().current_context == ""
    write(path, "one")
    times = path.stat()
    assert directory.config().current_context == "one"
    write(tmp_path / "new", "two")  # of the same size, and by its times of the same moment
    os.utime(tmp_path / "new", ns=(times.st_atime_ns, times.st_mtime_ns))
    (tmp_path / "new").replace(path)
    assert directory.config().current_context == "two"
    path.unlink()
    assert directory.config().current_context == ""


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
