"""Lists of packages that a scanner makes of a build, on real engines with a network for its container.

These tests start the engines they need, whatever --engine selects.
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any, Final

import pytest

from dockerproto import OCI, Image, UnsupportedEngine, UnsupportedVersion
from dockerproto_cli.command import main
from tests.conftest import Connect
from tests.engines.test_control_builds import SALTED
from tests.support.private_engines import Start, engines
from tests.testbed.bridged import BridgedDocker26, BridgedDocker28
from tests.testbed.dockerd import Dockerd
from tests.testbed.engines import Docker28
from tests.testbed.private import PrivateEngine

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

NAME: Final = "127.0.0.1:1/scanner:1"
"""Name of the scanner, in a registry that does not exist: the engine uses its own image."""
STATEMENT: Final = {
    "_type": "https://in-toto.io/Statement/v0.1",
    "predicateType": "https://spdx.dev/Document",
    "predicate": {"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": "of the tests"},
}
SCANNER: Final = f"""FROM busybox
COPY <<EOF /scan
set -e
test -e "\\$BUILDKIT_SCAN_SOURCE/bin/busybox"
echo '{json.dumps(STATEMENT)}' > "\\$BUILDKIT_SCAN_DESTINATION/list.spdx.json"
EOF
ENTRYPOINT ["/bin/sh", "/scan"]
"""
BUILT: Final = "FROM busybox\nENV A=b\n"

start = pytest.fixture(engines, scope="module")


@pytest.fixture(params=[BridgedDocker26, BridgedDocker28], ids=lambda kind: kind.name)
def bridged(request: pytest.FixtureRequest, start: Start) -> PrivateEngine:
    """Return an engine whose containers have a network."""
    return start(request.param)


def predicates(archive: Path) -> list[Any]:
    """Return the predicates of the statements in a tar with an OCI layout."""
    with tarfile.open(archive) as tar:
        files = [tar.extractfile(each) for each in tar.getmembers() if each.isfile() and each.size < 2**16]
        contents = [each.read() for each in files if each is not None]
    documents = [json.loads(each) for each in contents if each.startswith(b"{")]
    return [each["predicate"] for each in documents if "predicate" in each]


async def test_a_scanner_of_the_program(bridged: PrivateEngine, connect: Connect, tmp_path: Path) -> None:
    async with connect(bridged.url, credentials=None) as docker:
        await docker.images.build(dockerfile=SCANNER, tag=NAME, outputs=Image())
        for name, sbom in (("with", NAME), ("without", False)):
            await docker.images.build(dockerfile=BUILT, sbom=sbom, outputs=OCI(tmp_path / name))
        await docker.images.build(dockerfile=BUILT, sbom=NAME, outputs=tmp_path / "directory")
    assert predicates(tmp_path / "with") == [STATEMENT["predicate"]]
    assert predicates(tmp_path / "without") == []
    (written,) = (tmp_path / "directory").glob("*.spdx.json")
    assert json.loads(written.read_bytes())["predicate"] == STATEMENT["predicate"]


async def test_on_the_command_line(
    bridged: PrivateEngine, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect(bridged.url, credentials=None) as docker:
        await docker.images.build(dockerfile=SCANNER, tag=NAME, outputs=Image())
    (tmp_path / "Dockerfile").write_text(BUILT)
    monkeypatch.setenv("DOCKER_HOST", bridged.url)
    output = f"type=oci,dest={tmp_path}/out.tar"
    assert main(["build", "--sbom", f"generator={NAME}", "--output", output, str(tmp_path)]) == 0
    assert predicates(tmp_path / "out.tar") == [STATEMENT["predicate"]]


async def test_the_default_is_the_scanner_of_docker(bridged: PrivateEngine, connect: Connect) -> None:
    """It is on Docker Hub, which this engine cannot reach; so the error names it."""
    async with connect(bridged.url, credentials=None) as docker:
        with pytest.raises(Exception, match="docker/buildkit-syft-scanner:stable-1"):
            await docker.images.build(dockerfile=BUILT, sbom=True, outputs=Image())


async def test_a_graph_driver_would_ignore_it(start: Start, connect: Connect) -> None:
    async with connect(start(Docker28).url, credentials=None) as docker:
        with pytest.raises(UnsupportedEngine, match="does not support an SBOM of an image"):
            await docker.images.build(dockerfile=SALTED, sbom=True)


async def test_an_old_engine_would_ignore_it(start: Start, connect: Connect, tmp_path: Path) -> None:
    async with connect(start(Dockerd).url, credentials=None) as docker:
        with pytest.raises(UnsupportedVersion, match=r"^sbom needs API 1.43"):
            await docker.images.build(dockerfile=SALTED, sbom=True, outputs=tmp_path)
