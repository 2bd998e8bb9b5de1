"""The messages of the services, but for those of files: see `fsutil`.

Documented at https://github.com/moby/buildkit/tree/master/session, in the .proto files of each service.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from dockerproto.protobuf import Int32, ProtoMessage


@dataclass(frozen=True, slots=True)
class HealthCheckResponse(ProtoMessage):
    """Whether the session is alive."""

    status: Annotated[Int32, 1] = 0


@dataclass(frozen=True, slots=True)
class GetSecretRequest(ProtoMessage):
    """The engine asks for a secret."""

    id: Annotated[str, 1] = ""
    annotations: Annotated[Mapping[str, str], 2] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class GetSecretResponse(ProtoMessage):
    """A secret."""

    data: Annotated[bytes, 1] = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class CredentialsRequest(ProtoMessage):
    """The engine asks for the credentials of a registry."""

    host: Annotated[str, 1] = ""


@dataclass(frozen=True, slots=True)
class CredentialsResponse(ProtoMessage):
    """Credentials; without a name the secret is an identity token, without either there are none."""

    username: Annotated[str, 1] = field(default="", repr=False)
    secret: Annotated[str, 2] = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class GetTokenAuthorityRequest(ProtoMessage):
    """The engine asks whether the client fetches the tokens of a registry."""

    host: Annotated[str, 1] = ""
    salt: Annotated[bytes, 2] = b""


@dataclass(frozen=True, slots=True)
class GetTokenAuthorityResponse(ProtoMessage):
    """It does: a key of 32 bytes, by which the engine knows it again."""

    public_key: Annotated[bytes, 1] = b""


@dataclass(frozen=True, slots=True)
class FetchTokenRequest(ProtoMessage):
    """The engine asks for a token of a registry."""

    client: Annotated[str, 1] = ""
    host: Annotated[str, 2] = ""
    realm: Annotated[str, 3] = ""
    service: Annotated[str, 4] = ""
    scopes: Annotated[tuple[str, ...], 5] = ()


@dataclass(frozen=True, slots=True)
class FetchTokenResponse(ProtoMessage):
    """A token; the engine asks for another one after a minute."""

    token: Annotated[str, 1] = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class CheckAgentRequest(ProtoMessage):
    """The engine asks whether there is an ssh agent."""

    id: Annotated[str, 1] = ""
