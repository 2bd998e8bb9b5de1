"""Operations on the engine itself: its version, its facts, and logins, which the client remembers."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from msgspec.structs import replace

from dockerproto.client import Client
from dockerproto.credentials.credentials import Credentials, read_auth
from dockerproto.messages.models import EngineInfo, EngineVersion
from dockerproto.operations.operation import Call, Operation, named
from dockerproto.operations.replies import json_object
from dockerproto.redacted import hides_frames
from dockerproto.references import parse_registry
from dockerproto.request.request import Request
from dockerproto.timeouts import DEFAULT, TimeoutLike
from dockerproto.transport.runtime import run


class Login(Operation[Coroutine[Any, Any, str], str], frozen=True):
    """A login: the engine verifies credentials, and the client remembers them."""

    registry: str
    """Host of the registry."""
    credentials: Credentials
    """Credentials to verify."""
    store: bool
    """True if they are stored for other programs too."""
    timeout: TimeoutLike
    """Limits of the request and of storing them, together."""

    def on_async(self, client: Client, name: str = "") -> Coroutine[Any, Any, str]:
        """Return a coroutine that verifies and remembers the credentials."""
        return named(self._login(client), name)

    def on_blocking(self, client: Client, name: str = "") -> str:  # noqa: ARG002  # it runs at once
        """Verify and remember the credentials."""
        return run(self._login(client))

    async def _login(self, client: Client) -> str:
        """Verify the credentials, remember them while the client lives, and return the engine's message."""
        work = client.begin(self.timeout, "reading")
        if self.store:
            client.credentials.storing()
        credentials, status = _verified(
            self.credentials, await verify(self.credentials, self.timeout).on_async(client)
        )
        client.credentials.remember(self.registry, credentials)
        if self.store:
            await client.credentials.store(self.registry, credentials, work)
        return status


@hides_frames
def _verified(credentials: Credentials, response: dict[str, Any]) -> tuple[Credentials, str]:
    """Return the credentials to use after a login, and the engine's message."""
    token = response.get("IdentityToken")
    if isinstance(token, str) and token:  # some registries give a token in place of the password
        credentials = replace(credentials, password="", identitytoken=token)
    return credentials, str(response.get("Status", ""))


def login(
    registry: str,
    username: str,
    password: str,
    *,
    store: bool = False,
    timeout: TimeoutLike = DEFAULT,
) -> Login:
    """Verify credentials at a registry, use them from now on, and return the engine's message.

    Args:
        registry: ``docker.io`` for Docker Hub, otherwise ``host[:port]``.
        username: Name of the user.
        password: Password or access token.
        store: Store them for other programs too, as the Docker CLI does: with the credential helper that
            config.json names, otherwise in config.json itself. By default only this client uses them.
        timeout: Limits of this call.

    Raises:
        CredentialsError: The credentials are valid, but cannot be stored.
        Unauthorized: The credentials are invalid.
        ValueError: `registry` is invalid, or the credentials source of this client cannot `store`.

    Documented at https://docs.docker.com/reference/api/engine/#tag/System/operation/SystemAuth.
    """
    name = parse_registry(registry)
    credentials = read_auth({"username": username, "password": password}).for_registry(name)
    return Login(name, credentials, store, timeout)


def verify(credentials: Credentials, timeout: TimeoutLike) -> Call[dict[str, Any]]:
    """Return an operation that verifies credentials; its result has a message and perhaps a token.

    Documented at https://docs.docker.com/reference/api/engine/#tag/System/operation/SystemAuth.
    """
    return json_object(
        Request(
            method="POST",
            path="/auth",
            headers=(("Content-Type", "application/json"),),
            body=credentials.document(),
            secret_response=True,
            timeout=timeout,
        )
    )


def version() -> Call[EngineVersion]:
    """Return the versions of the engine and of its components.

    Documented at https://docs.docker.com/reference/api/engine/#tag/System/operation/SystemVersion.
    """
    return json_object(Request(method="GET", path="/version"))


def info(*, timeout: TimeoutLike = DEFAULT) -> Call[EngineInfo]:
    """Return the engine's description of itself and its machine.

    Args:
        timeout: Limits of this call.

    Documented at https://docs.docker.com/reference/api/engine/#tag/System/operation/SystemInfo.
    """
    return json_object(Request(method="GET", path="/info", timeout=timeout))
