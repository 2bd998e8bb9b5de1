"""What an engine says of itself."""

from __future__ import annotations

from dockerproto.answers import document
from dockerproto.models import EngineVersion
from dockerproto.operation import Call
from dockerproto.request import Request


def version() -> Call[EngineVersion]:
    """Return what the engine says of itself.

    Documented at https://docs.docker.com/reference/api/engine/#tag/System/operation/SystemVersion.
    """
    return document(Request(method="GET", path="/version"))
