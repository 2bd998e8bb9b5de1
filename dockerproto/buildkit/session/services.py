"""The unary services of a session: health, secrets, registry credentials.

Secret values and credential lookups are arguments: files and the environment are read elsewhere.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from dockerproto.buildkit.rpc.handler import AsyncUnary, Code, RpcError, Services, Unary
from dockerproto.buildkit.session.messages import (
    CredentialsRequest,
    CredentialsResponse,
    FetchTokenRequest,
    FetchTokenResponse,
    GetSecretRequest,
    GetSecretResponse,
    GetTokenAuthorityRequest,
    GetTokenAuthorityResponse,
    HealthCheckResponse,
)
from dockerproto.credentials.credentials import ANONYMOUS, Credentials
from dockerproto.protobuf.codec import ProtoMessage
from dockerproto.redacted import RedactedBytes, hides_frames
from dockerproto.references import HUB

_SERVING: Final = HealthCheckResponse(1).encode()
_HUB_HOST: Final = "registry-1.docker.io"


def health() -> Services:
    """Serve the health check, which engines send every few seconds."""
    return {"/grpc.health.v1.Health/Check": lambda _: Unary(lambda _: _SERVING)}


def secrets(values: Mapping[str, bytes]) -> Services:
    """Serve secrets by id; the engine skips the mount of an unknown one, unless the mount is required."""

    def get_secret(message: bytes) -> bytes:
        name = GetSecretRequest.decode(message).id
        if name not in values:
            raise RpcError(Code.NOT_FOUND, f"secret {name}: not found")
        return _reply(GetSecretResponse(values[name]))

    return {"/moby.buildkit.secrets.v1.Secrets/GetSecret": lambda _: Unary(get_secret)}


def auth(find: Callable[[str], Awaitable[Credentials | None]], key: bytes) -> Services:
    """Serve registry credentials, which are looked up when the engine asks.

    With username and password the engine fetches tokens itself from the registry's token service. After a
    token authority reply it asks the client for a token instead: so a known bearer token is passed on.

    Args:
        find: Looks up the credentials of a registry.
        key: 32 bytes that stand for a public key. Nobody has its private key, so no session can prove to the
            engine that it may use what another session was allowed.
    """

    async def look_up(host: str) -> Credentials:
        return await find(HUB if host == _HUB_HOST else host) or ANONYMOUS

    async def credentials(message: bytes) -> bytes:
        return _reply(_credentials_response(await look_up(CredentialsRequest.decode(message).host)))

    async def authority(message: bytes) -> bytes:
        _bearer(await look_up(GetTokenAuthorityRequest.decode(message).host))
        return GetTokenAuthorityResponse(key).encode()

    async def token(message: bytes) -> bytes:
        return _reply(FetchTokenResponse(_bearer(await look_up(FetchTokenRequest.decode(message).host))))

    return {
        "/moby.filesync.v1.Auth/Credentials": lambda _: AsyncUnary(credentials),
        "/moby.filesync.v1.Auth/GetTokenAuthority": lambda _: AsyncUnary(authority),
        "/moby.filesync.v1.Auth/FetchToken": lambda _: AsyncUnary(token),
    }


@hides_frames
def _reply(message: ProtoMessage) -> RedactedBytes:
    return RedactedBytes(message.encode())


def _bearer(known: Credentials) -> str:
    if not known.registrytoken:
        raise RpcError(Code.UNAVAILABLE, "no bearer token is known; fetch one with the credentials")
    return known.registrytoken


def _credentials_response(known: Credentials) -> CredentialsResponse:
    if known.identitytoken:
        return CredentialsResponse(secret=known.identitytoken)
    if known.registrytoken:
        raise RpcError(Code.UNAVAILABLE, "only a bearer token is known for this registry")
    return CredentialsResponse(known.username, known.password)
