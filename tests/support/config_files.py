"""Files in the place of config.json, and what the Docker CLI and the library read in each."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from dockerproto import Credentials, CredentialsError
from dockerproto.config.config_file import ConfigFile, parse_config_file
from dockerproto.config.headers import Headers, file_headers
from dockerproto.config.proxies import build_proxies
from dockerproto.credentials.helper import CredentialHelper
from dockerproto.credentials.stored import credentials_of, helper_of

T = TypeVar("T")

REGISTRY, ENGINE = "r.example:5000", "tcp://h:1"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


ANNA, BERT = b64("anna:s3cret"), b64("bert:other")
AS_ANNA = {"username": "anna", "password": "s3cret"}
AS_BERT = {"username": "bert", "password": "other"}


@dataclass(frozen=True)
class Reading:
    """The part of a config.json that the Docker CLI shows in what it does."""

    context: str = "default"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    """Custom headers, by their names in lower case."""
    auth: dict[str, str] = field(default_factory=dict[str, str])
    """Credentials of REGISTRY, without its address."""
    proxies: dict[str, str] = field(default_factory=dict[str, str])
    """Build arguments for the proxies of ENGINE, without those in lower case."""


# <R> stands for REGISTRY, <ANNA> and <BERT> for their base64, <ENGINE> for the engine's address.
CASES: dict[str, tuple[str, Reading]] = {
    "nothing": ("", Reading()),
    "only space": (" \r\n\t", Reading()),
    "null": ("null", Reading()),
    "null, then more": ('null {"currentContext": "x"}', Reading()),
    "null, then anything": ("nullx", Reading()),
    "an empty object": ("{}", Reading()),
    "the first value counts": ('{"currentContext": "x"} {"currentContext": "y"}', Reading("x")),
    "anything may follow": ('\n{"currentContext": "x"}trailing', Reading("x")),
    "any case": (
        (
            '{"CURRENTCONTEXT": "x", "httpheaders": {"X-A": "1"}, "AUTHS": {"<R>": {"AUTH": "<ANNA>"}},'
            '"Proxies": {"default": {"HTTPPROXY": "http://p"}}}'
        ),
        Reading("x", {"x-a": "1"}, AS_ANNA, {"HTTP_PROXY": "http://p"}),
    ),
    "long s and the Kelvin sign": (
        '{"auth\u017f": {"<R>": {"identityto\u212aen": "t"}}}',
        Reading(auth={"identitytoken": "t"}),
    ),
    "sharp s is another letter": (
        '{"cred\u00dftore": "x", "auths": {"<R>": {"auth": "<ANNA>"}}}',
        Reading(auth=AS_ANNA),
    ),
    "the last of equal keys": ('{"currentContext": "x", "CurrentContext": "y"}', Reading("y")),
    "the last in any case": ('{"CURRENTCONTEXT": "y", "currentContext": "x"}', Reading("x")),
    "null changes no text": ('{"currentContext": "x", "currentContext": null}', Reading("x")),
    "equal keys of maps merge": (
        (
            '{"auths": {"<R>": {"auth": "<ANNA>"}}, "auths": {"other": {"auth": "<BERT>"}},'
            '"HttpHeaders": {"X-A": "1", "X-B": "2"}, "httpHeaders": {"X-B": "3"},'
            '"proxies": {"default": {"httpProxy": "http://p"}}, "proxies": {"tcp://x:1": {}}}'
        ),
        Reading("default", {"x-a": "1", "x-b": "3"}, AS_ANNA, {"HTTP_PROXY": "http://p"}),
    ),
    "an empty map adds nothing": (
        '{"auths": {"<R>": {"auth": "<ANNA>"}}, "auths": {}}',
        Reading(auth=AS_ANNA),
    ),
    "null empties a map": (
        (
            '{"auths": {"<R>": {"auth": "<ANNA>"}}, "auths": null, "HttpHeaders": {"X-A": "1"},'
            '"HttpHeaders": null}'
        ),
        Reading(),
    ),
    "an entry replaces its like": (
        (
            '{"auths": {"<R>": {"auth": "<ANNA>"}, "<R>": {"auth": "<BERT>"}},'
            '"proxies": {"default": {"httpProxy": "http://p"}, "default": {"noProxy": "x"}}}'
        ),
        Reading(auth=AS_BERT, proxies={"NO_PROXY": "x"}),
    ),
    "an entry replaces one of an earlier map": (
        '{"auths": {"<R>": {"auth": "<ANNA>"}}, "auths": {"<R>": {}}}',
        Reading(),
    ),
    "equal keys of an entry": (
        '{"auths": {"<R>": {"auth": "<ANNA>", "Auth": "<BERT>", "AUTH": null}}}',
        Reading(auth=AS_BERT),
    ),
    "keys of maps have a case": (
        '{"auths": {"R.EXAMPLE:5000": {"auth": "<ANNA>"}}, "proxies": {"Default": {"httpProxy": "p"}}}',
        Reading(),
    ),
    "null entries": (
        '{"auths": {"<R>": null}, "proxies": {"default": null}, "HttpHeaders": {"X-A": null}}',
        Reading(headers={"x-a": ""}),
    ),
    "another key of a wrong type": (
        '{"psFormat": 5, "plugins": [], "currentContext": "x", "auths": {"<R>": {"identitytoken": "t"}}}',
        Reading("x", auth={"identitytoken": "t"}),
    ),
    "a key of a wrong type after the right one": (
        '{"currentContext": "x", "currentContext": 5}',
        Reading("x"),
    ),
    "a key of a wrong type before the right one": (
        '{"currentContext": [], "currentContext": "x"}',
        Reading("x"),
    ),
    "invalid JSON": ('{"currentContext": "x"', Reading()),
    "invalid JSON after the key": ('{"currentContext": "x", "auths": {]}', Reading()),
    "not a number of JSON": ('{"currentContext": "x", "other": NaN}', Reading()),
    "a byte order mark": ('\ufeff{"currentContext": "x"}', Reading()),
    "a control character": ('{"currentContext": "x\ty"}', Reading()),
    "an array": ('[{"currentContext": "x"}]', Reading()),
    "bytes that are not UTF-8": ('{"currentContext": "\udce2\udc82\udcff"}', Reading("\ufffd\ufffd\ufffd")),
    "half a surrogate": ('{"currentContext": "\\ud800x"}', Reading("\ufffdx")),
    "a path after the registry": (
        '{"auths": {"https://<R>/v1/": {"auth": "<ANNA>"}}}',
        Reading(auth=AS_ANNA),
    ),
    "a user in the key": (
        '{"auths": {"https://user@<R>/": {"auth": "<ANNA>"}}}',
        Reading(auth=AS_ANNA),
    ),
    "a user and password in the key": (
        '{"auths": {"http://us:pa%40ss@<R>": {"auth": "<ANNA>"}}}',
        Reading(auth=AS_ANNA),
    ),
    "a query after the registry": (
        '{"auths": {"https://<R>?a=b": {"auth": "<ANNA>"}}}',
        Reading(auth=AS_ANNA),
    ),
    "an empty entry": ('{"auths": {"<R>": {}}}', Reading()),
    "an empty entry hides an older key": (
        '{"auths": {"https://<R>": {"auth": "<ANNA>"}, "<R>": {}}}',
        Reading(),
    ),
    "an entry without auth": (
        '{"auths": {"<R>": {"username": "anna", "password": "s3cret"}}}',
        Reading(auth=AS_ANNA),
    ),
    "an entry with a name only": (
        '{"auths": {"<R>": {"username": "anna"}}}',
        Reading(auth={"username": "anna"}),
    ),
    "an entry with a password only": (
        '{"auths": {"<R>": {"password": "s3cret"}}}',
        Reading(auth={"password": "s3cret"}),
    ),
    "auth replaces name and password": (
        '{"auths": {"<R>": {"username": "x", "password": "y", "auth": "<ANNA>"}}}',
        Reading(auth=AS_ANNA),
    ),
    "tokens": (
        '{"auths": {"<R>": {"identitytoken": "t1", "RegistryToken": "t2"}}}',
        Reading(auth={"identitytoken": "t1", "registrytoken": "t2"}),
    ),
    "an engine's own proxies": (
        '{"proxies": {"default": {"httpProxy": "http://p"}, "<ENGINE>": {"allProxy": "http://q"}}}',
        Reading(proxies={"ALL_PROXY": "http://q"}),
    ),
}


def content_of(case: str, engine: str = ENGINE) -> bytes:
    """Return the content of a case's file, with an engine's address."""
    content = CASES[case][0]
    for mark, text in (("<R>", REGISTRY), ("<ANNA>", ANNA), ("<BERT>", BERT), ("<ENGINE>", engine)):
        content = content.replace(mark, text)
    return content.encode(errors="surrogateescape")


def reading_of(content: bytes, engine: str = ENGINE) -> Reading:
    """Return what the library reads in a file."""
    config = parse_config_file(content)
    return Reading(
        context=config.current_context or "default",
        headers=_lowered(_unless_invalid(file_headers, config, ())),
        auth=_auth_of(_unless_invalid(partial(look_up, registry=REGISTRY), config, None)),
        proxies=_unlowered(_unless_invalid(partial(build_proxies, host=engine), config, {})),
    )


def look_up(config: ConfigFile, registry: str) -> CredentialHelper | Credentials | None:
    """Return the credentials of a registry, or the helper that keeps them."""
    return helper_of(config, registry) or credentials_of(config, registry)


def _unless_invalid(read: Callable[[ConfigFile], T], config: ConfigFile, default: T) -> T:
    try:
        return read(config)
    except (ValueError, CredentialsError):
        return default


def _lowered(headers: Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers}


def _unlowered(proxies: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in proxies.items() if name.isupper()}


def _auth_of(credentials: CredentialHelper | Credentials | None) -> dict[str, str]:
    if credentials is None:
        return {}
    assert isinstance(credentials, Credentials)
    shown = json.loads(credentials.document())
    assert shown.pop("serveraddress") == REGISTRY
    return dict(shown)
