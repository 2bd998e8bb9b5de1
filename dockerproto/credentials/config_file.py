"""The docker command's config.json: which credentials it has for a registry, or which helper keeps them.

The rules are the docker command's: a helper of the registry's own (``credHelpers``) before the
default one (``credsStore``) before what stands in the file (``auths``); keys of older versions, which
have a scheme and a path, are understood. An entry that is broken is an error for its own registry
only. No message quotes what the file contains, but for names of registries and helpers.
Documented at https://docs.docker.com/reference/cli/docker/login/#credential-stores.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final, TypeAlias, cast

import msgspec
from msgspec.structs import replace

from dockerproto.credentials.credentials import TOKEN_USER, Credentials, read_auth, server_of
from dockerproto.credentials.helper import CredentialHelper
from dockerproto.errors import CredentialsError
from dockerproto.redacted import Redacted
from dockerproto.references import HUB, host_of

_Object: TypeAlias = dict[str, Any]

_FIELDS: Final = ("auth", "username", "password", "identitytoken", "registrytoken")
_HUB_HOSTS: Final = frozenset({HUB, f"index.{HUB}"})
_EMPTY: Final[Mapping[str, Any]] = {}


class DockerConfig(Redacted, frozen=True):
    """A config.json, or what is of the same form; its content is not shown in the repr."""

    _hidden = ("document",)

    where: str
    """What it is called in an error: its path."""
    document: Mapping[str, Any] = msgspec.field(default_factory=lambda: _EMPTY)
    """What it says."""

    @property
    def empty(self) -> bool:
        """Whether it has nothing to say of any registry."""
        return not any(_value(self.document, name) for name in ("auths", "credHelpers", "credsStore"))


def read_config(data: bytes, where: str) -> DockerConfig:
    """Read what a config.json contains; nothing at all is an empty one.

    Raises:
        CredentialsError: It is not a JSON object.
    """
    try:
        document: object = msgspec.json.decode(data) if data.strip() else {}
        problem = "" if isinstance(document, dict) else "no JSON object"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        document, problem = {}, f"no JSON: {error}"
    if problem:  # not raised above: the exceptions of decoders carry what they decode
        raise CredentialsError(0, f"{where} is {problem}")
    return DockerConfig(where, cast("_Object", document))


def look_up(config: DockerConfig, registry: str) -> CredentialHelper | Credentials | None:
    """Return the credentials of a registry, or the helper to ask for them; None: there are none.

    Args:
        config: What is looked at.
        registry: ``host[:port]``, or ``docker.io`` for Docker Hub.

    >>> config = read_config(b'{"credHelpers": {"r.example": "pass"}}', "config.json")
    >>> look_up(config, "r.example")
    CredentialHelper(name='pass', registry='r.example')

    Raises:
        CredentialsError: What it says of this registry makes no sense.
    """
    return helper_of(config, registry) or credentials_of(config, registry)


def helper_of(config: DockerConfig, registry: str) -> CredentialHelper | None:
    """Return the helper that keeps the credentials of a registry. Raises as `look_up`."""
    own = _section(config, "credHelpers").get(server_of(registry))
    name = _value(config.document, "credsStore") if own is None else own
    if not name:  # an own helper without a name stands for the file
        return None
    if not isinstance(name, str) or "/" in name or "\0" in name:
        raise CredentialsError(0, f"{config.where}: the helper of {registry} is not a name")
    return CredentialHelper(name, registry)


def credentials_of(config: DockerConfig, registry: str) -> Credentials | None:
    """Return the credentials that stand in the file itself. Raises as `look_up`."""
    auths = _section(config, "auths")
    key = _key(auths, registry)
    entry = None if key is None else auths[key]
    if entry is None:
        return None
    try:
        return _read_entry(entry, registry)
    except (TypeError, ValueError) as error:
        problem = str(error)  # that of `read_auth` quotes nothing
    raise CredentialsError(0, f"{config.where}: the entry of {registry} in auths: {problem}")


def with_credentials(
    config: DockerConfig, registry: str, credentials: Credentials, *, elsewhere: bool = False
) -> bytes:
    """Return the text of a config.json that has credentials, in place of those that it had of the registry.

    All else is kept, in its order. If they are kept `elsewhere`, by a helper, the entry is an empty one.

    Raises:
        CredentialsError: The file's ``auths`` is not an object.
    """
    from json import dumps  # noqa: PLC0415  # only to store a login

    auths = dict(_section(config, "auths"))
    outdated = _key(auths, registry)
    key = server_of(registry)
    entry = {} if elsewhere else _written(credentials)
    renamed = {key if each == outdated else each: value for each, value in auths.items()}
    name = _name(config.document, "auths") or "auths"
    document = {**config.document, name: {**renamed, key: entry}}
    return dumps(document, indent="\t", ensure_ascii=False).encode()


def _written(credentials: Credentials) -> dict[str, str]:
    pair = f"{credentials.username}:{credentials.password}".encode()
    auth = base64.b64encode(pair).decode() if credentials.username else ""
    known = {"auth": auth, "identitytoken": credentials.identitytoken}
    return {name: value for name, value in known.items() if value}


def _read_entry(entry: object, registry: str) -> Credentials | None:
    if not isinstance(entry, Mapping):
        raise TypeError("it is not an object")
    lowered = {name.lower(): value for name, value in cast("Mapping[str, Any]", entry).items()}
    known = {name: value for name in _FIELDS if (value := lowered.get(name))}
    if isinstance(known.get("auth"), str):
        known = {**known, "auth": "".join(known["auth"].split())}
        known.pop("username", None)
        known.pop("password", None)
    if not known:
        return None
    found = read_auth(known)
    found = replace(found, password=found.password.strip("\0"))
    if found.username == TOKEN_USER and found.password:
        found = Credentials(identitytoken=found.password)
    return found.for_registry(registry)


def _key(auths: Mapping[str, Any], registry: str) -> str | None:
    """Return the key of a registry: the exact one, else one that an older version wrote."""
    exact = server_of(registry)
    if exact in auths:
        return exact
    hosts = _HUB_HOSTS if registry == HUB else {registry}
    return next((key for key in auths if host_of(key) in hosts), None)


def _section(config: DockerConfig, name: str) -> Mapping[str, Any]:
    section: object = _value(config.document, name)
    if section is None:
        return _EMPTY
    if not isinstance(section, Mapping):
        raise CredentialsError(0, f"{config.where}: {name} is not an object")
    return cast("Mapping[str, Any]", section)


def _value(document: Mapping[str, Any], name: str) -> Any:
    key = _name(document, name)
    return None if key is None else document[key]


def _name(document: Mapping[str, Any], name: str) -> str | None:
    """Return a key as it is written: to the docker command, upper and lower case are the same."""
    if name in document:
        return name
    return next((key for key in document if key.lower() == name.lower()), None)
