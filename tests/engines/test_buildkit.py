"""Both builders on a real engine: results, and which step failed, on all three transports."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dockerproto import (
    BadRequest,
    BuildResult,
    DockerError,
    DockerStreamError,
    ImportResult,
    Message,
    NotFinished,
    NotFound,
    PullResult,
    StepFailed,
    UnsupportedEngine,
    message_text,
    to_json,
)
from tests.conftest import Connect
from tests.engines.differences import Difference
from tests.testbed.base_image import context
from tests.testbed.private import PrivateEngine
from tests.testbed.registry import Registry

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

NAME = "dockerproto/result:1"


@pytest.fixture
async def docker(engine: PrivateEngine, connect: Connect) -> Any:
    async with connect(engine.url) as docker:
        yield docker


@pytest.fixture(params=["classic", "buildkit"])
def builder(request: pytest.FixtureRequest, engine: PrivateEngine) -> str:
    """The builders that the engine has."""
    if request.param == "buildkit" and not takes_buildkit(engine):
        return "classic"
    return str(request.param)


def takes_buildkit(engine: PrivateEngine) -> bool:
    return not Difference.NO_BUILDKIT.on(engine)


def building(docker: Any, dockerfile: str, builder: str, **options: Any) -> Any:
    data = context(dockerfile, file=b"in the file\n")
    return docker.images.build(fileobj=data, network_mode="none", builder=builder, **options)


async def failing(docker: Any, dockerfile: str, builder: str, **options: Any) -> DockerError:
    with pytest.raises(DockerError) as raised:
        await building(docker, dockerfile, builder, nocache=True, **options)
    return raised.value


def assert_text(messages: list[Message], step: str, output: str) -> None:
    """Assert that people read a step and its output, also from messages that were stored as JSON."""
    text = "".join(map(message_text, messages))
    stored = [json.loads(to_json(message)) for message in messages]
    assert step in text
    assert output in text
    assert "".join(map(message_text, stored)) == text


async def test_a_build_has_a_result(docker: Any, engine: PrivateEngine, builder: str) -> None:
    dockerfile = f"FROM busybox\nCOPY file /\nRUN echo {builder} && cat /file\n"
    stream = building(docker, dockerfile, builder, tag=NAME, nocache=True, stream=True)
    with pytest.raises(NotFinished):
        _ = stream.result
    async with stream:
        messages = [message async for message in stream]
    image = await docker.images.inspect(NAME)
    result = stream.result
    assert result == BuildResult(image["Id"], result.tags)
    assert result.image_id == image["Id"]
    assert_text(messages, f"RUN echo {builder}", f"\n{builder}\n")
    assert [tag.removeprefix("localhost/") for tag in dict.fromkeys(result.tags)] == [NAME]
    if builder == "buildkit":
        logs = [log.msg for message in messages if "trace" in message for log in message["trace"].logs]
        assert b"buildkit\n" in b"".join(logs)
    again = await building(docker, dockerfile, builder, tag=NAME)
    assert again[-1].keys() <= messages[-1].keys() | {"stream", "id", "aux", "trace"}


async def test_a_quiet_build_has_a_result(docker: Any, builder: str) -> None:
    stream = building(
        docker, f"FROM busybox\nLABEL a={builder}\n", builder, tag=NAME, quiet=True, stream=True
    )
    assert len(await stream.rest()) == 1
    assert stream.result == BuildResult((await docker.images.inspect(NAME))["Id"])


async def test_a_step_that_fails_is_told(docker: Any, engine: PrivateEngine, builder: str) -> None:
    run = 'RUN for i in $(seq 200); do echo "line $i"; done; echo é; exit 7'
    error = await failing(docker, f"FROM busybox\n{run}\n", builder)
    assert isinstance(error, StepFailed)
    assert error.error_detail["code"] == 7
    assert error.step is not None
    assert (error.step.name, error.step.exit_code) == (f"[2/2] {run}", 7)
    told = run.removeprefix("RUN ")
    assert error.step.command == (told if Difference.FAILING_STEP_IN_GO.on(engine) else f"/bin/sh -c {told}")
    assert len(error.step.log) == 100
    assert {"line 150", "line 200", "é"} <= set(error.step.log)
    assert error.messages


async def test_a_step_that_fails_is_told_by_a_stream(docker: Any, builder: str) -> None:
    stream = building(docker, "FROM busybox\nRUN echo why; exit 3\n", builder, nocache=True, stream=True)
    with pytest.raises(StepFailed) as raised:
        async with stream:
            async for _ in stream:
                pass
    assert raised.value.step is not None
    assert (raised.value.step.exit_code, raised.value.step.log) == (3, ("why",))
    with pytest.raises(NotFinished):
        _ = stream.result


async def test_a_file_that_is_missing_is_told(docker: Any, builder: str) -> None:
    error = await failing(docker, "FROM busybox\nCOPY absent /\n", builder)
    assert isinstance(error, BadRequest)
    assert error.step is not None
    assert (error.step.name, error.step.command, error.step.exit_code) == ("[2/2] COPY absent /", None, None)


async def test_a_base_image_that_is_missing_is_told(
    docker: Any, builder: str, engine: PrivateEngine, open_registry: Registry
) -> None:
    base = f"{open_registry.host}/no/such:1"
    error = await failing(docker, f"FROM {base}\n", builder)
    assert isinstance(error, NotFound)
    assert isinstance(error, DockerStreamError)
    assert error.step is not None
    assert base in error.step.name


async def test_a_dockerfile_that_is_wrong_has_no_step(
    docker: Any, engine: PrivateEngine, builder: str
) -> None:
    error = await failing(docker, "FROM busybox\nBOGUS x\n", builder)
    assert isinstance(error, BadRequest)
    # Podman reads a line when it gets there.
    assert (error.step is not None) == Difference.FAILING_STEP_IN_GO.on(engine)


async def test_an_engine_that_has_no_buildkit_says_so(docker: Any, engine: PrivateEngine) -> None:
    if takes_buildkit(engine):
        assert (await building(docker, "FROM busybox\n", "buildkit"))[-1]
        return
    error = await failing(docker, "FROM busybox\n", "buildkit")
    assert isinstance(error, UnsupportedEngine)
    assert error.message == "Podman does not have BuildKit"


async def test_a_podman_is_known_by_a_client_with_a_version_of_its_own(
    connect: Connect, engine: PrivateEngine
) -> None:
    async with connect(engine.url, api_version="1.40") as docker:
        await docker.images.list()
        if Difference.NO_BUILDKIT.on(engine):
            for _ in range(2):
                assert isinstance(await failing(docker, "FROM busybox\n", "buildkit"), UnsupportedEngine)
        assert await building(docker, "FROM busybox\n", "classic")


async def test_squash_is_for_experimental_engines_with_both_builders(
    docker: Any, engine: PrivateEngine, builder: str
) -> None:
    if Difference.SQUASH_ALWAYS.on(engine):
        assert await building(docker, "FROM busybox\n", builder, squash=True)
    else:
        error = await failing(docker, "FROM busybox\n", builder, squash=True)
        assert isinstance(error, BadRequest)


async def test_pushes_and_pulls_have_results(
    docker: Any, engine: PrivateEngine, open_registry: Registry
) -> None:
    name = f"{open_registry.host}/results/box"
    await docker.images.tag("busybox", name, tag="1")
    pushing = docker.images.push(name, tag="1", stream=True)
    await pushing.rest()
    pushed = pushing.result
    assert (pushed.repository, pushed.tag) == (name, "1")
    assert pushed.size > 0
    pulling = docker.images.pull(name, tag="1", stream=True)
    await pulling.rest()
    pulled = pulling.result
    assert pulled.reference == f"{name}:1"
    if Difference.PULL_OF_LAYERS_ONLY.on(engine):
        assert pulled == PullResult(f"{name}:1")
    else:
        assert (pulled.downloaded, pulled.digest) == (False, pushed.digest)
    await docker.images.delete(f"{name}:1")


async def test_imports_have_results(docker: Any, engine: PrivateEngine) -> None:
    await docker.images.tag("busybox", "dockerproto/loaded", tag="1")
    async with docker.images.export_image("dockerproto/loaded:1") as download:
        archive = b"".join([piece async for piece in download])
    loading = docker.images.import_image(archive, stream=True)
    await loading.rest()
    assert loading.result.ids == ()
    (reference,) = loading.result.references
    assert reference.removeprefix("docker.io/").removeprefix("localhost/") == "dockerproto/loaded:1"
    importing = docker.images.import_filesystem(context("FROM x\n"), stream=True)
    await importing.rest()
    (id_,) = importing.result.ids
    assert importing.result == ImportResult(ids=(id_,))
    assert (await docker.images.inspect(id_))["Id"].removeprefix("sha256:") == id_.removeprefix("sha256:")
    await docker.images.delete("dockerproto/loaded:1")
