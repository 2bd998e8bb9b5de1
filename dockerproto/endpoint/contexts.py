"""Files of Docker contexts: their paths, and parsers of their contents.

The parsers follow the Docker CLI's rules for JSON, see `dockerproto.config.gojson`.
Described at https://docs.docker.com/engine/manage-resources/contexts/.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

from msgspec import Struct, field

from dockerproto.config.gojson import decode, parse_json
from dockerproto.errors import ContextError

S = TypeVar("S", bound=Struct)

DEFAULT_CONTEXT: Final = "default"
"""Name of the context that is not stored: ``DOCKER_HOST``, or else a standard socket."""
TLS_FILES: Final = ("ca.pem", "cert.pem", "key.pem")


class Stored(Struct, frozen=True, rename="pascal"):
    """The engine of a Docker context, as stored in its meta.json."""

    host: str = ""
    """Address of the engine; "" means the default socket."""
    skip_verify: bool = field(default=False, name="SkipTLSVerify")
    """True to use TLS without verifying the engine's certificate."""


class _Meta(Struct, frozen=True, rename="pascal"):
    """A context's meta.json."""

    name: str = ""
    endpoints: Mapping[str, object] = field(default_factory=dict[str, object])


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
    meta = _decode(parse_json(content, whole=True), _Meta, "the document")
    endpoint = meta.endpoints.get("docker")
    if endpoint is None:
        raise ValueError("it has no docker endpoint")
    return _decode(endpoint, Stored, "docker")


def _decode(document: object, kind: type[S], name: str) -> S:
    decoded = decode(document, kind, name=name)
    for problem in decoded.problems.values():
        raise ValueError(problem)
    return decoded.value
