"""The credentials of a client: those of its logins, or else those of its source.

A source is asked only when an operation needs credentials, and only for the registry that it needs them for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from inspect import isawaitable, iscoroutine, iscoroutinefunction
from typing import Any, Final, Protocol, Self, TypeAlias, TypeVar, cast, runtime_checkable

from msgspec import Struct

from dockerproto.credentials.credentials import AuthLike, Credentials, read_auth
from dockerproto.errors import CredentialsError, DockerError, TooManyRequests, Unauthorized
from dockerproto.redacted import hides_frames
from dockerproto.references import parse_registry
from dockerproto.transport.local_work import LocalWork

S = TypeVar("S")


class Finding(Struct, frozen=True):
    """The result of a lookup that may have failed in part."""

    credentials: Credentials | None = None
    """The credentials to use; None for none."""
    failure: CredentialsError | None = None
    """The failure of a credential helper; the credentials are then those that are known without it."""


@runtime_checkable
class CredentialsSource(Protocol):
    """An object that looks up credentials."""

    def get(self, registry: str, /) -> AuthLike | Awaitable[AuthLike | None] | None:
        """Return the credentials of a registry, ``docker.io`` or ``host[:port]``; None if it has none."""
        ...


@runtime_checkable
class CredentialsStore(CredentialsSource, Protocol):
    """A source that also stores the credentials of ``login(store=True)``."""

    def store(self, registry: str, credentials: Credentials, /) -> Awaitable[None] | None:
        """Store the credentials of a registry, in place of those it had."""
        ...


@runtime_checkable
class SparseSource(CredentialsSource, Protocol):
    """A source that knows beforehand whether it has any credentials."""

    def configured(self) -> bool | Awaitable[bool]:
        """Return False if it certainly has no credentials of any registry; no Dockerfile is searched then."""
        ...


@runtime_checkable
class LimitedSource(CredentialsSource, Protocol):
    """A source that can take less time."""

    def within(self, seconds: float, /) -> Self:
        """Return the same source for a call with so much time left."""
        ...


@runtime_checkable
class TolerantSource(CredentialsSource, Protocol):
    """A source that has usable results even if a credential helper fails."""

    def get_with_failure(self, registry: str, /) -> Finding:
        """Return the credentials of a registry, and the failure of its helper, if there is one."""
        ...


CredentialsLike: TypeAlias = (
    Mapping[str, AuthLike] | CredentialsSource | Callable[[str], AuthLike | Awaitable[AuthLike | None] | None]
)
"""A source of credentials: a mapping by registry, an object with ``get``, or a function of the registry.

Functions and methods may block: async clients call them in worker threads. On async clients they may
also be coroutine functions.
"""


class CredentialsLookup:
    """The logins of a client, and its source of credentials."""

    def __init__(self, source: CredentialsLike | None) -> None:
        if source is not None:
            _getter(source)  # raises TypeError now
        self._source: Final = source
        self._logins: Final[dict[str, Credentials]] = {}

    def for_call(self) -> CallCredentials:
        """Return the lookups of one call."""
        return CallCredentials(self)

    async def may_find(self, work: LocalWork) -> bool:
        """Return False if there are certainly no credentials of any registry."""
        if self._logins or self._source is None:
            return bool(self._logins)
        if isinstance(self._source, SparseSource):
            return bool(await _call(work, self._source.configured))
        source: object = self._source
        return source != {}

    async def find(self, registry: str, work: LocalWork) -> Finding:
        """Look up the credentials of a registry.

        Raises:
            CredentialsError: They cannot be looked up.
            TimedOut: That took too long.
        """
        login = self._logins.get(registry)
        if login is not None or self._source is None:
            return Finding(login)
        get = _getter(_within(self._source, work))
        return _finding(await _call(work, get, registry), registry)

    def remember(self, registry: str, credentials: Credentials) -> None:
        """Keep credentials while the client lives."""
        self._logins[registry] = credentials

    def storing(self) -> CredentialsStore:
        """Return the source, if it stores credentials.

        Raises:
            ValueError: It does not.
        """
        if isinstance(self._source, CredentialsStore):
            return self._source
        raise ValueError("the credentials source of this client cannot store credentials")

    async def store(self, registry: str, credentials: Credentials, work: LocalWork) -> None:
        """Store credentials.

        Raises:
            CredentialsError: They cannot be stored.
            TimedOut: That took too long; they may be stored all the same.
        """
        await _call(work, _within(self.storing(), work).store, registry, credentials)


@hides_frames
def _finding(found: AuthLike | Finding | None, registry: str) -> Finding:
    if isinstance(found, Finding):
        return found
    return Finding(None if found is None else read_auth(found).for_registry(registry))


async def _call(work: LocalWork, function: Callable[..., Any], *arguments: object) -> Any:
    """Call a function of a source, which may block or be a coroutine function."""
    call = partial(function, *arguments)
    if iscoroutinefunction(function):
        return await work.wait(call)
    called = await work.open(lambda: _Called(call()))  # trio refuses to return a coroutine
    try:
        return await work.wait(lambda: called.result) if isawaitable(called.result) else called.result
    finally:
        called.close()


class _Called:
    """The result of a function, which may be a coroutine; one that comes too late is closed."""

    def __init__(self, result: Any) -> None:
        self.result = result

    def close(self) -> None:
        """Close a coroutine, as Python warns of one that nobody has awaited."""
        if iscoroutine(self.result):
            self.result.close()


def _within(source: S, work: LocalWork) -> S:
    """Return a source for a call, which may have a limit."""
    left = work.time_left()
    return source if left is None or not isinstance(source, LimitedSource) else source.within(left)


class CallCredentials:
    """The lookups of one call. A failure of a credential helper does not end it, but explains a refusal."""

    def __init__(self, lookup: CredentialsLookup) -> None:
        self._lookup: Final = lookup
        self._failures: Final[list[CredentialsError]] = []
        self.found: bool = False
        """True if credentials of any registry were found."""

    async def may_find(self, work: LocalWork) -> bool:
        """Return False if there are certainly no credentials of any registry."""
        return await self._lookup.may_find(work)

    async def find(self, registry: str, work: LocalWork) -> Credentials | None:
        """Return the credentials of a registry, None if it has none; see `CredentialsLookup.find`."""
        finding = await self._lookup.find(registry, work)
        if finding.failure is not None:
            self._failures.append(finding.failure)
        self.found = self.found or finding.credentials is not None
        return finding.credentials

    def explain(self, error: DockerError) -> None:
        """Add the failures of credential helpers to the error of a registry that wants credentials."""
        if isinstance(error, Unauthorized | TooManyRequests):
            for failure in self._failures:
                error.add_note(f"the credential helper failed: {failure.message}")
                error.__cause__ = error.__cause__ or failure


def check_blocking(source: CredentialsLike | None) -> None:
    """Raise TypeError for a source that a blocking client cannot call."""
    if source is not None and iscoroutinefunction(_getter(source)):
        raise TypeError("a blocking client cannot call a coroutine function for credentials")


def _getter(source: CredentialsLike) -> Callable[[str], Any]:
    """Return the function that looks up credentials in a source; raise TypeError if it is not one."""
    if isinstance(source, Mapping):
        return _Mapped(cast("Mapping[str, AuthLike]", source)).get
    if isinstance(source, TolerantSource):
        return source.get_with_failure
    if isinstance(source, CredentialsSource):
        return source.get
    if callable(source):
        return source
    kind = type(source).__name__
    raise TypeError(f"credentials must be a mapping, a function or an object with get(), not {kind}")


class _Mapped:
    """A mapping by registry, as a source whose repr() does not show it."""

    def __init__(self, auths: Mapping[str, AuthLike]) -> None:
        self._auths = auths

    def get(self, registry: str) -> AuthLike | None:
        return next((self._auths[name] for name in self._auths if parse_registry(name) == registry), None)
