"""The example of a web service, in a server of its own, on scripted and real engines."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.testbed.private import PrivateEngine
from tests.testbed.scripted import ScriptedEngine, UntilClosed, chunk, json_response, stream_head, wait_until

EXAMPLES = Path(__file__).parents[1] / "docs/examples"
UVICORN = [sys.executable, "-m", "uvicorn", "--app-dir", str(EXAMPLES), "--log-level", "warning"]


@contextmanager
def service(engine: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[httpx.Client]:
    """Start the service; yield a client of it."""
    socket = directory / "http"
    monkeypatch.setenv("DOCKER_HOST", engine)
    with subprocess.Popen([*UVICORN, "--uds", str(socket), "web_service:app"]) as server:
        try:
            wait_until(socket.exists, 20)
            with httpx.Client(
                transport=httpx.HTTPTransport(uds=str(socket)), base_url="http://web"
            ) as client:
                yield client
        finally:
            server.terminate()
    assert server.returncode in {0, -15}


def test_requests_on_a_scripted_engine(
    scripted: ScriptedEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = json_response({"message": "no such image"}, 404)
    started = (stream_head(), chunk(b'{"status":"Pulling"}\n'), UntilClosed())
    scripted.script("POST", "/images/create", refusal, started)
    with service(scripted.url, tmp_path, monkeypatch) as client:
        assert client.post("/images/Bad").status_code == 400
        assert client.post("/images/absent").text.startswith("failed: [404] no such image")
        assert client.get("/images").status_code == 502
        with client.stream("POST", "/images/busybox") as response:
            texts = response.iter_text()
            assert next(texts) == "Pulling\n"
            assert scripted.connections_open == 1
        wait_until(lambda: scripted.connections_open == 0, 20)  # so the engine stops the pull


@pytest.mark.engine
def test_images_of_a_real_engine(
    engine: PrivateEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with service(engine.url, tmp_path, monkeypatch) as client:
        assert "busybox:latest" in client.get("/images").json()
