"""The services of one message and one answer: health, secrets, credentials of registries.

Values are read where the files and the environment are; here they are at hand.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from dockerproto.buildkit.handler import Code, Deferred, RpcError, Services, Unary
from dockerproto.buildkit.messages import (
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
from dockerproto.references import HUB

_SERVING: Final = HealthCheckResponse(1).encode()
_HUB_HOST: Final = "registry-1.docker.io"


def health() -> Services:
    """Serve the question whether the session is alive, which engines ask every few seconds."""
    return {"/grpc.health.v1.Health/Check": lambda _: Unary(lambda _: _SERVING)}


def secrets(values: Mapping[str, bytes]) -> Services:
    """Serve secrets by id; the engine skips the mount of one that is unknown, unless it is required."""

    def get_secret(message: bytes) -> bytes:
        name = GetSecretRequest.decode(message).id
        if name not in values:
            raise RpcError(Code.NOT_FOUND, f"secret {name}: not found")
        return GetSecretResponse(values[name]).encode()

    return {"/moby.buildkit.secrets.v1.Secrets/GetSecret": lambda _: Unary(get_secret)}


def auth(find: Callable[[str], Awaitable[Credentials | None]], key: bytes) -> Services:
    """Serve the credentials of registries, which are looked up when the engine asks.

    With these alone the engine fetches tokens by itself, of the registry's own service. If it is told a
    public key it has the client fetch them: so it gets the bearer token that is known of a registry.

    Args:
        find: Looks up the credentials of a registry.
        key: 32 bytes that pass for a public key. Nobody can sign for it, and so prove to the engine that
            another session may have what this one has.
    """

    async def known(host: str) -> Credentials:
        return await find(HUB if host == _HUB_HOST else host) or ANONYMOUS

    async def credentials(message: bytes) -> bytes:
        return _told(await known(CredentialsRequest.decode(message).host)).encode()

    async def authority(message: bytes) -> bytes:
        _bearer(await known(GetTokenAuthorityRequest.decode(message).host))
        return GetTokenAuthorityResponse(key).encode()

    async def token(message: bytes) -> bytes:
        return FetchTokenResponse(_bearer(await known(FetchTokenRequest.decode(message).host))).encode()

    return {
        "/moby.filesync.v1.Auth/Credentials": lambda _: Deferred(credentials),
        "/moby.filesync.v1.Auth/GetTokenAuthority": lambda _: Deferred(authority),
        "/moby.filesync.v1.Auth/FetchToken": lambda _: Deferred(token),
    }


def _bearer(found: Credentials) -> str:
    if not found.registrytoken:
        raise RpcError(Code.UNAVAILABLE, "no bearer token is known: fetch one with the credentials")
    return found.registrytoken


def _told(found: Credentials) -> CredentialsResponse:
    if found.identitytoken:
        return CredentialsResponse(secret=found.identitytoken)
    if found.registrytoken:
        raise RpcError(Code.UNAVAILABLE, "the registry takes no bearer token, and no more is known of it")
    return CredentialsResponse(found.username, found.password)
