"""What a build offers to the engine, by the words of the docker command."""

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
    """Read ``id=ID[,src=PATH|env=NAME]``; ``type=file`` or ``type=env`` say which a bare ID is.

    >>> read_secret("id=token,env=TOKEN")
    ('token', Secret(variable='TOKEN', path=None))

    Raises:
        ArgumentTypeError: It is no such text.
    """
    fields = _fields(text, _SECRET_FIELDS)
    name, kind = fields.get("id"), fields.get("type")
    path = fields.get("src", fields.get("source"))
    variable = fields.get("env")
    if not name:
        raise ArgumentTypeError(f"a secret has an id: {text!r}")
    if kind not in (None, *_KINDS):
        raise ArgumentTypeError(f"a secret is of type file or env, not {kind!r}")
    if path is not None and variable is not None:
        raise ArgumentTypeError(f"a secret is a file or a variable, not both: {text!r}")
    if path is not None and kind != "env":
        return name, Secret.from_file(path)
    if kind == "file" or (kind is None and variable is None and name not in os.environ):
        return name, Secret.from_file(name)
    return name, Secret.from_env(variable or path or name)


def read_agent(text: str) -> tuple[str, str | None]:
    """Read ``ID``, the agent of the environment, or ``ID=SOCKET``.

    >>> read_agent("default"), read_agent("other=/run/agent")
    (('default', None), ('other', '/run/agent'))

    Raises:
        ArgumentTypeError: It has no id, or more than one socket.
    """
    name, _, path = text.partition("=")
    if not name or "," in text:
        raise ArgumentTypeError(f"not ID or ID=SOCKET: {text!r}")
    return name, path or None


def read_output(text: str) -> Path | Tar:
    """Read the path of a directory, or ``type=local,dest=DIR``, or ``type=tar,dest=FILE``.

    >>> read_output("type=tar,dest=out.tar")
    Tar(path='out.tar')

    Raises:
        ArgumentTypeError: It is of another type, or goes nowhere.
    """
    fields = _fields(text, ("type", "dest")) if "=" in text else {"type": "local", "dest": text}
    kind, place = fields.get("type"), fields.get("dest")
    if kind not in ("local", "tar"):
        raise ArgumentTypeError(f"an output is of type local or tar, not {kind!r}")
    if not place or place == "-":
        raise ArgumentTypeError(f"an output has the path of a directory or a file as its dest: {text!r}")
    return Tar(place) if kind == "tar" else Path(place)


def _fields(text: str, known: Collection[str]) -> dict[str, str]:
    """Read NAME=VALUE, and more after commas; a field with a comma is quoted, as in CSV."""
    fields: dict[str, str] = {}
    for field in next(csv.reader([text]), list[str]()):
        name, equals, value = field.partition("=")
        if not equals or name.lower() not in known:
            raise ArgumentTypeError(f"not one of {', '.join(known)} with a value: {field!r}")
        fields[name.lower()] = value
    return fields
