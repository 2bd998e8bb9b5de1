"""Logging in to a registry: the engine verifies the credentials, the client remembers them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dockerproto.answers import document
from dockerproto.auth import Credentials, read_auth
from dockerproto.client import Client
from dockerproto.operation import Call
from dockerproto.reference import registry_named
from dockerproto.request import Request
from dockerproto.timeouts import TimeoutLike


async def log_in(
    client: Client, registry: str, username: str, password: str, *, store: bool, timeout: TimeoutLike
) -> str:
    """Verify credentials, remember them for as long as the client lives, and return what the engine says.

    Raises:
        CredentialsError: They are right, but cannot be stored.
        Unauthorized: They are wrong.
        ValueError: It is no registry; or they are to be stored, and the client cannot.
    """
    name = registry_named(registry)
    if store:
        client.credentials.storing()
    credentials = read_auth({"username": username, "password": password}).for_registry(name)
    answer = await verify(credentials, timeout).on_async(client)
    token = answer.get("IdentityToken")
    if isinstance(token, str) and token:  # in place of the password, from registries that give one
        credentials = replace(credentials, password="", identitytoken=token)
    client.credentials.remember(name, credentials)
    if store:
        await client.credentials.store(name, credentials)
    return str(answer.get("Status", ""))


def verify(credentials: Credentials, timeout: TimeoutLike) -> Call[dict[str, Any]]:
    """Have the engine try credentials: it answers with a text and perhaps a token, and keeps nothing.

    Documented at https://docs.docker.com/reference/api/engine/#tag/System/operation/SystemAuth.
    """
    return document(
        Request(
            method="POST",
            path="/auth",
            headers=(("Content-Type", "application/json"),),
            body=credentials.document(),
            timeout=timeout,
        )
    )
