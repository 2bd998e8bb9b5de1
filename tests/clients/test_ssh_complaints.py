"""The standard error of ssh, which neither fills memory or a disk nor holds the connection."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from dockerproto import ConnectionFailed
from dockerproto_local.commands import TAIL
from tests.conftest import Connect
from tests.testbed.scripted import ScriptedEngine, json_response

pytestmark = pytest.mark.anyio

URL = "ssh://me@host"
REFUSED = "me@host: Permission denied (publickey)."
LINE = f"debug1: {'x' * 1000}"
FLOOD = f"for _ in range(500): os.write(2, b'{LINE}\\n' * 50)"
SSH = """#!{python}
import os, select, socket, stat, sys, time
from pathlib import Path
{first}
engine = socket.socket(socket.AF_UNIX)
engine.connect({engine!r})
while True:
    for ready in select.select([0, engine], [], [])[0]:
        data = os.read(0, 65536) if ready == 0 else engine.recv(65536)
        if not data:
            sys.exit()
        engine.sendall(data) if ready == 0 else os.write(1, data)
"""


Ssh: TypeAlias = Callable[[str], None]
"""Make an ssh that runs a program, and then connects to the scripted engine."""


@pytest.fixture
def ssh(scripted: ScriptedEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ssh:
    program = tmp_path / "ssh"
    monkeypatch.setenv("PATH", str(tmp_path))

    def make(first: str) -> None:
        program.write_text(SSH.format(python=sys.executable, first=first, engine=str(scripted.socket)))
        program.chmod(0o755)

    return make


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert not [each for each in threading.enumerate() if each.name == "dockerproto command"]


async def test_only_the_end_of_it_is_kept(connect: Connect, ssh: Ssh) -> None:
    ssh(f"{FLOOD}\nsys.exit({REFUSED!r})")
    async with connect(URL) as docker:
        with pytest.raises(ConnectionFailed) as raised:
            await docker.ping()
    *debug, last = raised.value.message.removeprefix(f"cannot connect to {URL} (from url=): ").splitlines()
    assert last == REFUSED
    assert set(debug) == {LINE}
    assert TAIL - len(LINE) <= len("\n".join((*debug, last))) <= TAIL


async def test_it_does_not_hold_the_connection(connect: Connect, scripted: ScriptedEngine, ssh: Ssh) -> None:
    ssh(f"{FLOOD}\nif stat.S_ISREG(os.fstat(2).st_mode): sys.exit('it fills a disk')")
    scripted.script("GET", "/images/json", json_response([]))
    async with connect(URL) as docker:
        assert await docker.images.list() == []


async def test_a_process_that_keeps_it_open(
    connect: Connect, scripted: ScriptedEngine, ssh: Ssh, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    ssh(
        f"child = os.fork()\nif not child: os.closerange(0, 2); time.sleep(60); os._exit(0)\n"
        f"Path({str(pid)!r}).write_text(str(child))"
    )
    scripted.script("GET", "/images/json", json_response([]))
    async with connect(URL) as docker:
        assert await docker.images.list() == []
    os.kill(int(pid.read_text()), signal.SIGKILL)
