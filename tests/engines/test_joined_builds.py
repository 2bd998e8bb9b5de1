"""One image of two engines: each builds and pushes its platform, and a third engine pulls both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dockerproto import StepFailed
from dockerproto.registry.requests import OCI_INDEX
from tests.conftest import Connect
from tests.engines.test_control_builds import CROSS, HOST
from tests.support.private_engines import Start, engines, new_salt
from tests.support.registries import OpenRegistry, open_registries
from tests.support.stored import ME
from tests.testbed.daemon_relay import DaemonRelay
from tests.testbed.dockerd import Dockerd
from tests.testbed.engines import Docker26Containerd, Docker28Containerd
from tests.testbed.private import PrivateEngine
from tests.testbed.registry import Registry

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

start = pytest.fixture(engines, scope="module")
salt = pytest.fixture(new_salt)
open_client = pytest.fixture(open_registries)

FAILING = """FROM busybox
ARG TARGETARCH SALT
RUN if [ $TARGETARCH = amd64 ]; then sleep 60; else exit 7; fi
"""


@pytest.fixture(params=[Docker26Containerd, Dockerd], ids=lambda kind: kind.name)
def second(request: pytest.FixtureRequest, start: Start) -> PrivateEngine:
    """Return the second builder, which pushes by digest, or by tag."""
    return start(request.param)


async def test_another_engine_pulls_both_platforms(  # noqa: PLR0917  # fixtures
    start: Start,
    second: PrivateEngine,
    connect: Connect,
    open_client: OpenRegistry,
    closed_registry: Registry,
    salt: Any,
) -> None:
    name, auth = f"{closed_registry.host}/joined/app:{salt['SALT']}", {closed_registry.host: ME}
    async with (
        connect(start(Docker28Containerd).url, credentials=auth) as one,
        connect(second.url, credentials=auth) as two,
        connect(start(Dockerd, 1).url, credentials=auth) as other,
        open_client(credentials=auth) as registry,
    ):
        joined = await registry.build(
            {"linux/amd64": blocking(one), "linux/arm64": blocking(two)},
            name,
            annotations={"org.example.a": "b"},
            dockerfile=CROSS,
            buildargs=salt,
            **HOST,
        )
        manifest = await registry.manifest(name)
        assert manifest.descriptor == joined.descriptor
        assert joined.descriptor["mediaType"] == OCI_INDEX
        assert [each["platform"]["architecture"] for each in manifest.manifests] == ["amd64", "arm64"]
        await pulls_both(other, name)


async def test_two_daemons_push_by_digest(
    start: Start,
    connect: Connect,
    connect_daemon: Connect,
    *,
    open_client: OpenRegistry,
    closed_registry: Registry,
    salt: Any,
    tmp_path: Path,
) -> None:
    name, auth = f"{closed_registry.host}/joined/daemons:{salt['SALT']}", {closed_registry.host: ME}
    (tmp_path / "Dockerfile").write_text("FROM scratch\nARG SALT\nCOPY Dockerfile /\n")
    with (
        DaemonRelay(start(Docker28Containerd).socket) as first,
        DaemonRelay(start(Docker26Containerd).socket, port=True) as second,
    ):
        async with (
            connect_daemon(first.url, credentials=auth) as one,
            connect_daemon(second.url, credentials=auth) as two,
            connect(start(Dockerd, 1).url, credentials=auth) as other,
            open_client(credentials=auth) as registry,
        ):
            builders = {"linux/amd64": blocking(one), "linux/arm64": blocking(two)}
            joined = await registry.build(builders, name, path=tmp_path, buildargs=salt)
            digests = {each.digest for each in joined.results.values()}
            assert {each["digest"] for each in (await registry.manifest(name)).manifests} == digests
            await pulls_both(other, name)


async def pulls_both(docker: Any, name: str) -> None:
    """Pull an image for both platforms."""
    for platform in ("linux/amd64", "linux/arm64"):
        await docker.images.pull(name, platform=platform)
        assert (await docker.images.inspect(name))["Architecture"] == platform.partition("/")[2]


async def test_a_failure_stops_the_other_engine(
    start: Start, connect: Connect, open_client: OpenRegistry, open_registry: Registry, salt: Any
) -> None:
    one, two = start(Docker28Containerd), start(Docker26Containerd)
    async with connect(one.url) as first, connect(two.url) as second, open_client() as registry:
        with pytest.raises(StepFailed) as raised:
            await registry.build(
                {"linux/amd64": blocking(first), "linux/arm64": blocking(second)},
                f"{open_registry.host}/joined/failing:1",
                dockerfile=FAILING,
                buildargs=salt,
                **HOST,
            )
    assert raised.value.step is not None
    assert raised.value.step.exit_code == 7
    assert raised.value.hint == f"on {two.url}, for linux/arm64"


def blocking(client: Any) -> Any:
    """Return the blocking client under its async face, or the async client itself."""
    return getattr(client, "blocking", client)
