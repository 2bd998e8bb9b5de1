"""Values that keep to themselves what no log is to have."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rich.pretty import pretty_repr

from dockerproto import Credentials, Secret
from dockerproto.buildkit.session.messages import CredentialsResponse, GetSecretResponse
from dockerproto.configuration import Configuration
from dockerproto.endpoint.addresses import Endpoint, UnixSocket
from dockerproto.http.http11 import WireRequest
from dockerproto.redacted import Redacted, RedactedBuffer, RedactedBytes, RedactedText
from dockerproto.request.build import ClassicBuild
from dockerproto.request.parameters import Parameter
from dockerproto.request.request import Request

SECRET = "hunter2"
VALUES = [
    Credentials(username=SECRET, password=SECRET, identitytoken=SECRET, registrytoken=SECRET),
    Secret(value=SECRET.encode()),
    Configuration(
        endpoint=Endpoint(UnixSocket("/x"), "told"),
        credentials={"r.example": f"user:{SECRET}"},
        headers=(("X-Key", SECRET),),
        proxies={"HTTP_PROXY": SECRET},
    ),
    WireRequest("GET", "/", [("X-Registry-Auth", SECRET)]),
    Request(method="POST", path="/x", headers=(("X-Key", SECRET),), auth=Credentials(password=SECRET)),
    ClassicBuild(query=(), body=SECRET.encode(), buildargs={"KEY": SECRET}),
    Parameter("buildargs", SECRET, for_podman=SECRET, secret=True),
    GetSecretResponse(data=SECRET.encode()),
    CredentialsResponse(username=SECRET, secret=SECRET),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_secrets_are_in_no_representation(value: Redacted) -> None:
    assert repr(value).startswith(f"{type(value).__name__}(")
    for shown in (repr(value), str(value), f"{value!r:s}", pretty_repr(value)):
        assert SECRET not in shown


def test_a_part_of_a_secret_is_redacted_too() -> None:
    """A tool may show the beginning of a long text."""
    text, data = RedactedText(SECRET * 50), RedactedBytes(SECRET.encode() * 50)
    for value in (text, data, text[:80], data[:80], RedactedBuffer(data)):
        assert repr(value) == pretty_repr(value) == "<redacted>"
        assert SECRET not in pretty_repr(value, max_string=20)
    assert (text[0], data[0]) == ("h", ord("h"))


def test_what_is_no_secret_is_shown() -> None:
    shown = "Credentials(serveraddress='r.example')"
    assert (
        repr(Credentials(serveraddress="r.example"))
        == shown
        == pretty_repr(Credentials(serveraddress="r.example"))
    )


def subclasses(cls: type[Redacted]) -> Iterator[type[Redacted]]:
    for each in cls.__subclasses__():
        yield each
        yield from subclasses(each)


def test_what_is_hidden_is_there() -> None:
    for cls in subclasses(Redacted):
        assert {*cls._hidden} <= {*cls.__struct_fields__}, cls  # pyright: ignore[reportPrivateUsage]
