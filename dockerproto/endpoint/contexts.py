"""The files of docker contexts: what they are called, and what is in them.

They are read as the docker command reads them: see `gojson`; of config.json, only the first document.
Described at https://docs.docker.com/engine/manage-resources/contexts/.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from dockerproto.config.gojson import GoObject, read_go_json, read_go_object, typed
from dockerproto.errors import ContextError

DEFAULT_CONTEXT: Final = "default"
"""The name of the context that is not stored: ``DOCKER_HOST`` or the default socket."""
CONFIG_FILE: Final = "config.json"
TLS_FILES: Final = ("ca.pem", "cert.pem", "key.pem")
_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.+-]+")


class Stored(Struct, frozen=True):
    """What a context's meta.json says of the engine."""

    host: str
    """Where it listens; "": at the default socket."""
    skip_verify: bool
    """Whether TLS is spoken and the engine's certificate is not checked."""


def is_context_name(name: str) -> bool:
    """Return whether a context can be made with a name.

    >>> is_context_name("remote"), is_context_name("default"), is_context_name("../x")
    (True, False, False)
    """
    return name != DEFAULT_CONTEXT and _NAME.fullmatch(name) is not None


def context_id(name: str) -> str:
    """Return what the directories of a context are called, the SHA-256 of its name.

    >>> context_id("test")
    '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'

    Raises:
        ContextError: No file can have the name.
    """
    from hashlib import sha256  # noqa: PLC0415  # only where contexts are used

    try:
        return sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
    except UnicodeEncodeError:
        raise ContextError(0, f"not the name of a context: {name!r}") from None


def meta_path(name: str) -> str:
    """Return where the description of a context is, below the directory of the configuration."""
    return f"contexts/meta/{context_id(name)}/meta.json"


def tls_path(name: str) -> str:
    """Return where the TLS files of a context are, below the directory of the configuration."""
    return f"contexts/tls/{context_id(name)}/docker"


def read_current_context(config: bytes) -> str | None:
    """Return the ``currentContext`` of a config.json, None if it has none.

    What else is wrong in the file does not matter here.

    Raises:
        ValueError: It is no JSON object, or that member no text.
    """
    return read_go_object(config).member("currentContext", str) or None


def read_meta(name: str, path: str, content: bytes) -> Stored:
    """Return what a context's meta.json says of the engine.

    Raises:
        ContextError: It cannot be read so, or says nothing of it.
    """
    try:
        return _read_meta(content)
    except ValueError as error:
        raise ContextError(0, f"the context {name!r} cannot be read from {path}: {error}") from error


def _read_meta(content: bytes) -> Stored:
    meta = typed(read_go_json(content, whole=True), "the document", GoObject) or GoObject()
    endpoints = meta.member("Endpoints", GoObject) or GoObject()
    engine = typed(dict(endpoints).get("docker"), "docker", GoObject)
    if engine is None:
        raise ValueError("it has no docker endpoint")
    return Stored(engine.member("Host", str) or "", engine.member("SkipTLSVerify", bool) or False)
