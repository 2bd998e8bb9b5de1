"""The credentials that config.json has for a registry, or the helper that keeps them.

The rules are those of the Docker CLI: a registry's own helper (``credHelpers``) comes before the default one
(``credsStore``), and that before the entry in the file (``auths``), whose key may have the scheme, user and
path that older versions wrote. An invalid entry is an error for its own registry only. No message quotes the
file, except names of helpers.
Documented at https://docs.docker.com/reference/cli/docker/login/#credential-stores.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from dockerproto.config.config_file import AuthEntry, ConfigFile
from dockerproto.config.gojson import fold
from dockerproto.credentials.credentials import ANONYMOUS, TOKEN_USER, Credentials, read_auth, server_of
from dockerproto.credentials.helper import CredentialHelper
from dockerproto.errors import CredentialsError
from dockerproto.redacted import RedactedBytes, hides_frames
from dockerproto.references import HUB

_AUTHS: Final = "auths"
_HUB_HOSTS: Final = frozenset({HUB, f"index.{HUB}"})
_URL: Final = re.compile(r"[^:/]*://(?:[^/?#]*@)?(?P<host>[^/?#]*?):?(?:[/?#]|$)")
_SOURCES: Final = (_AUTHS, "credHelpers", "credsStore")


def may_have_credentials(config: ConfigFile) -> bool:
    """Return False if the file certainly has no credentials of any registry."""
    known = config.auths or config.cred_helpers or config.creds_store
    return bool(known) or any(config.problem(each) for each in _SOURCES)


def helper_of(config: ConfigFile, registry: str) -> CredentialHelper | None:
    """Return the helper that keeps the credentials of a registry.

    Args:
        config: The configuration file.
        registry: ``host[:port]``, or ``docker.io`` for Docker Hub.

    >>> from dockerproto.config.config_file import parse_config_file
    >>> config = parse_config_file(b'{"credHelpers": {"r.example": "pass"}}')
    >>> helper_of(config, "r.example")
    CredentialHelper(name='pass', registry='r.example')

    Raises:
        CredentialsError: The file is malformed, or the part of it that concerns this registry.
    """
    server = server_of(registry)
    name = config.cred_helpers.get(server)
    _check(config, "credHelpers", server)
    if name is None:
        name = config.creds_store
        _check(config, "credsStore")
    if not name:  # a registry's own helper without a name stands for the file
        return None
    if "/" in name or "\0" in name:
        raise CredentialsError(0, f"{config.where}: the helper of {registry} must be a name, not a path")
    return CredentialHelper(name, registry)


def credentials_of(config: ConfigFile, registry: str) -> Credentials | None:
    """Return the credentials of a registry in the file itself; arguments and errors are as of `helper_of`."""
    key = _key(config, registry)
    _check(config, _AUTHS, server_of(registry) if key is None else key)
    if key is None:
        return None
    try:
        return _parse_entry(config.auths[key], registry)
    except ValueError as error:
        problem = str(error)  # `read_auth` quotes nothing
    raise CredentialsError(0, f"{config.where}: the entry of {registry} in {_AUTHS}: {problem}")


@hides_frames
def with_credentials(
    config: ConfigFile, registry: str, credentials: Credentials, *, elsewhere: bool = False
) -> bytes:
    """Return the file's text with the credentials of a registry in place of those it had.

    Everything else is kept, in its order. If a helper keeps the credentials `elsewhere`, the entry is empty.

    Raises:
        CredentialsError: The file is malformed, or its ``auths`` is not an object.
    """
    key = server_of(registry)
    entry = {} if elsewhere else _format_entry(credentials)
    outdated = _key(config, registry)

    def change(auths: dict[str, Any]) -> dict[str, Any]:
        renamed = {key if each == outdated else each: value for each, value in auths.items()}
        return {**renamed, key: entry}

    return _with_auths(config, key, change)


@hides_frames
def without_credentials(config: ConfigFile, registry: str) -> bytes | None:
    """Return the file's text without the credentials of a registry; None if it has none.

    Raises:
        CredentialsError: The file is malformed, or its ``auths`` is not an object.
    """
    key = _key(config, registry)
    if key is None:
        _check(config, _AUTHS, server_of(registry))
        return None
    return _with_auths(
        config, key, lambda auths: {name: entry for name, entry in auths.items() if name != key}
    )


@hides_frames
def _with_auths(config: ConfigFile, key: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> bytes:
    """Return the file's text with changed entries, of which one must be well-formed before."""
    from json import dumps  # noqa: PLC0415  # only to store a login

    _check(config, _AUTHS, key)
    document = config.merged()
    name = next((each for each in document if fold(each) == _AUTHS), _AUTHS)
    text = dumps({**document, name: change(document.get(name) or {})}, indent="\t", ensure_ascii=False)
    return RedactedBytes(text.encode())


def _check(config: ConfigFile, *path: str) -> None:
    if problem := config.problem(*path):
        raise CredentialsError(0, f"{config.where}: {problem}")


def _format_entry(credentials: Credentials) -> dict[str, str]:
    pair = f"{credentials.username}:{credentials.password}".encode()
    auth = base64.b64encode(pair).decode() if credentials.username else ""
    entry = {"auth": auth, "identitytoken": credentials.identitytoken}
    return {name: value for name, value in entry.items() if value}


@hides_frames
def _parse_entry(entry: AuthEntry, registry: str) -> Credentials | None:
    pair = Credentials(username=entry.username, password=entry.password)
    if text := "".join(entry.auth.split()):
        pair = read_auth(text)
        pair = replace(pair, password=pair.password.strip("\0"))
    if pair.username == TOKEN_USER and pair.password:
        pair = Credentials(identitytoken=pair.password)
    credentials = replace(
        pair,
        identitytoken=pair.identitytoken or entry.identitytoken,
        registrytoken=entry.registrytoken,
    )
    return None if credentials == ANONYMOUS else credentials.for_registry(registry)


def _key(config: ConfigFile, registry: str) -> str | None:
    """Return the key of a registry in ``auths``: the exact one, or else one that an older version wrote."""
    exact = server_of(registry)
    if exact in config.auths:
        return exact
    hosts = _HUB_HOSTS if registry == HUB else {registry}
    return next((key for key in config.auths if _host(key) in hosts), None)


def _host(key: str) -> str:
    """Return the host and port of a key of ``auths``, without scheme, user and path."""
    url = _URL.match(key)
    return url["host"] if url else key.partition("/")[0]
