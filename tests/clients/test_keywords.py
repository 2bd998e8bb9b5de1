"""The arguments of clients: named in the signature, and explained if they are unknown."""

from __future__ import annotations

import inspect
import pydoc
from typing import Any

import pytest

import dockerproto_asyncio
import dockerproto_httpx
import dockerproto_trio
from dockerproto import TCP
from dockerproto_local import configure

CLIENTS: list[Any] = [dockerproto_asyncio.Docker, dockerproto_trio.Docker, dockerproto_httpx.Docker]
of_each_client = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__module__)

KEYWORDS = {
    *(
        "context",
        "tls",
        "credentials",
        "api_version",
        "timeout",
        "message_limit",
        "headers",
        "proxy",
        "proxies",
    ),
}


@of_each_client
def test_the_signature_names_the_arguments(client: Any) -> None:
    own = {"transport"} if client is dockerproto_httpx.Docker else set[str]()
    parameters = dict(inspect.signature(client).parameters)
    assert parameters.keys() >= {"url", *KEYWORDS, *own}
    assert all(parameters.pop(each).default is None for each in own)
    assert parameters == dict(inspect.signature(configure).parameters)
    assert {each.kind for name, each in parameters.items() if name != "url"} == {
        inspect.Parameter.KEYWORD_ONLY
    }
    for name in KEYWORDS | own:
        assert f"{name}: " in pydoc.render_doc(client)


HINTS = {
    "base_url": "use url=",
    "docker_host": "use url=",
    "host": "use url=",
    "socket_path": "use url=",
    "ssl_context": "use tls=",
    "tls_config": "use tls=",
    "cert_path": "use tls=",
    "client_cert": "use tls=",
    "version": "use api_version=",
    "credstore_env": "use credentials=",
    "user_agent": "use headers=",
    "timuot": "did you mean timeout=?",
    "timeuot": "did you mean timeout=?",
    "Url": "did you mean url=?",
    "proxies_": "did you mean proxies=?",
    "proxy_": "did you mean proxy=?",
    "http_proxy": "use proxy=",
    "https_proxy": "use proxy=",
    "message_limits": "did you mean message_limit=?",
}


@of_each_client
@pytest.mark.parametrize(("name", "hint"), HINTS.items(), ids=HINTS)
def test_an_unknown_keyword_is_explained(client: Any, name: str, hint: str) -> None:
    with pytest.raises(TypeError) as raised:
        client(**{name: 5})
    assert str(raised.value) == f"Docker() got an unexpected keyword argument {name!r}; {hint}"


@of_each_client
def test_a_keyword_that_resembles_none_is_refused(client: Any) -> None:
    with pytest.raises(TypeError, match=r"^Docker\(\) got an unexpected keyword argument 'zzz'$"):
        client(zzz=5)
    with pytest.raises(TypeError, match="positional argument"):
        client("unix:///s", "1.43")


def test_a_replaced_transport_is_the_blocking_clients_own() -> None:
    for name in ("connector", "session"):
        with pytest.raises(TypeError, match=r"; use transport=$"):
            CLIENTS[2](**{name: 5})
        with pytest.raises(TypeError, match=f"argument '{name}'$"):
            CLIENTS[0](**{name: 5})


@of_each_client
def test_a_subclass_passes_its_arguments_on(client: Any) -> None:
    class Own(client):  # type: ignore[misc]
        def __init__(self, port: int) -> None:
            client.__init__(self, url=f"tcp://h:{port}")

    assert Own(5).endpoint.address == TCP("h", 5)
