"""The credentials that a client has: those of its logins, then those of its source.

A source is asked when credentials are needed, and for the registry that they are needed for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from inspect import isawaitable, iscoroutinefunction
from typing import Any, Final, Protocol, TypeAlias, cast, runtime_checkable

from dockerproto.credentials.credentials import AuthLike, Credentials, read_auth
from dockerproto.references import parse_registry
from dockerproto.transport.runtime import Runtime


@runtime_checkable
class CredentialsSource(Protocol):
    """An object that is asked for credentials."""

    def get(self, registry: str, /) -> AuthLike | Awaitable[AuthLike | None] | None:
        """Return the credentials of a registry, ``docker.io`` or ``host[:port]``; None: it has none."""
        ...


@runtime_checkable
class CredentialsStore(CredentialsSource, Protocol):
    """A source that also keeps what ``login(store=True)`` gives it."""

    def store(self, registry: str, credentials: Credentials, /) -> Awaitable[None] | None:
        """Keep the credentials of a registry, in place of those that it had."""
        ...


@runtime_checkable
class SparseSource(CredentialsSource, Protocol):
    """A source that can say beforehand that it has nothing."""

    def configured(self) -> bool | Awaitable[bool]:
        """Return whether it may have credentials of any registry; if not, no Dockerfile is searched."""
        ...


CredentialsLike: TypeAlias = (
    Mapping[str, AuthLike] | CredentialsSource | Callable[[str], AuthLike | Awaitable[AuthLike | None] | None]
)
"""A source of credentials: a mapping by registry, an object with ``get``, or a function of the registry.

Functions and methods may block: async clients call them in worker threads. On async clients they may
also be coroutine functions.
"""


class CredentialsLookup:
    """What a client looks up credentials with."""

    def __init__(self, source: CredentialsLike | None, network: Runtime) -> None:
        self._source: Final = source
        self._get: Final = None if source is None else getter(source)
        self._network: Final = network
        self._logins: Final[dict[str, Credentials]] = {}

    async def may_find(self) -> bool:
        """Return whether there may be credentials of any registry."""
        if self._logins or self._source is None:
            return bool(self._logins)
        if isinstance(self._source, SparseSource):
            return bool(await self._call(self._source.configured))
        source: object = self._source
        return source != {}

    async def find(self, registry: str) -> Credentials | None:
        """Return the credentials of a registry, None if there are none.

        Raises:
            CredentialsError: They cannot be looked up.
        """
        login = self._logins.get(registry)
        if login is not None or self._get is None:
            return login
        found: AuthLike | None = await self._call(self._get, registry)
        return None if found is None else read_auth(found).for_registry(registry)

    def remember(self, registry: str, credentials: Credentials) -> None:
        """Keep credentials for as long as the client lives."""
        self._logins[registry] = credentials

    def storing(self) -> CredentialsStore:
        """Return what stores credentials.

        Raises:
            ValueError: The source of this client does not.
        """
        if isinstance(self._source, CredentialsStore):
            return self._source
        raise ValueError("the credentials of this client come from what cannot store any")

    async def store(self, registry: str, credentials: Credentials) -> None:
        """Have credentials stored.

        Raises:
            CredentialsError: They cannot be.
        """
        await self._call(self.storing().store, registry, credentials)

    async def _call(self, function: Callable[..., Any], *arguments: object) -> Any:
        if iscoroutinefunction(function):
            return await function(*arguments)
        call = partial(function, *arguments)
        (result,) = await self._network.in_thread(lambda: (call(),))  # trio refuses to hand over a coroutine
        return await result if isawaitable(result) else result


def getter(source: CredentialsLike) -> Callable[[str], Any]:
    """Return the function that asks a source.

    Raises:
        TypeError: It is none.
    """
    if isinstance(source, Mapping):
        mapping = cast("Mapping[str, AuthLike]", source)
        return partial(_named, mapping)
    if isinstance(source, CredentialsSource):
        return source.get
    if callable(source):
        return source
    raise TypeError(f"credentials are a mapping, a function or have a get, not {type(source).__name__}")


def check_blocking(source: CredentialsLike | None) -> None:
    """Raise TypeError for a source that a blocking client cannot ask."""
    if source is not None and iscoroutinefunction(getter(source)):
        raise TypeError("a coroutine function cannot be asked for credentials by a blocking client")


def _named(auths: Mapping[str, AuthLike], registry: str) -> AuthLike | None:
    return next((auth for name, auth in auths.items() if parse_registry(name) == registry), None)
