"""Resolution of the engine agrees with the Docker CLI, in many situations."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dockerproto import DockerError, Endpoint
from dockerproto.endpoint.contexts import TLS_FILES, context_id, meta_path, tls_path
from dockerproto_local import find_endpoint

pytestmark = pytest.mark.engine

CASES = 150
HOSTS = [
    *(
        None,
        None,
        "",
        " ",
        "tcp://h",
        "tcp://h:1",
        "tcp://h:1/x",
        "tcp://",
        "h",
        "h:1",
        "h:1/x",
        ":7",
        "[::1]:5",
    ),
    *("unix:///s", "unix://", "ssh://me@h:22", "ssh://h/s", "npipe://"),
    *("foo://x", "tcp://h:x", "a b", "unix://tcp://h", " tcp://h:1\n"),
]
CONTEXTS = {
    "plain": ["--docker", "host=tcp://plain:1"],
    "unchecked": ["--docker", "host=tcp://unchecked:1,skip-tls-verify=true"],
    "local": ["--docker", "host=unix:///local"],
    "remote": ["--docker", "host=ssh://me@remote:22/socket"],
    "http": ["--docker", "host=http://http:1"],
}
"""Docker contexts that the Docker CLI creates."""
META = {
    "é": '{"Name":"another","Endpoints":{"docker":{"Host":"tcp://accent:1"}}}',
    "nowhere": '{"Endpoints":{"docker":{}}}',
    "cased": '{"name":"cased","endpoints":{"docker":{"host":"tcp://cased:1","skipTlsVerify":true}}}',
    "null": '{"Endpoints":{"docker":{"Host":"tcp://null:1","SkipTLSVerify":null}},"Name":null}',
    "encrypted": '{"Endpoints":{"docker":{"Host":"tcp://encrypted:1"}}}',
    "authority": '{"Endpoints":{"docker":{"Host":"tcp://authority:1"}}}',
    "cut": '{"Endpoints":{"docker":',
    "longer": '{"Endpoints":{"docker":{"Host":"tcp://longer:1"}}} x',
    "typed": '{"Endpoints":{"docker":{"Host":5}}}',
    "list": "[]",
    "other": '{"Endpoints":{"kubernetes":{}}}',
}
"""Contexts that are written by hand: what their meta.json contains."""
TLS_OF = {"encrypted": TLS_FILES, "authority": ["ca.pem", "cert.pem"]}
NAMES = [*CONTEXTS, *META, "default", "gone"]
CONFIGS = [
    *("", "null", "{", "[]", '{"currentContext":5}', '{"currentContext":""}', '{"currentContext":null}'),
    *(
        '{"auths":5,"currentContext":"plain"}',
        '{"CURRENTcontext":"plain"} x',
        '\ufeff{"currentContext":"plain"}',
    ),
    *(
        '{"currentContext":"gone","currentContext":"plain"}',
        '{"currentContext":"plain","currentContext":null}',
    ),
]


@dataclass(frozen=True)
class Situation:
    """Settings in the program, the environment and the files."""

    arguments: dict[str, str]
    environment: dict[str, str]
    config: str | None
    certificates: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.arguments} {self.environment} {self.config}"


def situations() -> Iterator[Situation]:
    """Yield situations, the same in each run."""
    dice = random.Random(1)

    def some(values: list[str | None], odds: float) -> str | None:
        return dice.choice(values) if dice.random() < odds else None

    for _ in range(CASES):
        url = some([each for each in HOSTS if each and each.strip()], 0.15)
        context = some([*NAMES], 0.2) if url is None else None
        variables = {
            "DOCKER_HOST": some(HOSTS, 0.4),
            "DOCKER_CONTEXT": some(["", *NAMES], 0.4),
            "DOCKER_TLS": some(["", "0", "1"], 0.1),
            "DOCKER_TLS_VERIFY": some(["", "0", "1"], 0.2),
            "DOCKER_CERT_PATH": some(["", "certificates"], 0.5),
        }
        # Without ca.pem the Docker CLI rejects TLS even for unix sockets; this library does not.
        files = [("ca.pem",), TLS_FILES, ("ca.pem", "cert.pem"), ("ca.pem", "key.pem")]
        yield Situation(
            {name: value for name, value in (("url", url), ("context", context)) if value is not None},
            {name: value for name, value in variables.items() if value is not None},
            some([*CONFIGS, *(json.dumps({"currentContext": name}) for name in NAMES)], 0.8),
            dice.choice(files),
        )
    for name in ("DOCKER_TLS", "DOCKER_TLS_VERIFY"):
        yield Situation({}, {"DOCKER_HOST": "tcp://h", name: "1"}, None, ())
        yield Situation({}, {name: "1"}, None, ("cert.pem", "key.pem"))


@pytest.fixture(scope="module")
def store(docker_command: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with contexts of both kinds."""
    directory = tmp_path_factory.mktemp("store")
    for name, options in CONTEXTS.items():
        done = docker({"DOCKER_CONFIG": str(directory)}, "context", "create", name, *options)
        assert done.returncode == 0, done.stderr
    for name, meta in META.items():
        write(directory / meta_path(name), meta)
        for file in TLS_OF.get(name, ()):
            write(directory / tls_path(name) / file, "not looked at here")
    return directory


def docker(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", *arguments],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize("situation", [*situations()], ids=str)
def test_the_choice_is_that_of_the_docker_command(
    situation: Situation, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dockerproto_local.endpoint.PODMAN_SOCKET", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)
    Path("contexts").symlink_to(store / "contexts")
    if situation.config is not None:
        write(Path("config.json"), situation.config)
    for each in situation.certificates:
        write(Path(situation.environment.get("DOCKER_CERT_PATH", ""), each), "not looked at here")
    environment = {**situation.environment, "DOCKER_CONFIG": str(tmp_path), "HOME": str(tmp_path)}
    expected = inspected(situation, environment)
    if expected is None:
        with pytest.raises(DockerError):
            chosen(situation, environment)
    else:
        assert facts(chosen(situation, environment)) == expected


def chosen(situation: Situation, environment: dict[str, str]) -> Endpoint:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*config.json was ignored", category=UserWarning)
        arguments = situation.arguments
        return find_endpoint(arguments.get("url"), environment, context=arguments.get("context"))


def facts(endpoint: Endpoint) -> dict[str, Any]:
    """Return the facts that the Docker CLI shows too."""
    tls = endpoint.tls
    directory = "<IN MEMORY>" if endpoint.context is None else context_id(endpoint.context)
    shown = {"context": directory, "host": str(endpoint.address)}
    if tls is None:
        return shown
    files = [Path(each).name for each in (tls.ca, tls.certificate, tls.key) if each]
    return {**shown, "skip": not tls.verify, "files": files}


def inspected(situation: Situation, environment: dict[str, str]) -> dict[str, Any] | None:
    """Return the endpoint that the Docker CLI resolves; None if it fails."""
    options = {"url": "--host", "context": "--context"}
    arguments = [f"{options[name]}={value}" for name, value in situation.arguments.items()]
    done = docker(environment, *arguments, "context", "inspect", "--format", "{{json .}}")
    context: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
    engine: dict[str, Any] | None = context.get("Endpoints", {}).get("docker")
    if engine is None:
        return None
    host: str = engine.get("Host") or "unix:///var/run/docker.sock"
    shown = {"context": Path(context["Storage"]["MetadataPath"]).name, "host": re.sub("^http:", "tcp:", host)}
    files = sorted({*context["TLSMaterial"].get("docker", ())} & {*TLS_FILES})
    if "key.pem" not in files:  # a certificate without its key is told, but not used
        files = [each for each in files if each != "cert.pem"]
    if not (host.startswith(("tcp:", "http:")) and (files or engine["SkipTLSVerify"])):
        return shown
    return {**shown, "skip": engine["SkipTLSVerify"], "files": files}
