"""TLS with certificates made by the recipe of Docker's documentation, which Python 3.13 rejects."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockerproto import TLS, ConnectionFailed
from tests.conftest import Connect
from tests.testbed import dockerd
from tests.testbed.certificates import Certificates
from tests.testbed.dockerd import Dockerd
from tests.testbed.processes import free_port
from tests.testbed.trees import FORKY

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.pythons]

REPOSITORY = Path(__file__).parents[2]
CLIENT = """
import ssl, sys
from dockerproto import TLS, ConnectionFailed
from dockerproto_httpx import Docker

url, *files = sys.argv[1:]
assert ssl.create_default_context().verify_flags & ssl.VERIFY_X509_STRICT
with Docker(url, tls=TLS(ca=files[0], certificate=files[1], key=files[2])) as docker:
    docker.ping()
own = ssl.create_default_context(cafile=files[0])
own.load_cert_chain(files[1], files[2])
try:
    with Docker(url, tls=own) as docker:
        docker.ping()
except ConnectionFailed as error:
    print(sys.version_info[:2], error.message)
"""


class RecipeEngine:
    """The address of an engine with the recipe's certificates, and the directory of a client's."""

    def __init__(self, url: str, files: Certificates) -> None:
        self.url = url
        self.files = files
        self.tls = TLS(ca=files.ca, certificate=files.certificate, key=files.key)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecipeEngine]:
    if reason := Dockerd.available():
        pytest.fail(f'there is no Docker Engine to test with; deselect by -m "not engine": {reason}')
    directory = tmp_path_factory.mktemp("recipe")
    files = Certificates.follow_recipe(directory / "files", "127.0.0.1")
    port = free_port()
    server = (f"{files.directory}/server-cert.pem", f"{files.directory}/server-key.pem")
    with Dockerd(directory, *dockerd.tls_options(port, files.ca, *server)):
        yield RecipeEngine(f"tcp://127.0.0.1:{port}", files)


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give default contexts the strictness of Python 3.13."""
    default = ssl.create_default_context

    def create(*, cafile: str | None = None, cadata: str | None = None) -> ssl.SSLContext:
        context = default(cafile=cafile, cadata=cadata)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr("ssl.create_default_context", create)


@pytest.mark.usefixtures("strict")
async def test_the_client_connects(recipe: RecipeEngine, connect: Connect) -> None:
    async with connect(recipe.url, tls=recipe.tls) as docker:
        await docker.ping()


@pytest.mark.usefixtures("strict")
async def test_a_context_of_the_program_keeps_its_flags(recipe: RecipeEngine, connect: Connect) -> None:
    own = ssl.create_default_context(cafile=recipe.files.ca)
    own.load_cert_chain(recipe.files.certificate, recipe.files.key)
    async with connect(recipe.url, tls=own) as docker:
        with pytest.raises(ConnectionFailed, match="CA cert does not include key usage extension"):
            await docker.ping()
    assert own.verify_flags & ssl.VERIFY_X509_STRICT


@pytest.mark.usefixtures("strict")
async def test_another_authority_is_still_rejected(
    recipe: RecipeEngine, connect: Connect, tmp_path: Path
) -> None:
    other = Certificates.follow_recipe(tmp_path / "other", "127.0.0.1")
    async with connect(recipe.url, tls=TLS(ca=other.ca)) as docker:
        with pytest.raises(ConnectionFailed, match="certificate verify failed"):
            await docker.ping()


@pytest.mark.usefixtures("docker_command")
def test_the_docker_cli_connects(recipe: RecipeEngine) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "DOCKER_CERT_PATH": str(recipe.files.directory),
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_HOST": recipe.url,
    }
    subprocess.run(["docker", "images"], env=environment, check=True, capture_output=True, timeout=60)


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="the other tests run on a Python that is strict")
def test_the_newest_python_connects(recipe: RecipeEngine) -> None:
    if reason := FORKY.available():
        pytest.fail(f'there is no Python 3.14 to test with; deselect by -m "not engine": {reason}')
    directories = f"{REPOSITORY}:{recipe.files.directory}"
    path = f"PYTHONPATH={REPOSITORY}:{REPOSITORY / 'transports'}"
    client = ("env", path, "PYTHONDONTWRITEBYTECODE=1", "python3", "-c", CLIENT, recipe.url)
    files = (recipe.files.ca, recipe.files.certificate, recipe.files.key)
    done = subprocess.run(
        FORKY.command(*client, *files, directories=directories),
        check=False,
        text=True,
        capture_output=True,
        timeout=60,
    )
    assert done.stdout.startswith("(3, 14) "), done.stderr
    assert "CA cert does not include key usage extension" in done.stdout
