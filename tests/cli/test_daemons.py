"""``--builder`` with the address of a BuildKit daemon: what is refused before it is connected to."""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from pathlib import Path

import pytest

from dockerproto import TLS, CacheOnly
from dockerproto_cli.arguments import parse
from dockerproto_cli.control_options import daemon_arguments
from dockerproto_cli.daemons import connect_daemon, is_address, read_address, read_builder
from tests.support.commanding import Run
from tests.testbed.certificates import Certificates
from tests.testbed.scripted import ScriptedEngine

ADDRESS = "tcp://builder.example:1234"


@pytest.fixture
def run(scripted: ScriptedEngine, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(scripted, capsys)


@pytest.mark.parametrize(
    ("text", "address"), [("classic", False), ("buildkit", False), (ADDRESS, True), ("kube-pod://a", True)]
)
def test_builders(text: str, *, address: bool) -> None:
    assert read_builder(text) == text
    assert is_address(text) == address
    assert not is_address(None)


@pytest.mark.parametrize("text", ["", "mybuilder", "builder.example:1234"])
def test_the_name_of_something_else(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match=r"^must be the address of a BuildKit daemon, such as tcp"):
        read_address(text)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", {"outputs": CacheOnly(), "platforms": None}),
        ("--load", {"outputs": None}),
        ("-o out", {"outputs": [Path("out")]}),
        ("--platform linux/arm64", {"platforms": ["linux/arm64"]}),
    ],
)
def test_arguments_for_a_daemon(line: str, expected: dict[str, object]) -> None:
    arguments = daemon_arguments(parse(["build", "--builder", ADDRESS, *line.split(), "."]))
    assert {name: arguments[name] for name in expected} == expected
    assert not arguments.keys() & {"platform", "output"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("build -m 1g .", "--memory needs the classic builder, not a BuildKit daemon"),
        ("build --force-rm .", "--force-rm needs the classic builder, not a BuildKit daemon"),
        ("builder prune -f --filter until=24h", "a BuildKit daemon has no filter 'until'"),
    ],
)
def test_what_a_daemon_lacks(line: str, message: str, run: Run) -> None:
    run(*line.split(), "--builder", "tcp://127.0.0.1:1", status=1)
    assert run.errors.endswith(f"dockerproto: {message}\n")


def test_an_invalid_address(run: Run) -> None:
    run("builder", "prune", "-f", "--builder", "ftp://builder.example", status=1)
    assert run.errors.startswith("dockerproto: ")
    assert "ftp" in run.errors


def test_tls(tmp_path: Path) -> None:
    files = Certificates.issue(tmp_path / "tls", "127.0.0.1")
    for name, file in (("ca", files.ca), ("cert", files.certificate), ("key", files.key)):
        (tmp_path / f"{name}.pem").write_bytes(Path(file).read_bytes())
    with connect_daemon(Namespace(builder=ADDRESS, builder_tls=str(tmp_path))) as daemon:
        certificates = (str(tmp_path / f"{each}.pem") for each in ("ca", "cert", "key"))
        ca, certificate, key = certificates
        assert daemon.endpoint.tls == TLS(ca=ca, certificate=certificate, key=key)
