"""Proxies of builds: those of config.json or of the program, as arguments beside the build's own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dockerproto import UnixSocket
from dockerproto.config.config_file import parse_config_file
from dockerproto.config.proxies import build_proxies
from dockerproto_local import configure
from dockerproto_local.config_directory import ConfigDirectory
from dockerproto_local.configuration import find_proxies
from tests.conftest import Connect
from tests.testbed.base_image import context
from tests.testbed.scripted import ScriptedEngine, chunked

HOST = "tcp://h:1"
DEFAULT = {"httpProxy": "http://p", "noProxy": "x,y"}
BOTH = {"HTTP_PROXY": "http://p", "http_proxy": "http://p", "NO_PROXY": "x,y", "no_proxy": "x,y"}
CONFIGS: list[tuple[str, Any, dict[str, str]]] = [
    ("none", {}, {}),
    ("null", {"proxies": None}, {}),
    ("null inside", {"proxies": {"default": None}}, {}),
    ("default", {"proxies": {"default": DEFAULT}}, BOTH),
    ("an engine's own", {"proxies": {"default": {"httpProxy": "no"}, HOST: DEFAULT}}, BOTH),
    ("another engine's", {"proxies": {"tcp://other:1": DEFAULT}}, {}),
    ("an engine's own, which are empty", {"proxies": {"default": DEFAULT, HOST: {}}}, {}),
    ("empty", {"proxies": {"default": {"httpProxy": "", "ftpProxy": None}}}, {}),
    ("in any case", {"PROXIES": {"default": {"HTTPPROXY": "http://p", "noproxy": "x,y"}}}, BOTH),
    ("the default in another case", {"proxies": {"Default": DEFAULT}}, {}),
    (
        "all",
        {"proxies": {"default": {"httpsProxy": "a", "ftpProxy": "b", "allProxy": "c"}}},
        {
            "HTTPS_PROXY": "a",
            "https_proxy": "a",
            "FTP_PROXY": "b",
            "ftp_proxy": "b",
            "ALL_PROXY": "c",
            "all_proxy": "c",
        },
    ),
]
TAR = context("FROM scratch\n")


@pytest.mark.parametrize(
    ("config", "proxies"), [each[1:] for each in CONFIGS], ids=[each[0] for each in CONFIGS]
)
def test_those_of_the_configuration(config: Any, proxies: dict[str, str]) -> None:
    assert build_proxies(parse_config_file(json.dumps(config).encode()), HOST) == proxies


@pytest.mark.parametrize(
    "config",
    [{"proxies": 5}, {"proxies": {"default": "http://p"}}, {"proxies": {"default": {"noProxy": []}}}],
)
def test_what_is_none_is_passed_over_with_a_warning(config: Any, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.warns(UserWarning, match=r"config\.json was ignored: .* must be a"):
        assert find_proxies(None, ConfigDirectory({"DOCKER_CONFIG": str(tmp_path)}), UnixSocket("/x")) == {}


def test_those_of_the_program_come_first(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"proxies": {"default": DEFAULT}}))
    environment = ConfigDirectory({"DOCKER_CONFIG": str(tmp_path)})
    assert find_proxies(None, environment, UnixSocket("/x")) == BOTH
    assert find_proxies({"HTTP_PROXY": "mine"}, environment, UnixSocket("/x")) == {"HTTP_PROXY": "mine"}
    assert find_proxies({}, environment, UnixSocket("/x")) == {}
    wrong: Any
    for wrong in (5, {"HTTP_PROXY": None}):
        with pytest.raises(TypeError, match="proxies must be a mapping"):
            find_proxies(wrong, environment, UnixSocket("/x"))


def test_they_do_not_show() -> None:
    configuration = configure("unix:///x", proxies={"HTTP_PROXY": "http://me:secret@p"})
    assert "secret" not in repr(configuration)


@pytest.mark.anyio
async def test_a_build_has_them_beside_its_own(scripted: ScriptedEngine, connect: Connect) -> None:
    scripted.script("POST", "/build", chunked(b"{}"))
    async with connect(scripted.url, proxies={"HTTP_PROXY": "http://p", "NO_PROXY": "x"}) as docker:
        await docker.images.build(fileobj=TAR)
        await docker.images.build(fileobj=TAR, buildargs={"A": "b", "NO_PROXY": None})
    sent = [json.loads(each.query["buildargs"][0]) for each in scripted.requests[1:]]
    assert sent == [
        {"HTTP_PROXY": "http://p", "NO_PROXY": "x"},
        {"HTTP_PROXY": "http://p", "NO_PROXY": None, "A": "b"},
    ]


@pytest.mark.engine
@pytest.mark.usefixtures("docker_command")
@pytest.mark.parametrize("config", [each[1] for each in CONFIGS], ids=[each[0] for each in CONFIGS])
def test_the_docker_command_sends_the_same(config: Any, scripted: ScriptedEngine, tmp_path: Path) -> None:
    ours_of = json.dumps(config).replace(HOST, scripted.url)
    (tmp_path / "config.json").write_text(ours_of)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    environment = {"DOCKER_CONFIG": str(tmp_path)}
    scripted.script("POST", "/build", chunked(b"{}"))
    subprocess.run(
        ["docker", "build", str(tmp_path)],
        env={
            **environment,
            "PATH": os.environ["PATH"],
            "DOCKER_HOST": scripted.url,
            "DOCKER_BUILDKIT": "0",
        },
        capture_output=True,
        check=True,
        timeout=60,
    )
    sent = json.loads(scripted.requests[-1].query.get("buildargs", ["{}"])[0])
    assert sent == find_proxies(None, ConfigDirectory(environment), UnixSocket(str(scripted.socket)))
