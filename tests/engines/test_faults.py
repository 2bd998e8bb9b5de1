"""Faults that each engine reports in its own way: rate limits, platforms that are missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest

from dockerproto import NotFound, TooManyRequests, UnsupportedVersion
from tests.engines.differences import Difference
from tests.testbed.limited_registry import LimitedRegistry
from tests.testbed.private import PrivateEngine
from tests.testbed.registry import Registry

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
OCI = "application/vnd.oci.image.manifest.v1+json"
ABSENT = "linux/s390x"


@pytest.fixture(scope="module")
def limited() -> Iterator[str]:
    """The address of a registry that has had enough requests."""
    with LimitedRegistry() as registry:
        yield registry.host


async def test_a_rate_limit(docker: Any, engine: PrivateEngine, limited: str) -> None:
    retried = Difference.RATE_LIMITS_ARE_RETRIED.on(engine)
    with pytest.raises(TimeoutError if retried else TooManyRequests):
        await docker.images.pull(f"{limited}/team/app:1", timeout=2 if retried else None)


async def test_a_rate_limit_of_a_base_image(docker: Any, engine: PrivateEngine, limited: str) -> None:
    retried = Difference.RATE_LIMITS_ARE_RETRIED.on(engine)
    with pytest.raises(TimeoutError if retried else TooManyRequests):
        await docker.images.build(
            dockerfile=f"FROM {limited}/team/app:1\n", builder="classic", timeout=2 if retried else None
        )


@pytest.mark.differs(Difference.NO_BUILDKIT)
async def test_a_rate_limit_of_a_base_image_for_buildkit(docker: Any, limited: str) -> None:
    with pytest.raises(TooManyRequests):
        await docker.images.build(dockerfile=f"FROM {limited}/team/app:1\n", builder="buildkit")


async def test_an_index_that_lacks_the_platform(docker: Any, open_registry: Registry) -> None:
    repository = f"{open_registry.host}/team/index"
    await docker.images.tag("busybox", repository, tag="single")
    put_index(open_registry.host, (await docker.images.push(repository, tag="single")).result)
    await docker.images.delete(f"{repository}:single")
    with pytest.raises(NotFound):
        await docker.images.pull(repository, tag="index", platform=ABSENT)
    assert not await docker.images.exists(f"{repository}:index")
    await docker.images.pull(repository, tag="index", platform="linux/amd64")
    await docker.images.delete(f"{repository}:index")


def put_index(host: str, pushed: Any) -> None:
    """Tag an index of the pushed image, for linux/amd64 only."""
    platform = {"os": "linux", "architecture": "amd64"}
    connection = HTTPConnection(host)
    connection.request(
        "GET", f"/v2/team/index/manifests/{pushed.digest}", headers={"Accept": f"{MANIFEST}, {OCI}"}
    )
    manifest = connection.getresponse()
    size = len(manifest.read())
    entry = {"mediaType": manifest.headers["Content-Type"], "digest": pushed.digest, "size": size}
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [{**entry, "platform": platform}]}
    connection.request("PUT", "/v2/team/index/manifests/index", json.dumps(index), {"Content-Type": INDEX})
    assert connection.getresponse().status == 201
    connection.close()


@pytest.mark.parametrize("stream", [True, False])
async def test_an_archive_that_lacks_the_platform(docker: Any, engine: PrivateEngine, stream: bool) -> None:
    archive = await docker.images.export_image("busybox").read()
    loading = docker.images.import_image(archive, platform=ABSENT, stream=stream)
    expected = UnsupportedVersion if Difference.NO_PLATFORM_OF_ARCHIVES.on(engine) else NotFound
    with pytest.raises(expected):
        await (loading.rest() if stream else loading)
