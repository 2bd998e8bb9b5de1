"""Hosts that the Docker CLI takes or rejects, compared with ours."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from contextlib import suppress

import pytest

from dockerproto import TCP, InvalidHost, parse_host

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("docker_command")]


def docker_cli(host: str, *prefix: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "DOCKER_CONFIG": os.devnull, "DOCKER_HOST": host}
    command = [*prefix, "docker", "images", "--quiet"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    "host",
    [
        *("tcp://é:1", "tcp://É.example", "tcp://BÜCHER.example:1", "tcp://例え.jp:1/x", "tcp://a。b:1"),
        *("tcp://xn--bcher-kva.example:1", "tcp://a_b:1", "tcp://h.:1", "engine.test:1", "tcp://0x7f.1:1"),
    ],
)
def test_a_name_is_encoded_alike(host: str) -> None:
    address = parse_host(host)
    assert isinstance(address, TCP)
    stderr = docker_cli(host, "unshare", "--net").stderr
    assert f"lookup {address.name} " in stderr.lower(), stderr


@pytest.mark.parametrize(
    "host",
    [
        *("TCP://h:1", "Unix:///x", "SSH://h", "udp://h:1", "tcp://h%41:1"),
        *("tcp://[fe80::1%25eth0]:2375", "tcp://[fe80::1%eth0]:2375", "tcp://[::1%lo]:1"),
    ],
)
def test_what_the_docker_cli_rejects_is_rejected(host: str) -> None:
    assert "Failed to initialize" in docker_cli(host, "unshare", "--net").stderr
    with pytest.raises(InvalidHost):
        parse_host(host)


@pytest.mark.parametrize("label", ["a..b", "a" * 64, ".a"])
def test_what_the_docker_cli_cannot_resolve_is_rejected(label: str) -> None:
    assert f"lookup {label}: no such host" in docker_cli(f"tcp://{label}:1", "unshare", "--net").stderr
    with pytest.raises(InvalidHost):
        parse_host(f"tcp://{label}:1")


def test_an_abstract_socket() -> None:
    name = f"dockerproto-cli-{os.getpid()}"
    accepted = threading.Event()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0{name}")
        listener.listen()

        def hang_up() -> None:
            with suppress(OSError):  # the listener was shut down
                while True:
                    listener.accept()[0].close()
                    accepted.set()

        thread = threading.Thread(target=hang_up)
        thread.start()
        try:
            docker_cli(f"unix://@{name}")
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
    assert accepted.is_set()  # the Docker CLI has connected
