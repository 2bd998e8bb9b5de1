"""The keyword arguments of clients: one signature for all, and hints for unknown names."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Concatenate, Final, ParamSpec, TypeVar

from dockerproto.redacted import hides_frames

P = ParamSpec("P")
T = TypeVar("T")
C = TypeVar("C")

_OTHER_NAMES: Final[Mapping[str, str]] = {
    "address": "url",
    "auth": "credentials",
    "base_url": "url",
    "ca_cert": "tls",
    "cert_path": "tls",
    "client_cert": "tls",
    "connector": "transport",
    "context_name": "context",
    "credstore_env": "credentials",
    "docker_host": "url",
    "host": "url",
    "http_headers": "headers",
    "http_proxy": "proxy",
    "https_proxy": "proxy",
    "session": "transport",
    "socket_path": "url",
    "ssl": "tls",
    "ssl_context": "tls",
    "tls_config": "tls",
    "tls_verify": "tls",
    "uri": "url",
    "url": "address",
    "user_agent": "headers",
    "verify": "tls",
    "version": "api_version",
}
"""Names of arguments in other libraries, and the one that does the same here."""


def arguments_of(
    configure: Callable[P, T],
) -> Callable[[Callable[[C, T], None]], Callable[Concatenate[C, P], None]]:
    """Let an ``__init__`` take the arguments of a function, and receive its result.

    The method has the signature and the docstring of the function. An unknown keyword raises a TypeError that
    names the right one.
    """
    signature = inspect.signature(configure)
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)

    def decorate(init: Callable[[C, T], None]) -> Callable[Concatenate[C, P], None]:
        @wraps(configure, assigned=("__doc__",))
        def __init__(self: C, /, *args: P.args, **kwargs: P.kwargs) -> None:  # noqa: N807
            init(self, configure(*args, **kwargs))

        parameters = [itself, *signature.parameters.values()]
        vars(__init__)["__signature__"] = signature.replace(parameters=parameters, return_annotation=None)
        return explain_unknown(__init__)

    return decorate


def explain_unknown(init: Callable[P, None]) -> Callable[P, None]:
    """Let an ``__init__`` raise a TypeError for an unknown keyword that names the right one, if it can."""
    known = inspect.signature(init).parameters

    initialize = hides_frames(init)

    @wraps(init)
    def checked(*args: P.args, **kwargs: P.kwargs) -> None:
        for name in kwargs:
            if name not in known:
                message = f"{type(args[0]).__name__}() got an unexpected keyword argument {name!r}"
                del args, kwargs
                raise TypeError(message + _hint(name, known))
        try:
            initialize(*args, **kwargs)
        finally:
            del args, kwargs  # which may contain credentials, and tracebacks may show variables

    return checked


def _hint(name: str, known: Iterable[str]) -> str:
    """Return what follows in the message: the keyword to use, "" if none is known."""
    from difflib import get_close_matches  # noqa: PLC0415  # only for an error

    ours = _OTHER_NAMES.get(name, "")
    if ours in known:
        return f"; use {ours}="
    similar = get_close_matches(name, known, n=1)
    return f"; did you mean {similar[0]}=?" if similar else ""
