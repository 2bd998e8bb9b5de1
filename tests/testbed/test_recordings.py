"""The recorded exchanges: complete, a request to each response, no trace of where they were made."""

import re

import h11
import pytest

from tests.testbed.recordings import ARCHIVES, ENGINES, Recording, recorded, recordings_of

REQUEST = re.compile(r"(GET|POST|DELETE) /[!-~]+")
LOOPBACK = {"127.0.0.1", "localhost"}
HOST = re.compile(rb"https?://([\w.-]+)")
HOSTS = LOOPBACK | {"docs.docker.com", "index.docker.io", "registry-1.docker.io"}


def exchanges() -> list[tuple[str, str, Recording]]:
    return [(engine, *item) for engine in ENGINES for item in recordings_of(engine).items()]


def test_each_archive_is_of_a_known_engine() -> None:
    assert {each.name for each in ARCHIVES.iterdir()} == {f"{engine}.tar.xz" for engine in ENGINES}
    assert sum(each.stat().st_size for each in ARCHIVES.iterdir()) < 400_000


def test_each_request_is_one_line() -> None:
    assert [each for *each, recording in exchanges() if not REQUEST.fullmatch(recording.request)] == []


@pytest.mark.parametrize("engine", ENGINES)
def test_each_response_is_complete(engine: str) -> None:
    for name, recording in recordings_of(engine).items():
        connection = h11.Connection(h11.CLIENT)
        connection.send(h11.Request(method="GET", target="/", headers=[("Host", "docker")]))
        connection.send(h11.EndOfMessage())
        connection.receive_data(recording.response)
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            assert event not in (h11.NEED_DATA, h11.PAUSED), (engine, name)
        assert connection.trailing_data == (b"", False), (engine, name)


def test_no_recording_tells_where_it_was_made() -> None:
    named = {
        host.decode() for *_, each in exchanges() for host in HOST.findall(each.response) if b"." in host
    }
    assert {host for host in named if not host.startswith("build-context")} <= HOSTS


def test_a_response_is_read_by_its_engine_and_name() -> None:
    assert recorded("docker-29.7/ping-get").startswith(b"HTTP/1.1 200 OK\r\nApi-Version: 1.55\r\n")
