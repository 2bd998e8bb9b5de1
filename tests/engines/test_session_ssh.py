"""ssh agents in builds: a real one, from the inside of a step; and what is kept from it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from dockerproto import DockerStreamError, UnsupportedEngine, UploadFailed
from tests.conftest import Connect
from tests.engines.differences import Difference
from tests.testbed.agent import Agent, programs
from tests.testbed.private import PrivateEngine

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.engine,
    pytest.mark.differs(Difference.NO_BUILDKIT, raises=UnsupportedEngine),
]


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with Agent() as agent:
        yield agent


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, agent: Agent) -> Path:
    """A context with the programs that speak to agents."""
    root = tmp_path_factory.mktemp("programs")
    programs(root)
    (root / "key.pub").write_bytes(agent.public.read_bytes())
    return root


@pytest.fixture
async def docker(engine: PrivateEngine, connect: Connect) -> AsyncIterator[Any]:
    async with connect(engine.url) as docker:
        yield docker


async def run(docker: Any, root: Path, command: str, mount: str = "type=ssh", **options: Any) -> str:
    dockerfile = f"FROM busybox\nCOPY . /\nRUN --mount={mount} : {time.time_ns()}; {command}\n"
    messages = await docker.images.build(
        path=root, dockerfile=dockerfile, network_mode="none", builder="buildkit", **options
    )
    logs = [log.msg for message in messages if "trace" in message for log in message["trace"].logs]
    return b"".join(logs).decode()


async def test_keys_are_listed(
    docker: Any, root: Path, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent.socket))
    assert agent.keys() in await run(docker, root, "/usr/bin/ssh-add -l", ssh={"default": None})


async def test_keys_sign(docker: Any, root: Path, agent: Agent) -> None:
    sign = "echo text >/f; /usr/bin/ssh-keygen -Y sign -f /key.pub -n file /f; cat /f.sig"
    mount = "type=ssh,id=other,required=true"
    assert "BEGIN SSH SIGNATURE" in await run(docker, root, sign, mount, ssh={"other": agent.socket})


@pytest.mark.parametrize("command", ["-D", "-d /key.pub", "-x </dev/null"])
async def test_nothing_else_reaches_the_agent(docker: Any, root: Path, agent: Agent, command: str) -> None:
    before = agent.keys()
    tried = f"/usr/bin/ssh-add {command} || echo refused; /usr/bin/ssh-add -l"
    shown = await run(docker, root, tried, ssh={"default": agent.socket})
    assert "refused" in shown
    assert before in shown
    assert agent.keys() == before


async def test_an_agent_that_is_optional_may_be_missing(docker: Any, root: Path) -> None:
    assert "none" in await run(docker, root, 'test -S "$SSH_AUTH_SOCK" || echo none')


async def test_an_agent_that_is_required_is_missed(docker: Any, root: Path, agent: Agent) -> None:
    with pytest.raises(DockerStreamError, match=r"ssh|SSH"):
        await run(docker, root, "true", "type=ssh,id=another,required=true", ssh={"default": agent.socket})


@pytest.mark.parametrize("path", [None, "absent"])
async def test_an_agent_has_to_be_there(docker: Any, root: Path, path: str | None) -> None:
    with pytest.raises(UploadFailed, match="ssh agent 'default'"):
        await run(docker, root, "true", ssh={"default": path})
