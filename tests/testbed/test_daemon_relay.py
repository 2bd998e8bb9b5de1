"""The relay that stands in for a BuildKit daemon: every way leads to the Control API of the engine."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from dockerproto.buildkit.control.calls import Calls
from dockerproto.buildkit.control.messages import ListWorkersResponse
from dockerproto_testing.steps import Exchange
from tests.support.calling import SWITCHING
from tests.testbed.certificates import Certificates
from tests.testbed.daemon_relay import PROGRAMS, DaemonRelay, switch
from tests.testbed.private import PrivateEngine
from tests.testbed.scripted import ScriptedEngine, response, wait_until

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.issue(tmp_path_factory.mktemp("relay") / "good", "127.0.0.1")


def list_workers(send: Callable[[bytes], object], receive: Callable[[], bytes]) -> int:
    """Return the number of workers that the Control API lists on a connection."""
    calls = Calls()
    call = calls.begin("ListWorkers")
    while call.ended is None:
        send(calls.data_to_send())
        calls.feed(receive())
    return len(ListWorkersResponse.decode(calls.reply(call)).record)


@contextmanager
def connected(relay: DaemonRelay, certificates: Certificates | None = None) -> Generator[socket.socket]:
    """Connect to the socket or the port of a relay, by TLS if there are certificates."""
    if relay.url.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(relay.socket))
    else:
        host, _, port = relay.url.removeprefix("tcp://").rpartition(":")
        connection = socket.create_connection((host, int(port)))
    if certificates is not None:
        context = ssl.create_default_context(cafile=certificates.ca)
        context.load_cert_chain(certificates.certificate, certificates.key)
        context.set_alpn_protocols(["h2"])
        connection = context.wrap_socket(connection, server_hostname="127.0.0.1")
    with closing(connection):
        yield connection


@pytest.mark.parametrize("port", [False, True], ids=["unix", "tcp"])
def test_a_socket_leads_to_the_control_api(engine: PrivateEngine, port: bool) -> None:
    with DaemonRelay(engine.socket, port=port) as relay:
        with connected(relay) as connection:
            assert list_workers(connection.sendall, lambda: connection.recv(65536)) == 1
            assert (relay.open, relay.connections) == (1, 1)
        wait_until(lambda: not relay.open)


@pytest.mark.parametrize("protocols", [("h2",), ()], ids=["h2", "none"])
def test_tls_leads_to_the_control_api(
    engine: PrivateEngine, certificates: Certificates, protocols: tuple[str, ...]
) -> None:
    with (
        DaemonRelay(engine.socket, tls=certificates, protocols=protocols) as relay,
        connected(relay, certificates) as connection,
    ):
        assert isinstance(connection, ssl.SSLSocket)
        assert connection.selected_alpn_protocol() == next(iter(protocols), None)
        assert list_workers(connection.sendall, lambda: connection.recv(65536)) == 1


def test_a_client_without_a_certificate_is_refused(engine: PrivateEngine, certificates: Certificates) -> None:
    context = ssl.create_default_context(cafile=certificates.ca)
    with DaemonRelay(engine.socket, tls=certificates) as relay:
        address = ("127.0.0.1", int(relay.url.rpartition(":")[2]))
        with (
            socket.create_connection(address) as plain,
            pytest.raises(ssl.SSLError, match="certificate required"),
            context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
        ):
            connection.recv(1)


@pytest.mark.parametrize("name", ["", *PROGRAMS])
def test_a_command_leads_to_the_control_api(engine: PrivateEngine, tmp_path: Path, name: str) -> None:
    record = tmp_path / "record"
    with DaemonRelay(engine.socket) as relay:
        relay.install(tmp_path, record)
        command = [str(tmp_path / name), "-i", "two words"] if name else relay.command
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, bufsize=0) as process:
            stdin, stdout = process.stdin, process.stdout
            assert stdin is not None
            assert stdout is not None
            assert list_workers(stdin.write, lambda: stdout.read(65536)) == 1
            assert relay.cut() == 1
            assert process.wait(10) == 0
    recorded = [json.loads(line) for line in record.read_text().splitlines()] if name else []
    assert recorded == ([[name, "-i", "two words"]] if name else [])


def test_a_command_ends_with_its_input(engine: PrivateEngine) -> None:
    with DaemonRelay(engine.socket) as relay:
        assert subprocess.run(relay.command, input=b"", check=True, capture_output=True).returncode == 0


@pytest.mark.parametrize("line", ["GET /_ping", "POST /session"])
def test_it_does_not_speak_http11(engine: PrivateEngine, line: str) -> None:
    with DaemonRelay(engine.socket) as relay, connected(relay) as connection:
        connection.sendall(f"{line} HTTP/1.1\r\nHost: docker\r\n\r\n".encode())
        received = b""
        while data := connection.recv(65536):
            received += data
        assert b"HTTP/" not in received


@dataclass(frozen=True, slots=True)
class Echo:
    """A step of a scripted engine: switch the connection, and send back what comes first."""

    def perform(self, exchange: Exchange) -> None:
        """Do it."""
        exchange.body.read()
        exchange.wire.send(SWITCHING)
        exchange.wire.send(exchange.wire.some(2**16))


def test_what_looks_like_a_request_is_carried_too(scripted: ScriptedEngine) -> None:
    sent = b"\xff \xfe HTTP/1.1\r\n"
    scripted.script("POST", "/grpc", Echo())
    with DaemonRelay(scripted.socket) as relay, connected(relay) as connection:
        connection.sendall(sent)
        assert connection.recv(100) == sent


def test_an_engine_that_does_not_switch_is_an_error(scripted: ScriptedEngine) -> None:
    scripted.script("POST", "/grpc", response(404))
    with socket.socket(socket.AF_UNIX) as engine, pytest.raises(RuntimeError, match="does not switch"):
        engine.connect(str(scripted.socket))
        switch(engine)
