"""The testbed does what the other tests rely on: its scripted engine, private engine and private registry."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from tests.testbed.base_image import busybox_layer, context
from tests.testbed.processes import Child, ChildError, NotInTimeError, free_port
from tests.testbed.scripted import (
    LAST_CHUNK,
    Close,
    DontReadBody,
    Pause,
    ReadBody,
    ReadSome,
    Reset,
    ScriptedEngine,
    Step,
    UntilClosed,
    WaitFor,
    chunk,
    chunked,
    json_response,
    response,
    stream_head,
    wait_until,
)
from tests.testbed.unix_http import UnixConnection, ask

BARE = b"GET /x HTTP/1.1\r\nHost: docker\r\n\r\n"

LASTING: dict[str, Step] = {
    "until-closed": UntilClosed(),
    "pause": Pause(60),
    "wait-for": WaitFor(threading.Event()),
    "more-than-fits": bytes(5_000_000),
}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[ScriptedEngine]:
    with ScriptedEngine(tmp_path) as engine:
        yield engine
    assert engine.connections_open == 0
    assert not [thread for thread in threading.enumerate() if thread.name == "scripted engine"]


@pytest.fixture
def connection(engine: ScriptedEngine) -> Iterator[UnixConnection]:
    with closing(UnixConnection(engine.socket, timeout=5)) as connection:
        yield connection


@pytest.fixture
def plain(engine: ScriptedEngine) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as plain:
        plain.settimeout(5)
        plain.connect(str(engine.socket))
        yield plain


def read_all(plain: socket.socket) -> bytes:
    data = bytearray()
    while piece := plain.recv(65536):
        data += piece
    return bytes(data)


def test_ping_is_preinstalled(engine: ScriptedEngine) -> None:
    assert engine.url == f"unix://{engine.socket}"
    answer = ask(engine.socket, "GET", "/_ping")
    assert (answer.status, answer.body, answer.headers["api-version"]) == (200, b"OK", "1.41")
    engine.api_version = "1.45"
    assert ask(engine.socket, "GET", "/v1.30/_ping").headers["api-version"] == "1.45"
    engine.script("GET", "/_ping", response(500, b"no"))
    assert ask(engine.socket, "GET", "/_ping").status == 500


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_the_unscripted_is_not_found(connection: UnixConnection, method: str) -> None:
    for _ in range(2):
        answer = connection.ask(method, "/v1.41/nothing")
        assert answer.status == 404
        assert method == "HEAD" or json.loads(answer.body) == {"message": "page not found"}


def test_replies_come_in_order_and_the_last_one_repeats(
    engine: ScriptedEngine, connection: UnixConnection
) -> None:
    engine.script("GET", "/x", json_response(1), (json_response(2),), chunked(b"3", b"4"))
    bodies = [connection.ask("GET", f"/v1.41/x?n={n}").body for n in range(4)]
    assert bodies == [b"1\n", b"2\n", b"34", b"34"]
    assert engine.connections_opened == 1
    assert [request.query for request in engine.requests] == [{"n": [str(n)]} for n in range(4)]
    engine.script("GET", "/x", response(204))
    assert connection.ask("GET", "/x").status == 204
    with pytest.raises(ValueError, match="needs a reply"):
        engine.script("GET", "/x")


def test_a_request_is_recorded(engine: ScriptedEngine, connection: UnixConnection) -> None:
    engine.script("POST", "/a%2Fb", response(200, chunked=True))
    connection.ask("POST", "/v1.41/a%2Fb?q=%26&q=&r=2", b"body", {"X-One": "1"})
    (request,) = engine.requests
    assert (request.method, request.path, request.version) == ("POST", "/a%2Fb", "1.41")
    assert request.target == "/v1.41/a%2Fb?q=%26&q=&r=2"
    assert request.query == {"q": ["&", ""], "r": ["2"]}
    assert request.headers["x-one"] == "1"
    assert (request.body, request.length, request.connection) == (b"body", 4, 1)
    assert (request.complete, request.chunked) == (True, False)


@pytest.mark.parametrize("pieces", [[], [b"one"], [b"a" * 70_000, b"b", b"c" * 10]])
def test_a_chunked_body_is_put_together(
    engine: ScriptedEngine, connection: UnixConnection, pieces: list[bytes]
) -> None:
    engine.script("POST", "/x", response(200))
    for _ in range(2):
        connection.request(
            "POST", "/x", iter(pieces), encode_chunked=True, headers={"Transfer-Encoding": "chunked"}
        )
        assert connection.getresponse().read() == b""
    for request in engine.requests:
        assert request.body == b"".join(pieces)
        assert request.chunked
        assert request.complete


def test_of_a_long_body_only_the_hash_is_kept(engine: ScriptedEngine, connection: UnixConnection) -> None:
    body = bytes(range(256)) * 8192
    connection.ask("POST", "/x", body)
    (request,) = engine.requests
    assert (request.body, request.length) == (b"", len(body))
    assert request.sha256 == sha256(body).hexdigest()


def test_a_body_byte_by_byte(engine: ScriptedEngine, plain: socket.socket) -> None:
    engine.script("POST", "/x", (response(200), Close()))
    head = b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    for byte in head + b"3;a=b\r\nabc\r\n1\r\nd\r\n0\r\nX-Trailer: 1\r\n\r\n":
        plain.send(bytes([byte]))
    assert read_all(plain) == response(200)
    assert engine.requests[0].body == b"abcd"


def test_requests_in_a_row_are_answered_in_order(engine: ScriptedEngine, plain: socket.socket) -> None:
    engine.script("GET", "/x", response(200, b"1"), (response(200, b"2"), Close()))
    plain.sendall(BARE * 3)
    assert read_all(plain) == response(200, b"1") + response(200, b"2")


@pytest.mark.parametrize("sent", [BARE, b"POST /x HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody", BARE + b"more"])
def test_close_is_the_end_of_what_was_sent(engine: ScriptedEngine, plain: socket.socket, sent: bytes) -> None:
    for reply in ((stream_head(), Close()), (DontReadBody(), stream_head(), Close())):
        engine.script(sent[:4].strip().decode(), "/x", reply)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(engine.socket))
            client.sendall(sent)
            assert read_all(client) == stream_head()
            with pytest.raises(BrokenPipeError):
                client.send(b"more")


@pytest.mark.parametrize("sent", [BARE, b"POST /x HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody", BARE + b"more"])
@pytest.mark.parametrize("reply", [(), (stream_head(), chunk(b"{}")), (DontReadBody(),)])
def test_reset_is_an_error(
    engine: ScriptedEngine, plain: socket.socket, sent: bytes, reply: tuple[Step, ...]
) -> None:
    engine.script(sent[:4].strip().decode(), "/x", (*reply, Reset()))
    plain.sendall(sent)
    expected = b"".join(step for step in reply if isinstance(step, bytes))
    assert b"".join(plain.recv(1) for _ in expected) == expected
    with pytest.raises(ConnectionResetError):
        plain.recv(1)


def test_steps_are_taken_in_order(engine: ScriptedEngine, connection: UnixConnection) -> None:
    go_on = threading.Event()
    engine.script(
        "POST", "/x", (stream_head(), chunk(b"1"), WaitFor(go_on), Pause(0.05), chunk(b"2"), LAST_CHUNK)
    )
    connection.request("POST", "/x", b"body")
    with connection.getresponse() as got:
        assert got.read(1) == b"1"
        started = time.monotonic()
        go_on.set()
        assert got.read() == b"2"
        assert time.monotonic() - started >= 0.05
    assert connection.ask("GET", "/_ping").status == 200
    assert engine.connections_opened == 1


def test_a_body_may_be_answered_before_it_is_read(engine: ScriptedEngine, plain: socket.socket) -> None:
    engine.script(
        "POST", "/x", (DontReadBody(), response(200, b"early"), ReadSome(2), response(200), ReadBody())
    )
    plain.sendall(b"POST /x HTTP/1.1\r\nContent-Length: 6\r\n\r\n")
    assert plain.recv(1000) == response(200, b"early")
    assert [(request.length, request.complete) for request in engine.requests] == [(0, False)]
    plain.sendall(b"bo")
    assert plain.recv(1000) == response(200)
    assert [(request.body, request.complete) for request in engine.requests] == [(b"bo", False)]
    plain.sendall(b"dies")
    wait_until(lambda: engine.requests[0].complete)
    assert engine.requests[0].body == b"bodies"


def test_a_body_nobody_reads_stops_the_client(engine: ScriptedEngine, plain: socket.socket) -> None:
    engine.script("POST", "/x", (ReadSome(1000), UntilClosed()))
    plain.sendall(b"POST /x HTTP/1.1\r\nContent-Length: 100000000\r\n\r\n")
    plain.settimeout(0.2)
    with pytest.raises(TimeoutError):
        plain.sendall(bytes(100_000_000))
    assert [(request.length, request.complete) for request in engine.requests] == [(1000, False)]
    assert engine.connections_open == 1
    plain.close()
    wait_until(lambda: engine.connections_open == 0)


def test_an_upload_that_breaks_off_is_recorded(engine: ScriptedEngine, plain: socket.socket) -> None:
    plain.sendall(b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
    plain.close()
    wait_until(lambda: engine.requests)
    assert [(request.body, request.complete) for request in engine.requests] == [(b"ab", False)]


@pytest.mark.parametrize("last", LASTING.values(), ids=LASTING)
@pytest.mark.parametrize("unread", [b"", b"more"])
def test_a_client_that_goes_is_noticed(
    engine: ScriptedEngine, plain: socket.socket, last: Step, unread: bytes
) -> None:
    engine.script("GET", "/x", (stream_head(), last))
    plain.sendall(BARE + unread)
    assert plain.recv(10)
    assert engine.connections_open == 1
    plain.close()
    wait_until(lambda: engine.connections_open == 0)


@pytest.mark.parametrize("last", LASTING.values(), ids=LASTING)
def test_it_shuts_down_under_way(engine: ScriptedEngine, plain: socket.socket, last: Step) -> None:
    engine.script("GET", "/x", (stream_head(), last))
    plain.sendall(BARE)
    assert plain.recv(10)


def test_idle_connections_do_not_keep_it(engine: ScriptedEngine, connection: UnixConnection) -> None:
    connection.ask("GET", "/_ping")
    with socket.socket(socket.AF_UNIX) as idle:
        idle.connect(str(engine.socket))
        wait_until(lambda: engine.connections_open == 2)
    wait_until(lambda: engine.connections_open == 1)


@pytest.mark.parametrize(
    "sent",
    [
        b"\r\n",
        b"GET /x\r\n\r\n",
        b"GET /x HTTP/1.1\r\nno header\r\n\r\n",
        b"POST /x HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"a" * 200_000,
        b"\x16\x03\x01\x02\x00\n",
    ],
    ids=lambda sent: repr(sent[:20]),
)
def test_nonsense_is_a_bad_request(plain: socket.socket, sent: bytes) -> None:
    plain.sendall(sent)
    assert read_all(plain).startswith(b"HTTP/1.1 400 Bad Request\r\n")


@pytest.mark.parametrize("sent", [b"G", BARE[:-1], BARE, b"POST /x HTTP/1.1\r\nContent-Length: 4\r\n\r\nbo"])
def test_clients_may_go_at_any_time(engine: ScriptedEngine, plain: socket.socket, sent: bytes) -> None:
    plain.sendall(sent)
    plain.close()
    wait_until(lambda: engine.connections_opened == 1)
    wait_until(lambda: engine.connections_open == 0)


def test_a_client_that_asks_for_it_is_closed(engine: ScriptedEngine, plain: socket.socket) -> None:
    plain.sendall(b"GET /_ping HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert read_all(plain).endswith(b"OK")


def test_many_clients_at_once(engine: ScriptedEngine) -> None:
    engine.script("POST", "/x", json_response({}))

    def client() -> None:
        with closing(UnixConnection(engine.socket)) as connection:
            for _ in range(20):
                assert connection.ask("POST", "/x", bytes(100_000)).status == 200

    threads = [threading.Thread(target=client) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(engine.requests) == 400
    assert engine.connections_opened == 20


def test_a_long_directory_is_no_obstacle(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    with ScriptedEngine(long) as engine:
        assert ask(engine.socket, "GET", "/_ping").status == 200
    assert not engine.socket.parent.exists()


@pytest.mark.parametrize("terminated", [True, False])
def test_chunked(terminated: bool) -> None:
    head, _, body = chunked(b"ab", b"c" * 17, headers={"X": "1"}, terminated=terminated).partition(
        b"\r\n\r\n"
    )
    assert head.splitlines()[0] == b"HTTP/1.1 200 OK"
    assert {b"X: 1", b"Transfer-Encoding: chunked"} < set(head.splitlines())
    assert body == b"2\r\nab\r\n11\r\n" + b"c" * 17 + b"\r\n" + LAST_CHUNK * terminated


def test_a_child_that_ends_shows_its_log(tmp_path: Path) -> None:
    child = Child(("sh", "-c", "echo no such thing; exit 3"), tmp_path / "log")
    with pytest.raises(ChildError, match=r"(?s)ended with code 3 .*no such thing"):
        child.start(lambda: False)
    with pytest.raises(RuntimeError, match="not running"):
        _ = child.pid


def test_a_child_that_is_not_ready_is_stopped(tmp_path: Path) -> None:
    child = Child(("sh", "-c", "echo $$; exec sleep 60"), tmp_path / "log")
    with pytest.raises(ChildError, match=r"was not ready after 0\.3 s"):
        child.start(lambda: False, timeout=0.3)
    pid = (tmp_path / "log").read_text().strip()
    assert not Path(f"/proc/{pid}").exists()


def test_a_child_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = Child(("sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done"), log)
    child.start(lambda: "up" in log.read_text())
    pid = child.pid
    child.stop(timeout=0.2)
    assert not Path(f"/proc/{pid}").exists()
    child.stop()


def test_waiting_has_an_end() -> None:
    with pytest.raises(NotInTimeError, match=r"not within 0\.01 s"):
        wait_until(lambda: False, 0.01)
    assert free_port() > 0


def test_images_and_contexts_are_deterministic() -> None:
    assert context("FROM x", **{"a/b": b"c"}) == context("FROM x", **{"a/b": b"c"})
    if Path("/bin/busybox").exists():
        assert busybox_layer() == busybox_layer()
