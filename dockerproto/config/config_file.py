"""config.json, the configuration file of the Docker CLI, as a value that is parsed once.

A new key is a new field of `ConfigKeys`; its name in the file and its type are those of the field.
Documented at https://docs.docker.com/reference/cli/docker/#docker-cli-configuration-file-configjson-properties.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, cast

from msgspec import field
from msgspec.structs import asdict

from dockerproto.config.gojson import Decoded, GoObject, Path, clean, decode, fold, parse_json
from dockerproto.redacted import Redacted, hides_frames

CONFIG_FILE: Final = "config.json"


class AuthEntry(Redacted, frozen=True):
    """An entry of ``auths``; its repr() is empty."""

    _hidden = ("auth", "username", "password", "identitytoken", "registrytoken")

    auth: str = ""
    """Base64 of ``username:password``."""
    username: str = ""
    """Name of the user; ``auth`` replaces it."""
    password: str = ""
    """Password; ``auth`` replaces it."""
    identitytoken: str = ""
    """Refresh token of an OAuth login."""
    registrytoken: str = ""
    """Bearer token."""


class ProxyEntry(Redacted, frozen=True, rename="camel"):
    """An entry of ``proxies``; its repr() is empty, because addresses of proxies may contain passwords."""

    _hidden = ("http_proxy", "https_proxy", "no_proxy", "ftp_proxy", "all_proxy")

    http_proxy: str = ""
    """Proxy for http."""
    https_proxy: str = ""
    """Proxy for https."""
    no_proxy: str = ""
    """Hosts to reach without a proxy."""
    ftp_proxy: str = ""
    """Proxy for ftp."""
    all_proxy: str = ""
    """Proxy for all protocols."""


class ConfigKeys(Redacted, frozen=True, rename="camel"):
    """The keys of config.json that the library reads."""

    _hidden: ClassVar[tuple[str, ...]] = ("auths", "http_headers", "proxies")

    auths: Mapping[str, AuthEntry] = field(default_factory=dict[str, AuthEntry])
    """Credentials, by address of the registry."""
    creds_store: str = ""
    """Name of the default credential helper."""
    cred_helpers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Names of the credential helpers of registries."""
    http_headers: Mapping[str, str] = field(default_factory=dict[str, str], name="HttpHeaders")
    """Custom headers sent with every request."""
    proxies: Mapping[str, ProxyEntry] = field(default_factory=dict[str, ProxyEntry])
    """Proxies that builds are told of, by address of the engine, and ``default``."""
    current_context: str = ""
    """Name of the Docker context in use."""


class ConfigFile(ConfigKeys, frozen=True, kw_only=True):
    """A parsed config.json, or a text of the same form. Its repr() shows no secrets."""

    _hidden = (*ConfigKeys._hidden, "document", "problems")  # noqa: SLF001  # of its own base

    where: str = CONFIG_FILE
    """Its path or name, for messages."""
    document: GoObject = GoObject()
    """The whole document, to be written back with changes."""
    problems: Mapping[Path, str] = field(default_factory=dict[Path, str])
    """Descriptions of what is invalid, by place; the key () stands for the whole file."""

    def problem(self, *path: str) -> str:
        """Return a description of what is invalid at a place, around it or in it; "" if nothing is.

        >>> config = parse_config_file(b'{"auths": 5, "currentContext": "remote"}')
        >>> config.problem("currentContext"), config.problem("auths", "r.example")
        ('', 'auths must be an object, not a number')
        """
        matches = (text for place, text in self.problems.items() if _overlap(place, path))
        return next(matches, "")

    def merged(self) -> dict[str, Any]:
        """Return the whole document with equal names merged, which Go would do when it decodes them."""
        document = dict[str, Any]()
        written = dict[str, str]()
        for name, value in self.document:
            key = written.setdefault(fold(name), clean(name))
            document[key] = _merge(document.get(key), value)
        return document


@hides_frames
def parse_config_file(content: bytes, where: str = CONFIG_FILE) -> ConfigFile:
    """Parse config.json as the Docker CLI does; nothing raises: invalid parts are listed in `problems`.

    The first value in the file counts; no value at all, and null, are an empty object. The rules for its
    keys are those of `gojson`.
    """
    try:
        document = parse_json(content, whole=False) if content.strip() else None
    except ValueError as error:
        return invalid_config_file(f"it is not valid JSON: {error}", where)
    keys: Decoded[ConfigKeys] = decode(document, ConfigKeys, name="it")
    own = document if isinstance(document, GoObject) else GoObject()
    return ConfigFile(**asdict(keys.value), where=where, document=own, problems=keys.problems)


def invalid_config_file(problem: str, where: str = CONFIG_FILE) -> ConfigFile:
    """Return a file of which nothing can be used; its problem is a clause, such as "it cannot be read"."""
    return ConfigFile(where=where, problems={(): problem})


def _merge(old: Any, new: object) -> Any:
    """Return the value of a name that has had another one."""
    if new is None:
        return {} if isinstance(old, dict) else old
    if isinstance(old, dict) and isinstance(new, GoObject):
        more: dict[str, Any] = _plain(new)
        return {**cast("dict[str, Any]", old), **more}
    return _plain(new)


def _plain(value: object) -> Any:
    """Return a parsed value with dictionaries in place of objects."""
    if isinstance(value, GoObject):
        return {clean(name): _plain(each) for name, each in value}
    if isinstance(value, list):
        return [_plain(each) for each in cast("list[object]", value)]
    return clean(value) if isinstance(value, str) else value


def _overlap(one: Path, other: Path) -> bool:
    """Return True if one of two places is in the other."""
    return all(left == right for left, right in zip(one, other, strict=False))
