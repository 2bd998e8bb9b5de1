"""Parse ``--secret``, ``--ssh`` and ``--output`` of a build, with the syntax of the Docker CLI."""

from __future__ import annotations

import csv
import os
from argparse import ArgumentTypeError
from collections.abc import Collection
from pathlib import Path
from typing import Final

from dockerproto import Secret, Tar

_SOURCES: Final = ("src", "source")
_KINDS: Final = ("file", "env")
_SECRET_FIELDS: Final = ("id", "type", "env", *_SOURCES)


def read_secret(text: str) -> tuple[str, Secret]:
    """Parse ``id=ID[,src=PATH|env=NAME]``; ``type=file`` or ``type=env`` selects the meaning of a bare ID.

    >>> read_secret("id=token,env=TOKEN")
    ('token', Secret(variable='TOKEN', path=None))

    Raises:
        ArgumentTypeError: The text is malformed.
    """
    fields = _fields(text, _SECRET_FIELDS)
    name, kind = fields.get("id"), fields.get("type")
    path = fields.get("src", fields.get("source"))
    variable = fields.get("env")
    if not name:
        raise ArgumentTypeError(f"a secret needs an id, as in id=NAME, not {text!r}")
    if kind not in (None, *_KINDS):
        raise ArgumentTypeError(f"the type of a secret must be file or env, not {kind!r}")
    if path is not None and variable is not None:
        raise ArgumentTypeError(f"a secret must be a file or a variable, not both: {text!r}")
    if path is not None and kind != "env":
        return name, Secret.from_file(path)
    if kind == "file" or (kind is None and variable is None and name not in os.environ):
        return name, Secret.from_file(name)
    return name, Secret.from_env(variable or path or name)


def read_agent(text: str) -> tuple[str, str | None]:
    """Parse ``ID``, which means the agent of the environment, or ``ID=SOCKET``.

    >>> read_agent("default"), read_agent("other=/run/agent")
    (('default', None), ('other', '/run/agent'))

    Raises:
        ArgumentTypeError: The id is missing, or there are several sockets.
    """
    name, _, path = text.partition("=")
    if not name or "," in text:
        raise ArgumentTypeError(f"must be ID or ID=SOCKET, not {text!r}")
    return name, path or None


def read_output(text: str) -> Path | Tar:
    """Parse the path of a directory, ``type=local,dest=DIR`` or ``type=tar,dest=FILE``.

    >>> read_output("type=tar,dest=out.tar")
    Tar(path='out.tar')

    Raises:
        ArgumentTypeError: The type is unsupported, or the destination is missing.
    """
    fields = _fields(text, ("type", "dest")) if "=" in text else {"type": "local", "dest": text}
    kind, path = fields.get("type"), fields.get("dest")
    if kind not in ("local", "tar"):
        raise ArgumentTypeError(f"the type of an output must be local or tar, not {kind!r}")
    if not path or path == "-":
        raise ArgumentTypeError(f"the dest of an output must be the path of a directory or file: {text!r}")
    return Tar(path) if kind == "tar" else Path(path)


def _fields(text: str, known: Collection[str]) -> dict[str, str]:
    """Parse NAME=VALUE fields separated by commas; a field with a comma is quoted, as in CSV."""
    fields: dict[str, str] = {}
    for field in next(csv.reader([text]), list[str]()):
        name, equals, value = field.partition("=")
        if not equals or name.lower() not in known:
            raise ArgumentTypeError(f"must be one of {', '.join(known)} with a value, not {field!r}")
        fields[name.lower()] = value
    return fields
