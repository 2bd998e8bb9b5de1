"""A registry that wants bearer tokens, of a server that gives them: builds, pulls and pushes with them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from dockerproto import ANONYMOUS, DockerStreamError, NotFoundOrUnauthorized, Unauthorized, UnsupportedEngine
from tests.conftest import Connect
from tests.engines.differences import Difference
from tests.support.stored import ENTRY, ME, PASSWORD, USER, Machine
from tests.testbed.base_image import context
from tests.testbed.private import PrivateEngine
from tests.testbed.registry import Registry
from tests.testbed.token_server import TokenServer
from tests.testbed.unix_http import ask

pytestmark = [pytest.mark.anyio, pytest.mark.engine]
with_buildkit = pytest.mark.differs(Difference.NO_BUILDKIT, raises=UnsupportedEngine)

WRONG: Final = {"username": USER, "password": f"{PASSWORD}?"}


@pytest.fixture(params=["team"])
async def pushed(
    request: pytest.FixtureRequest,
    engine: PrivateEngine,
    connect: Connect,
    token_registry: Registry,
    tokens: TokenServer,
) -> AsyncIterator[str]:
    """The name of an image that the registry has, and the engine has not.

    Each has a name of its own: engines keep tokens for a while.
    """
    name = f"{token_registry.host}/{request.param}/image{time.time_ns()}"
    async with connect(engine.url, credentials=None) as docker:
        await docker.images.tag("busybox", name)
        await docker.images.push(name, auth=ME)
        await docker.images.delete(name)
    tokens.asked.clear()
    yield f"{name}:latest"
    ask(engine.socket, "DELETE", f"/images/{name}?force=1")


def of_anybody(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("pushed", [kind], indirect=True)


async def build(docker: Any, base: str, **options: Any) -> str:
    """Build with BuildKit, and return what the step printed."""
    dockerfile = f"FROM {base}\nRUN echo {time.time_ns()}; echo begun\n"
    messages = await docker.images.build(
        fileobj=context(dockerfile), network_mode="none", builder="buildkit", pull=True, **options
    )
    logs = [log.msg for message in messages if "trace" in message for log in message["trace"].logs]
    return b"".join(logs).decode()


def users(tokens: TokenServer, image: str) -> set[str | None]:
    """Return who has got tokens to pull an image."""
    repository = image.partition("/")[2].partition(":")[0]
    scope = f"repository:{repository}:pull"
    return {each.user for each in tokens.asked if each.given and scope in each.scopes}


@with_buildkit
class TestBuilds:
    async def test_with_credentials_that_are_looked_up(
        self, engine: PrivateEngine, connect: Connect, pushed: str, tokens: TokenServer, machine: Machine
    ) -> None:
        machine.write({"auths": {pushed.partition("/")[0]: ENTRY}})
        async with connect(engine.url) as docker:
            assert "begun\n" in await build(docker, pushed)
        assert users(tokens, pushed) == {USER}

    async def test_with_credentials_that_are_given(
        self, engine: PrivateEngine, connect: Connect, pushed: str, tokens: TokenServer
    ) -> None:
        async with connect(engine.url) as docker:
            assert "begun\n" in await build(docker, pushed, auth={pushed.partition("/")[0]: ME})
        assert users(tokens, pushed) == {USER}

    async def test_with_an_identity_token(
        self, engine: PrivateEngine, connect: Connect, pushed: str, tokens: TokenServer
    ) -> None:
        auth = {pushed.partition("/")[0]: {"identitytoken": tokens.identity}}
        async with connect(engine.url) as docker:
            assert "begun\n" in await build(docker, pushed, auth=auth)
        assert users(tokens, pushed) == {USER}

    async def test_with_a_bearer_token(
        self, engine: PrivateEngine, connect: Connect, pushed: str, tokens: TokenServer
    ) -> None:
        registry, _, name = pushed.removesuffix(":latest").partition("/")
        token = tokens.answer((USER, PASSWORD), (f"repository:{name}:pull",))
        tokens.asked.clear()
        async with connect(engine.url) as docker:
            shown = await build(docker, pushed, auth={registry: {"registrytoken": token}})
            assert "begun\n" in shown
            assert tokens.asked == []  # as there is one
            with pytest.raises(NotFoundOrUnauthorized):
                await build(docker, pushed)  # another session does not have it
        assert users(tokens, pushed) == {None}

    async def test_with_a_wrong_bearer_token(
        self, engine: PrivateEngine, connect: Connect, pushed: str, tokens: TokenServer
    ) -> None:
        async with connect(engine.url) as docker:
            with pytest.raises(DockerStreamError):
                await build(docker, pushed, auth={pushed.partition("/")[0]: {"registrytoken": "wrong"}})
        assert tokens.asked == []

    @pytest.mark.parametrize("auth", [None, ANONYMOUS])
    async def test_without_credentials(
        self, engine: PrivateEngine, connect: Connect, pushed: str, tokens: TokenServer, auth: Any
    ) -> None:
        async with connect(engine.url) as docker:
            with pytest.raises(NotFoundOrUnauthorized):
                await build(docker, pushed, auth=auth)
        assert users(tokens, pushed) == {None}

    @pytest.mark.parametrize("auth", [WRONG, {"identitytoken": "wrong"}])
    async def test_with_wrong_credentials(
        self, engine: PrivateEngine, connect: Connect, pushed: str, tokens: TokenServer, auth: Any
    ) -> None:
        async with connect(engine.url) as docker:
            with pytest.raises(Unauthorized):
                await build(docker, pushed, auth={pushed.partition("/")[0]: auth})
        assert users(tokens, pushed) == set()

    @of_anybody("public")
    @pytest.mark.parametrize("auth", [None, ANONYMOUS, "known"])
    async def test_of_what_anybody_may_pull(
        self, engine: PrivateEngine, connect: Connect, pushed: str, tokens: TokenServer, auth: Any
    ) -> None:
        given = {pushed.partition("/")[0]: ME} if auth == "known" else auth
        async with connect(engine.url) as docker:
            assert "begun\n" in await build(docker, pushed, auth=given)
        assert users(tokens, pushed) == ({USER} if auth == "known" else {None})


class TestPullsAndPushes:
    async def test_with_credentials(
        self, engine: PrivateEngine, connect: Connect, pushed: str, machine: Machine
    ) -> None:
        machine.write({"auths": {pushed.partition("/")[0]: ENTRY}})
        async with connect(engine.url) as docker:
            await docker.images.pull(pushed)
            await docker.images.push(pushed)

    async def test_with_wrong_credentials(self, engine: PrivateEngine, connect: Connect, pushed: str) -> None:
        async with connect(engine.url) as docker:
            with pytest.raises(Unauthorized):
                await docker.images.pull(pushed, auth=WRONG)
            with pytest.raises(NotFoundOrUnauthorized):
                await docker.images.pull(pushed)

    @of_anybody("public")
    async def test_of_what_anybody_may_pull(
        self, engine: PrivateEngine, connect: Connect, pushed: str
    ) -> None:
        async with connect(engine.url) as docker:
            await docker.images.pull(pushed)
            another = pushed.replace(":latest", ":another")  # what is there, some engines do not push
            await docker.images.tag(pushed, another)
            with pytest.raises(NotFoundOrUnauthorized):
                await docker.images.push(another)
            await docker.images.delete(another)
