"""Advice for errors of which engines say too little to act on.

For calls that a registry refuses: which registry it is, and how to give it other credentials; engines say as
little as "no basic auth credentials" about a push. For an output with a name that the engine cannot send: the
form of output that may have it.
"""

from __future__ import annotations

import re
from typing import Final

from dockerproto.credentials.credentials import ANONYMOUS
from dockerproto.credentials.source import CallCredentials
from dockerproto.errors import DockerError, Unauthorized
from dockerproto.references import HUB, registry_of
from dockerproto.request.build import BuildKitBuild
from dockerproto.request.control_call import AnyRequest
from dockerproto.request.request import Request

_OF_PLUGIN: Final = "authorization denied by plugin"
"""Phrase of an authorization plugin of the engine, which no credentials of a registry change."""
_NOT_UTF8: Final = "string field contains invalid UTF-8"
"""Phrase of an engine, since Docker 27.4, that cannot send the name of a file; it does not say which file."""
_NAMES_OF_OUTPUT: Final = (
    "a file name or symlink target in the output is not UTF-8, which BuildKit of Docker 27.4 and later "
    "requires for a directory; a tar may contain any name: output=Tar(...)"
)
_URL: Final = re.compile(r"https?://([^/\s\"]{1,255})/v2/")
_IMAGE: Final = re.compile(
    r"(?:docker://|access denied for |resolve reference \"|source metadata for )([^\s\",]{1,4096})"
)


def advise(error: DockerError, request: AnyRequest, credentials: CallCredentials) -> None:
    """Add what helps: failures of credential helpers, and a hint."""
    credentials.explain(error)
    if _NOT_UTF8 in error.message and _has_output(request):
        error.hint = _NAMES_OF_OUTPUT
    if not isinstance(error, Unauthorized) or _OF_PLUGIN in error.message:
        return
    if not isinstance(request, Request):
        error.hint = _advice_for_build(error.message)
    elif request.purpose is not None:
        purpose, registry = request.purpose
        if credentials.found or request.auth not in (None, ANONYMOUS):
            error.hint = (
                f"{registry} did not accept the credentials to {purpose}: log in again with login(), "
                "or pass other ones as auth="
            )
        else:
            error.hint = f"to {purpose}, log in to {registry} with login(), or pass auth="


def _has_output(request: AnyRequest) -> bool:
    return isinstance(request, BuildKitBuild) and bool(request.attachments.outputs)


def _advice_for_build(message: str) -> str:
    registry = _registry_in(message)
    return registry and f"log in to {registry} with login(), or pass auth={{{registry!r}: ...}}"


def _registry_in(message: str) -> str:
    """Return the registry that an engine's message is about; empty if it names none."""
    if url := _URL.search(message):
        host = url[1]
        return HUB if host.endswith(f".{HUB}") else host
    image = _IMAGE.search(message)
    return registry_of(image[1]) if image else ""
