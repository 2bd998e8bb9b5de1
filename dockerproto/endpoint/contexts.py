"""Files of Docker contexts: their paths, and parsers of their contents.

The parsers follow the Docker CLI's rules for JSON, see `dockerproto.config.gojson`.
Described at https://docs.docker.com/engine/manage-resources/contexts/.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from dockerproto.config.gojson import GoObject, read_go_json, read_go_object, typed
from dockerproto.errors import ContextError

DEFAULT_CONTEXT: Final = "default"
"""Name of the context that is not stored: ``DOCKER_HOST``, or else a standard socket."""
CONFIG_FILE: Final = "config.json"
TLS_FILES: Final = ("ca.pem", "cert.pem", "key.pem")
_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.+-]+")


class Stored(Struct, frozen=True):
    """The engine of a Docker context, as stored in its meta.json."""

    host: str
    """Address of the engine; "" means the default socket."""
    skip_verify: bool
    """True to use TLS without verifying the engine's certificate."""


def is_context_name(name: str) -> bool:
    """Return whether a context can be made with a name.

    >>> is_context_name("remote"), is_context_name("default"), is_context_name("../x")
    (True, False, False)
    """
    return name != DEFAULT_CONTEXT and _NAME.fullmatch(name) is not None


def context_id(name: str) -> str:
    """Return the directory name of a context, the SHA-256 of its name.

    >>> context_id("test")
    '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'

    Raises:
        ContextError: The name cannot be encoded.
    """
    from hashlib import sha256  # noqa: PLC0415  # only where contexts are used

    try:
        return sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
    except UnicodeEncodeError:
        raise ContextError(0, f"invalid Docker context name: {name!r}") from None


def meta_path(name: str) -> str:
    """Return the path of a context's meta.json, relative to the directory of config.json."""
    return f"contexts/meta/{context_id(name)}/meta.json"


def tls_path(name: str) -> str:
    """Return the directory of a context's TLS files, relative to the directory of config.json."""
    return f"contexts/tls/{context_id(name)}/docker"


def read_current_context(config: bytes) -> str | None:
    """Return the ``currentContext`` of a config.json, None if it is missing or empty.

    Other members of the file are not validated.

    Raises:
        ValueError: The file is not a JSON object, or the member is not a string.
    """
    return read_go_object(config).member("currentContext", str) or None


def read_meta(name: str, path: str, content: bytes) -> Stored:
    """Return the engine of a context, from its meta.json.

    Raises:
        ContextError: The file is malformed, or has no engine.
    """
    try:
        return _read_meta(content)
    except ValueError as error:
        raise ContextError(0, f"cannot read the Docker context {name!r} from {path}: {error}") from error


def _read_meta(content: bytes) -> Stored:
    meta = typed(read_go_json(content, whole=True), "the document", GoObject) or GoObject()
    endpoints = meta.member("Endpoints", GoObject) or GoObject()
    engine = typed(dict(endpoints).get("docker"), "docker", GoObject)
    if engine is None:
        raise ValueError("it has no docker endpoint")
    return Stored(engine.member("Host", str) or "", engine.member("SkipTLSVerify", bool) or False)
