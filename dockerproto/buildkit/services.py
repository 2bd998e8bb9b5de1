"""The services of one message and one answer: health, secrets, credentials of registries.

Values are read where the files and the environment are; here they are at hand.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from dockerproto.auth import Credentials
from dockerproto.buildkit.handler import Code, RpcError, Services, Unary
from dockerproto.buildkit.messages import (
    CredentialsRequest,
    CredentialsResponse,
    GetSecretRequest,
    GetSecretResponse,
    HealthCheckResponse,
)
from dockerproto.reference import HUB

_SERVING: Final = HealthCheckResponse(1).encode()
_HUB_HOST: Final = "registry-1.docker.io"


def health() -> Services:
    """Serve the question whether the session is alive, which engines ask every few seconds."""

    async def check(_: bytes) -> bytes:
        return _SERVING

    return {"/grpc.health.v1.Health/Check": lambda _: Unary(check)}


def secrets(values: Mapping[str, bytes]) -> Services:
    """Serve secrets by id; the engine skips the mount of one that is unknown, unless it is required."""

    async def get_secret(message: bytes) -> bytes:
        name = GetSecretRequest.decode(message).id
        if name not in values:
            raise RpcError(Code.NOT_FOUND, f"secret {name}: not found")
        return GetSecretResponse(values[name]).encode()

    return {"/moby.buildkit.secrets.v1.Secrets/GetSecret": lambda _: Unary(get_secret)}


def auth(find: Callable[[str], Awaitable[Credentials | None]]) -> Services:
    """Serve the credentials of registries, which are looked up when the engine asks.

    With these alone the engine fetches tokens by itself, of the registry's own service.
    """

    async def credentials(message: bytes) -> bytes:
        host = CredentialsRequest.decode(message).host
        return _told(await find(HUB if host == _HUB_HOST else host)).encode()

    return {"/moby.filesync.v1.Auth/Credentials": lambda _: Unary(credentials)}


def _told(found: Credentials | None) -> CredentialsResponse:
    if found is None:
        return CredentialsResponse()
    if found.identitytoken:
        return CredentialsResponse(secret=found.identitytoken)
    if found.registrytoken:
        raise RpcError(Code.UNAVAILABLE, "BuildKit does not take the registry's bearer token as credentials")
    return CredentialsResponse(found.username, found.password)
