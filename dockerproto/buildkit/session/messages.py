"""The messages of BuildKit's session services; those of the file transfer are in `files.fsutil`.

Documented at https://github.com/moby/buildkit/tree/master/session, in the .proto file of each service.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import field

from dockerproto.protobuf.codec import Int32, ProtoMessage


class HealthCheckResponse(ProtoMessage, frozen=True):
    """State of the session; 1 means that it serves."""

    status: Annotated[Int32, 1] = 0


class GetSecretRequest(ProtoMessage, frozen=True):
    """Request for a secret."""

    id: Annotated[str, 1] = ""
    annotations: Annotated[Mapping[str, str], 2] = field(default_factory=dict[str, str])


class GetSecretResponse(ProtoMessage, frozen=True):
    """A secret."""

    _hidden = ("data",)
    data: Annotated[bytes, 1] = b""


class CredentialsRequest(ProtoMessage, frozen=True):
    """Request for the credentials of a registry."""

    host: Annotated[str, 1] = ""


class CredentialsResponse(ProtoMessage, frozen=True):
    """Credentials; a secret without a username is an identity token, all empty means anonymous."""

    _hidden = ("username", "secret")
    username: Annotated[str, 1] = ""
    secret: Annotated[str, 2] = ""


class GetTokenAuthorityRequest(ProtoMessage, frozen=True):
    """Request whether the client fetches the tokens of a registry itself."""

    host: Annotated[str, 1] = ""
    salt: Annotated[bytes, 2] = b""


class GetTokenAuthorityResponse(ProtoMessage, frozen=True):
    """Confirmation with a public key of 32 bytes, by which the engine recognises the client."""

    public_key: Annotated[bytes, 1] = b""


class FetchTokenRequest(ProtoMessage, frozen=True):
    """Request for a token of a registry."""

    client: Annotated[str, 1] = ""
    host: Annotated[str, 2] = ""
    realm: Annotated[str, 3] = ""
    service: Annotated[str, 4] = ""
    scopes: Annotated[tuple[str, ...], 5] = ()


class FetchTokenResponse(ProtoMessage, frozen=True):
    """A token; the engine asks for a new one after a minute."""

    _hidden = ("token",)
    token: Annotated[str, 1] = ""


class CheckAgentRequest(ProtoMessage, frozen=True):
    """Request whether an ssh agent exists."""

    id: Annotated[str, 1] = ""
