"""Resolution of the engine, if several sources name one."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import Any

import pytest

from dockerproto import SSH, TCP, TLS, ContextError, Endpoint, InvalidHost, UnixSocket
from dockerproto.config.config_file import ConfigFile, invalid_config_file, parse_config_file
from dockerproto.endpoint.contexts import context_id
from dockerproto.endpoint.resolution import (
    ContextSelection,
    HostFacts,
    default_endpoint,
    select_context,
    stored_endpoint,
)

SOURCES = ["context=", "DOCKER_HOST", "DOCKER_CONTEXT", "currentContext of config.json"]
"""Sources that name a Docker context or an engine, by precedence; `url` cannot name a context."""


def chosen(sources: Iterable[str]) -> ContextSelection:
    sources = {*sources}
    environment = {each: f"of {each}" for each in sources if each.startswith("DOCKER_")}
    config = {"currentContext": "of " + SOURCES[3]} if SOURCES[3] in sources else {}
    return select_context(
        "of context=" if SOURCES[0] in sources else None,
        environment,
        parse_config_file(json.dumps(config).encode()),
    )


@pytest.mark.parametrize(("stronger", "weaker"), [*itertools.combinations([*SOURCES, "nothing"], 2)])
def test_each_pair(stronger: str, weaker: str) -> None:
    expected = (
        ContextSelection(f"of {stronger}", stronger)
        if stronger != "DOCKER_HOST"
        else ContextSelection("default")
    )
    assert chosen([stronger, weaker]) == chosen([weaker, stronger]) == expected


@pytest.mark.parametrize("number", range(5))
def test_the_strongest_of_many(number: int) -> None:
    choice = chosen(SOURCES[number:])
    assert choice.reason == ["context=", "", "DOCKER_CONTEXT", SOURCES[3], ""][number]


def test_what_is_empty_names_nothing() -> None:
    environment = {"DOCKER_HOST": "", "DOCKER_CONTEXT": ""}
    named = parse_config_file(b'{"currentContext": ""}')
    assert select_context(None, environment, named) == ContextSelection("default")
    environment = {"DOCKER_HOST": " ", "DOCKER_CONTEXT": "x"}
    assert select_context(None, environment, ConfigFile()) == ContextSelection("default")
    with pytest.raises(ContextError, match="invalid Docker context name"):
        select_context("", {}, ConfigFile())


@pytest.mark.parametrize("config", [invalid_config_file("it is locked"), parse_config_file(b"{")])
def test_a_broken_configuration_is_passed_over_and_told(config: ConfigFile) -> None:
    choice = select_context(None, {}, config)
    assert (choice.context, choice.reason) == ("default", "")
    assert choice.broken.startswith(("it is locked", "it is not valid JSON: Expecting"))
    endpoint = default_endpoint(None, choice, machine(), None)
    assert endpoint.reason.startswith(
        "the default socket, as no standard one exists; config.json was ignored: "
    )
    assert select_context(None, {"DOCKER_CONTEXT": "x"}, config) == ContextSelection("x", "DOCKER_CONTEXT")


def test_a_context_counts_although_a_second_value_is_broken() -> None:
    choice = select_context(None, {}, parse_config_file(b'{"currentContext": "x", "currentContext": 5}'))
    assert choice.context == "x"
    assert choice.broken == "currentContext must be a string, not a number"


def machine(files: Iterable[str] = (), sockets: Iterable[str] = (), **environment: str) -> HostFacts:
    return HostFacts(environment=environment, certificates="/certs", tls_files=[*files], sockets=[*sockets])


DEFAULT = ContextSelection("default")


@pytest.mark.parametrize(
    ("url", "choice", "found", "address", "reason"),
    [
        ("unix:///u", DEFAULT, machine(DOCKER_HOST="h"), UnixSocket("/u"), "url="),
        (None, DEFAULT, machine(DOCKER_HOST="h", sockets=["/s"]), TCP("h", 2375), "DOCKER_HOST"),
        (
            None,
            DEFAULT,
            machine(sockets=["/s", "/t"]),
            UnixSocket("/s"),
            "the first standard socket that exists",
        ),
        (
            None,
            DEFAULT,
            machine(DOCKER_HOST=" ", sockets=["/s"]),
            UnixSocket("/s"),
            "the first standard socket that exists",
        ),
        (
            None,
            DEFAULT,
            machine(),
            UnixSocket("/var/run/docker.sock"),
            "the default socket, as no standard one exists",
        ),
        (
            None,
            ContextSelection("default", "context="),
            machine(DOCKER_HOST="h"),
            TCP("h", 2375),
            "DOCKER_HOST; context= is 'default'",
        ),
        (
            None,
            ContextSelection("default", "DOCKER_CONTEXT"),
            machine(sockets=["/s"]),
            UnixSocket("/s"),
            "the first standard socket that exists; DOCKER_CONTEXT is 'default'",
        ),
    ],
)
def test_no_stored_context(
    url: str | None, choice: ContextSelection, found: HostFacts, address: Any, reason: str
) -> None:
    assert default_endpoint(url, choice, found, None) == Endpoint(address, reason)


ALL = ("ca.pem", "cert.pem", "key.pem")
FULL = TLS(ca="/certs/ca.pem", certificate="/certs/cert.pem", key="/certs/key.pem")
UNCHECKED = TLS(ca="/certs/ca.pem", certificate="/certs/cert.pem", key="/certs/key.pem", verify=False)
CA_ONLY = TLS(ca="/certs/ca.pem")


@pytest.mark.parametrize(
    ("host", "variables", "files", "port", "tls"),
    [
        ("tcp://h", {}, ALL, 2375, None),
        ("tcp://h", {"DOCKER_CERT_PATH": "/certs"}, ALL, 2375, None),
        ("tcp://h", {"DOCKER_TLS": "", "DOCKER_TLS_VERIFY": ""}, ALL, 2375, None),
        ("tcp://h", {"DOCKER_TLS_VERIFY": "1"}, ALL, 2375, FULL),
        ("tcp://h:1", {"DOCKER_TLS_VERIFY": "0"}, ALL, 1, FULL),
        ("tcp://h", {"DOCKER_TLS": "1"}, ALL, 2375, UNCHECKED),
        ("tcp://h", {"DOCKER_TLS": "1", "DOCKER_TLS_VERIFY": "1"}, ALL, 2375, FULL),
        ("tcp://h", {"DOCKER_TLS_VERIFY": "1"}, ["ca.pem"], 2375, CA_ONLY),
        ("tcp://h", {"DOCKER_TLS_VERIFY": "1"}, ["ca.pem", "cert.pem"], 2375, CA_ONLY),
        (
            "tcp://h",
            {"DOCKER_TLS_VERIFY": "1"},
            ["ca.pem", "key.pem"],
            2375,
            TLS(ca="/certs/ca.pem", key="/certs/key.pem"),
        ),
        ("http://h:1", {"DOCKER_TLS_VERIFY": "1"}, ALL, 1, FULL),
        ("https://h", {}, ALL, 443, TLS()),
        ("https://h", {"DOCKER_TLS": "1"}, ALL, 443, UNCHECKED),
    ],
)
def test_tls_of_the_environment(
    host: str, variables: dict[str, str], files: list[str], port: int, tls: TLS | None
) -> None:
    by_url = default_endpoint(host, DEFAULT, machine(files, **variables), None)
    assert by_url == Endpoint(TCP("h", port), "url=", None, tls)
    by_environment = default_endpoint(None, DEFAULT, machine(files, DOCKER_HOST=host, **variables), None)
    assert by_environment == Endpoint(TCP("h", port), "DOCKER_HOST", None, tls)


def test_tls_without_a_host_is_on_this_machine() -> None:
    found = machine(ALL, ["/s"], DOCKER_TLS_VERIFY="1")
    expected = Endpoint(TCP("localhost", 2376), "the default host with TLS", None, FULL)
    assert default_endpoint(None, DEFAULT, found, None) == expected
    assert default_endpoint(None, DEFAULT, machine(sockets=["/s"]), TLS()).address == TCP("localhost", 2376)


def test_tls_of_the_environment_without_an_authority() -> None:
    for files in ([], ["cert.pem", "key.pem"]):
        with pytest.raises(ContextError, match=r"/certs/ca\.pem is missing"):
            default_endpoint("tcp://h", DEFAULT, machine(files, DOCKER_TLS="1"), None)


def test_sockets_and_ssh_have_no_tls() -> None:
    for url in ("unix:///s", "ssh://h", "npipe://"):
        endpoint = default_endpoint(url, DEFAULT, machine(DOCKER_TLS_VERIFY="1"), TLS())
        assert (str(endpoint.address).split(":")[0], endpoint.tls) == (url.split(":")[0], None)


def test_tls_of_the_program_beats_that_of_the_environment() -> None:
    asked = TLS(ca="/mine", verify=False)
    endpoint = default_endpoint("tcp://h", DEFAULT, machine(DOCKER_TLS_VERIFY="1"), asked)
    assert (endpoint.address, endpoint.tls) == (TCP("h", 2376), asked)


CONTEXT = ContextSelection("remote", "DOCKER_CONTEXT")
DIRECTORY = f"/c/contexts/tls/{context_id('remote')}/docker"


def stored(
    host: str | None, files: Iterable[str] | None = None, tls: TLS | None = None, *, skip: bool = False
) -> Endpoint:
    meta = json.dumps({"Endpoints": {"docker": {"Host": host, "SkipTLSVerify": skip}}}).encode()
    return stored_endpoint(CONTEXT, "/c", meta, None if files is None else [*files], tls)


@pytest.mark.parametrize(
    ("host", "files", "skip", "port", "tls"),
    [
        ("tcp://h:1", None, False, 1, None),
        ("tcp://h", None, False, 80, None),
        ("tcp://h", [], False, 443, TLS()),
        ("tcp://h:1", None, True, 1, TLS(verify=False)),
        ("http://h:1", None, True, 1, TLS(verify=False)),
        ("https://h", None, False, 443, TLS()),
        ("tcp://h:1", ["ca.pem"], False, 1, TLS(ca=f"{DIRECTORY}/ca.pem")),
        ("tcp://h:1", ["ca.pem", "cert.pem", "other"], True, 1, TLS(ca=f"{DIRECTORY}/ca.pem", verify=False)),
        (
            "tcp://h:1",
            ["cert.pem", "key.pem"],
            False,
            1,
            TLS(certificate=f"{DIRECTORY}/cert.pem", key=f"{DIRECTORY}/key.pem"),
        ),
    ],
)
def test_a_stored_context(host: str, files: list[str] | None, skip: bool, port: int, tls: TLS | None) -> None:
    assert stored(host, files, skip=skip) == Endpoint(TCP("h", port), "DOCKER_CONTEXT", "remote", tls)


def test_a_stored_context_without_tcp() -> None:
    assert stored("").address == stored(None).address == UnixSocket("/var/run/docker.sock")
    assert stored("unix:///s", ["ca.pem"], TLS()) == Endpoint(UnixSocket("/s"), "DOCKER_CONTEXT", "remote")
    assert stored("ssh://me@h", skip=True) == Endpoint(SSH("h", "me"), "DOCKER_CONTEXT", "remote")


def test_tls_of_the_program_beats_that_of_the_context() -> None:
    asked = TLS(ca="/mine")
    assert stored("tcp://h", ["ca.pem"], asked, skip=True).tls == asked
    assert stored("tcp://h", None, asked) == Endpoint(TCP("h", 443), "DOCKER_CONTEXT", "remote", asked)


def test_a_context_that_is_not_there() -> None:
    with pytest.raises(ContextError) as caught:
        stored_endpoint(CONTEXT, "/c", None, None, None)
    path = f"/c/contexts/meta/{context_id('remote')}/meta.json"
    expected = f"Docker context 'remote' (from DOCKER_CONTEXT) does not exist: missing {path}"
    assert caught.value.message == expected


@pytest.mark.parametrize("host", ["10.0.0.1:2375", "fd://3", "foo://x", "tcp://me:s3cret@h"])
def test_a_context_whose_address_is_none(host: str) -> None:
    with pytest.raises(
        ContextError, match=r"^Docker context 'remote' in /c/contexts/meta/.*/meta\.json: "
    ) as caught:
        stored(host)
    assert isinstance(caught.value.__cause__, InvalidHost)
    assert "s3cret" not in caught.value.message
