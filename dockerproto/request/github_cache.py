"""The cache of GitHub Actions, as data; its address and its token are those of the job unless they are given.

The variables and the attributes are those of the Docker CLI's buildx, documented at
https://docs.docker.com/build/cache/backends/gha/.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

from dockerproto.redacted import Redacted, hides_frames

GITHUB: Final = "gha"
_TRUE: Final = ("1", "t", "T", "true", "TRUE", "True")
_TOKEN: Final = "ACTIONS_RUNTIME_TOKEN"  # noqa: S105  # name of a variable
_FIRST_URLS: Final = ("ACTIONS_CACHE_URL", "ACTIONS_RESULTS_URL")
"""Variables that may have the address of the cache, in either version."""
_SECOND_URL: Final = "ACTIONS_RESULTS_URL"
"""Variable that has the address of the second version."""
_SECOND_VERSION: Final = "ACTIONS_CACHE_SERVICE_V2"
"""Variable that is true if the cache has the second version."""


class GitHubCache(Redacted, frozen=True):
    """The cache of GitHub Actions; repr() omits the token.

    Without an address and a token, such as outside of a job, the cache is left out.

    >>> GitHubCache("main", token="hush")
    GitHubCache(scope='main', mode=None, url=None, version=None, timeout=None, ignore_error=False)
    """

    _hidden = ("token",)

    scope: str | None = None
    """Name that tells caches of a repository apart; the engine's default is ``buildkit``."""
    mode: Literal["min", "max"] | None = None
    """Steps to export; the engine's default is ``min``. Only for ``cache_to``."""
    url: str | None = None
    """Address of the cache; None: that of the job, ``$ACTIONS_CACHE_URL`` or ``$ACTIONS_RESULTS_URL``."""
    token: str | None = None
    """Token; None: that of the job, ``$ACTIONS_RUNTIME_TOKEN``."""
    version: Literal[1, 2] | None = None
    """Version of the protocol; None: that of the job, or the engine's choice for `url`."""
    timeout: float | None = None
    """Seconds for reading or writing the cache; the engine's default is ten minutes."""
    ignore_error: bool = False
    """True if a failed export does not fail the build. Only for ``cache_to``."""


@hides_frames
def github_attributes(cache: GitHubCache) -> dict[str, str]:
    """Return the attributes of a cache that its arguments have, except `mode` and `ignore_error`.

    Raises:
        TypeError: An argument has another type.
        ValueError: An argument is invalid.
    """
    for name in ("scope", "url", "token"):
        if not isinstance(value := getattr(cache, name), str | None):
            raise TypeError(f"{name} of a GitHubCache must be a str, not {type(value).__name__}")
    if cache.version not in (None, 1, 2):
        raise ValueError(f"version of a GitHubCache must be 1 or 2, not {cache.version!r}")
    second = cache.version == 2  # noqa: PLR2004  # a name would say no more
    values = {
        "scope": cache.scope,
        "url": None if second else cache.url,
        "url_v2": cache.url if second else None,
        "token": cache.token,
        "version": None if cache.version is None else str(cache.version),
        "timeout": _duration(cache.timeout),
    }
    return {name: value for name, value in values.items() if value is not None}


@hides_frames
def of_job(attributes: Mapping[str, str], environment: Callable[[str], str | None]) -> dict[str, str] | None:
    """Return the attributes of a cache with the address and the token of the job; None without those.

    >>> variables = {"ACTIONS_CACHE_URL": "https://c/", "ACTIONS_RUNTIME_TOKEN": "t"}
    >>> of_job({"scope": "a"}, variables.get)
    {'token': 't', 'url': 'https://c/', 'scope': 'a'}
    """
    found = {"token": environment(_TOKEN)}
    if "url" not in attributes and "url_v2" not in attributes:
        found |= _urls(attributes.get("version"), environment)
    filled = {**{name: value for name, value in found.items() if value}, **attributes}
    complete = filled.get("token") and (filled.get("url") or filled.get("url_v2"))
    return filled if complete else None


def _urls(version: str | None, environment: Callable[[str], str | None]) -> dict[str, str | None]:
    second = version == "2" if version else environment(_SECOND_VERSION) in _TRUE
    url = next(filter(None, map(environment, _FIRST_URLS)), None)
    return {"url": url, "url_v2": environment(_SECOND_URL) if second else None}


def _duration(seconds: float | None) -> str | None:
    """Return a time in the syntax of Go.

    >>> _duration(90), _duration(0.5)
    ('90000ms', '500ms')
    """
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"timeout of a GitHubCache must be a number of seconds, not {type(seconds).__name__}")
    if not 0 < seconds < float("inf"):
        raise ValueError(f"timeout of a GitHubCache must be a positive number of seconds, not {seconds}")
    return f"{max(1, round(seconds * 1000))}ms"
