"""The files of docker contexts: what they are called, and what is in them.

They are read as the docker command reads them, which is written in Go: names of members in any case,
null for what is absent, the last of several, and of config.json only the first document of the file.
Described at https://docs.docker.com/engine/manage-resources/contexts/.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from dockerproto.errors import ContextError

DEFAULT_CONTEXT: Final = "default"
"""The name of the context that is not stored: ``DOCKER_HOST`` or the default socket."""
CONFIG_FILE: Final = "config.json"
TLS_FILES: Final = ("ca.pem", "cert.pem", "key.pem")
_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.+-]+")
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_SPACE: Final = " \t\r\n"


class _Object(tuple[tuple[str, Any], ...]):
    """An object of JSON: its members, in their order."""

    __slots__ = ()

    def member(self, name: str) -> Any:
        """Return a member, None if there is none."""
        found = [value for key, value in self if key.casefold() == name.casefold() and value is not None]
        return found[-1] if found else None


@dataclass(frozen=True, slots=True)
class Stored:
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
    text = config.decode(errors="replace").lstrip(_SPACE)
    if not text:
        return None
    document = _document(text, whole=False)
    if document is None:
        return None
    if not isinstance(document, _Object):
        raise ValueError("it is no JSON object")  # noqa: TRY004  # of JSON, not of Python
    return _member(document, "currentContext", str) or None


def read_meta(name: str, path: str, content: bytes) -> Stored:
    """Return what a context's meta.json says of the engine.

    Raises:
        ContextError: It cannot be read so, or says nothing of it.
    """
    try:
        return _read_meta(content.decode(errors="replace"))
    except ValueError as error:
        raise ContextError(0, f"the context {name!r} cannot be read from {path}: {error}") from error


def _read_meta(text: str) -> Stored:
    meta = _typed(_document(text, whole=True), "the document", _Object) or _Object()
    endpoints = _member(meta, "Endpoints", _Object) or _Object()
    engine = _typed(dict(endpoints).get("docker"), "docker", _Object)
    if engine is None:
        raise ValueError("it has no docker endpoint")
    return Stored(_member(engine, "Host", str) or "", _member(engine, "SkipTLSVerify", bool) or False)


def _document(text: str, *, whole: bool) -> Any:
    """Return the JSON document that a text begins with, or that is the whole of it."""
    from json import JSONDecoder  # noqa: PLC0415  # only if there is such a file

    text = text.strip(_SPACE)
    try:
        document, end = JSONDecoder(object_pairs_hook=_Object, parse_constant=_constant).raw_decode(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if whole and end != len(text):
        raise ValueError("something follows the JSON document")
    return document


def _member(document: _Object, name: str, kind: type[Any]) -> Any:
    return _typed(document.member(name), name, kind)


def _typed(value: Any, name: str, kind: type[Any]) -> Any:
    if value is not None and not isinstance(value, kind):
        raise ValueError(f"{name} is of another type")
    return _SURROGATES.sub("\ufffd", value) if isinstance(value, str) else value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
