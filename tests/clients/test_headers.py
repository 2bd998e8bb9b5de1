"""Headers for every request: whose they are, what is refused, and that they are sent."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dockerproto import InvalidHeader, __version__
from dockerproto.config.config_file import parse_config_file
from dockerproto.config.headers import Headers, check_headers, file_headers, parse_variable
from dockerproto_local import configure
from dockerproto_local.config_directory import ConfigDirectory
from dockerproto_local.configuration import find_headers
from tests.conftest import Connect
from tests.testbed.scripted import ScriptedEngine, json_response

VARIABLES: list[tuple[str, Headers | None]] = [
    ("a=b", (("a", "b"),)),
    ("a=b,c=d", (("a", "b"), ("c", "d"))),
    ('a=b,"c=d,e"', (("a", "b"), ("c", "d,e"))),
    ('"a=say ""x"""', (("a", 'say "x"'),)),
    ("a=b=c", (("a", "b=c"),)),
    (" a = b , c=", (("a", "b"), ("c", ""))),
    ("a=1,A=2", (("A", "2"),)),
    ("a=1\nb=2", (("a", "1"),)),
    ("a=1,User-Agent=x,Host=y,content-LENGTH=5", (("a", "1"),)),
    ("a", None),
    ("=b", None),
    (" =b", None),
    ("a=1,", None),
    ('"a=b', None),
    ("a b=c", None),
    ("a=\0", None),
    ("a=\x7f", None),
]
CONFIGS: list[tuple[str, Headers | None]] = [
    ("", ()),
    ("null", ()),
    ("{}", ()),
    ('{"HttpHeaders": null}', ()),
    ('{"HttpHeaders": {}}', ()),
    ('{"HttpHeaders": {"X-A": "b", "X-C": null}}', (("X-A", "b"), ("X-C", ""))),
    ('{"httpheaders": {"X-A": " b "}} trailing', (("X-A", "b"),)),
    (
        '{"HttpHeaders": {"User-Agent": "x", "hOST": "y", "X-Registry-Auth": "z"}}',
        (("X-Registry-Auth", "z"),),
    ),
    ('{"auths": 5, "HttpHeaders": {"A": "b"}}', (("A", "b"),)),
    ('{"HttpHeaders": {"X A": "b"}}', None),
    ('{"HttpHeaders": {"": "b"}}', None),
    ('{"HttpHeaders": {"A": "b\\r\\nC: d"}}', None),
]


@pytest.mark.parametrize(("text", "headers"), VARIABLES)
def test_those_of_the_variable(text: str, headers: Headers | None) -> None:
    if headers is not None:
        assert parse_variable(text) == headers
        return
    with pytest.raises(InvalidHeader, match=r"^DOCKER_CUSTOM_HEADERS"):
        parse_variable(text)


@pytest.mark.parametrize(("config", "headers"), CONFIGS)
def test_those_of_the_configuration(config: str, headers: Headers | None) -> None:
    if headers is not None:
        assert file_headers(parse_config_file(config.encode())) == headers
        return
    with pytest.raises(InvalidHeader, match=r"HttpHeaders: the header '.*' cannot be sent$"):
        file_headers(parse_config_file(config.encode()))


def test_those_of_the_program() -> None:
    assert check_headers({"User-Agent": "me/1", "X": "y"}) == (("User-Agent", "me/1"), ("X", "y"))
    for wrong in ({"Host": "x"}, {"transfer-Encoding": "x"}, {"a\n": "x"}, {"a": "\n"}, {"a": "\u00e9"}):
        with pytest.raises(InvalidHeader, match="headers=: the header"):
            check_headers(wrong)
    anything: Any
    for anything in ([("a", "b")], {"a": 5}, {5: "a"}):
        with pytest.raises(TypeError, match="headers"):
            check_headers(anything)


def test_the_program_comes_before_the_variable_and_that_before_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"HttpHeaders": {"Of": "the file"}}')
    environment = {"DOCKER_CONFIG": str(tmp_path)}
    variable = {**environment, "DOCKER_CUSTOM_HEADERS": "Of=the variable"}
    assert find_headers({"Of": "the program"}, ConfigDirectory(variable)) == (("Of", "the program"),)
    assert find_headers({}, ConfigDirectory(variable)) == ()
    assert find_headers(None, ConfigDirectory(variable)) == (("Of", "the variable"),)
    unset = {**variable, "DOCKER_CUSTOM_HEADERS": ""}
    assert find_headers(None, ConfigDirectory(unset)) == (("Of", "the file"),)
    assert find_headers(None, ConfigDirectory(environment)) == (("Of", "the file"),)
    assert find_headers(None, ConfigDirectory({"DOCKER_CONFIG": str(tmp_path / "gone")})) == ()


@pytest.mark.parametrize("config", ["{", '{"HttpHeaders": 5}', '{"HttpHeaders": {"A": 5}}'])
def test_a_broken_configuration_is_passed_over_with_a_warning(config: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(config)
    with pytest.warns(UserWarning, match=r"config\.json was ignored: "):
        assert find_headers(None, ConfigDirectory({"DOCKER_CONFIG": str(tmp_path)})) == ()


def test_they_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "secret" not in repr(configure("unix:///x", headers={"X-Key": "secret"}))
    for wrong in ("X Key=secret", "X-Key=secret\x7f", "=secret", "secret", '"X-Key=secret'):
        monkeypatch.setenv("DOCKER_CUSTOM_HEADERS", wrong)
        with pytest.raises(InvalidHeader) as caught:
            configure("unix:///x")
        assert "secret" not in str(caught.value)


@pytest.mark.anyio
async def test_every_request_has_them_but_its_own_win(scripted: ScriptedEngine, connect: Connect) -> None:
    scripted.script("GET", "/images/json", json_response([]))
    scripted.script("GET", "/distribution/r.example/a/json", json_response({}))
    async with connect(scripted.url, headers={"X-Team": "blue", "x-registry-auth": "mine"}) as docker:
        await docker.images.list()
        await docker.images.distribution("r.example/a", auth={"username": "me", "password": "secret"})
    ping, listed, asked = (each.headers for each in scripted.requests)
    assert {each["x-team"] for each in (ping, listed, asked)} == {"blue"}
    assert ping["x-registry-auth"] == listed["x-registry-auth"] == "mine"
    assert asked["x-registry-auth"] not in {"mine", ""}
    assert {each["user-agent"] for each in (ping, listed, asked)} == {f"dockerproto/{__version__}"}


@pytest.mark.anyio
async def test_a_program_may_say_what_it_is_called(scripted: ScriptedEngine, connect: Connect) -> None:
    async with connect(scripted.url, headers={"user-agent": "deployer/1"}) as docker:
        await docker.ping()
    assert scripted.requests[0].headers["user-agent"] == "deployer/1"


@pytest.mark.engine
@pytest.mark.usefixtures("docker_command")
@pytest.mark.parametrize(
    ("variable", "config"),
    [("", config) for config, _ in CONFIGS]
    + [(variable, "{}") for variable, _ in VARIABLES if "\0" not in variable],
)
def test_the_docker_command_sends_the_same(
    variable: str, config: str, scripted: ScriptedEngine, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(config)
    environment = {"DOCKER_CONFIG": str(tmp_path), "DOCKER_CUSTOM_HEADERS": variable}
    scripted.script("GET", "/images/json", json_response([]))
    done = subprocess.run(
        ["docker", "images"],
        env={**environment, "PATH": os.environ["PATH"], "DOCKER_HOST": scripted.url},
        capture_output=True,
        check=False,
        timeout=60,
    )
    try:
        ours = {name.lower(): value for name, value in find_headers(None, ConfigDirectory(environment))}
    except InvalidHeader:
        assert done.returncode != 0
        return
    assert done.returncode == 0, done.stderr
    sent = scripted.requests[-1].headers
    plain = {"host", "user-agent", "accept-encoding", "connection"}
    assert {name: value for name, value in sent.items() if name not in plain} == ours, json.dumps(sent)
