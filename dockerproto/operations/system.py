"""Operations of the engine itself: its version, and logins, which the client remembers."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from msgspec.structs import replace

from dockerproto.client import Client
from dockerproto.credentials.credentials import Credentials, read_auth
from dockerproto.messages.models import EngineVersion
from dockerproto.operations.operation import Call, Operation
from dockerproto.operations.replies import json_object
from dockerproto.references import registry_named
from dockerproto.request.request import Request
from dockerproto.timeouts import DEFAULT, TimeoutLike
from dockerproto.transport.runtime import run


class Login(Operation[Coroutine[Any, Any, str], str], frozen=True):
    """A login: a request, and what the client does with its answer."""

    registry: str
    """Where."""
    credentials: Credentials
    """Whose."""
    store: bool
    """Whether they are stored for other programs too."""
    timeout: TimeoutLike
    """Limits of the request."""

    async def on_async(self, client: Client) -> str:
        """Verify the credentials, remember them as long as the client lives, and return what is said."""
        if self.store:
            client.credentials.storing()
        answer = await verify(self.credentials, self.timeout).on_async(client)
        token = answer.get("IdentityToken")
        credentials = self.credentials
        if isinstance(token, str) and token:  # in place of the password, from registries that give one
            credentials = replace(credentials, password="", identitytoken=token)
        client.credentials.remember(self.registry, credentials)
        if self.store:
            await client.credentials.store(self.registry, credentials)
        return str(answer.get("Status", ""))

    def on_blocking(self, client: Client) -> str:
        """Do the same."""
        return run(self.on_async(client))


def login(
    registry: str,
    username: str,
    password: str,
    *,
    store: bool = False,
    timeout: TimeoutLike = DEFAULT,
) -> Login:
    """Verify credentials at a registry, use them from now on, and return what the engine says.

    Args:
        registry: ``docker.io`` for Docker Hub, else ``host[:port]``.
        username: Name of the user.
        password: Password or access token.
        store: Store them for other programs too, as the docker command does: with the helper that
            config.json names, else in config.json itself. By default only this client knows them.
        timeout: Limits of this call.

    Raises:
        CredentialsError: They are right, but cannot be stored.
        Unauthorized: They are wrong.
        ValueError: `registry` is none; or `store`, and the source of this client does not store.

    Documented at https://docs.docker.com/reference/api/engine/#tag/System/operation/SystemAuth.
    """
    name = registry_named(registry)
    credentials = read_auth({"username": username, "password": password}).for_registry(name)
    return Login(name, credentials, store, timeout)


def verify(credentials: Credentials, timeout: TimeoutLike) -> Call[dict[str, Any]]:
    """Have the engine try credentials: it answers with a text and perhaps a token, and keeps nothing.

    Documented at https://docs.docker.com/reference/api/engine/#tag/System/operation/SystemAuth.
    """
    return json_object(
        Request(
            method="POST",
            path="/auth",
            headers=(("Content-Type", "application/json"),),
            body=credentials.document(),
            timeout=timeout,
        )
    )


def version() -> Call[EngineVersion]:
    """Return what the engine says of itself.

    Documented at https://docs.docker.com/reference/api/engine/#tag/System/operation/SystemVersion.
    """
    return json_object(Request(method="GET", path="/version"))
