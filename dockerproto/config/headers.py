"""Custom headers sent with every request, for example to an authenticating proxy in front of the engine.

As with the Docker CLI, they come from the program, or else from ``DOCKER_CUSTOM_HEADERS``, or else from
``HttpHeaders`` in config.json. They may contain secrets, so no error quotes a value.
Described at https://docs.docker.com/reference/cli/docker/#custom-http-headers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from dockerproto.agent import AGENT
from dockerproto.arguments import strings_by_name
from dockerproto.config.config_file import ConfigFile
from dockerproto.errors import InvalidHeader

Headers: TypeAlias = tuple[tuple[str, str], ...]
"""Names and values."""

VARIABLE: Final = "DOCKER_CUSTOM_HEADERS"
"""Environment variable with headers: ``name=value``, separated by commas, quoted as CSV."""
_MEMBER: Final = "HttpHeaders"
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e]*")
_RESERVED: Final = frozenset(
    {"connection", "content-length", "host", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers that frame a request; only the library sets them."""


def merge_headers(own: Iterable[tuple[str, str]], custom: Headers) -> list[tuple[str, str]]:
    """Return the headers of a request: its own first, then the custom ones that it does not have.

    >>> merge_headers([("Host", "docker")], (("host", "evil"), ("X-Team", "blue")))  # doctest: +ELLIPSIS
    [('Host', 'docker'), ('X-Team', 'blue'), ('User-Agent', 'dockerproto/...')]
    """
    headers = [*own]
    taken = {name.lower() for name, _ in headers}
    for each in (*custom, AGENT):
        if (name := each[0].lower()) not in taken:
            taken.add(name)
            headers.append(each)
    return headers


def check_headers(headers: Mapping[str, str]) -> Headers:
    """Return the custom headers of a program, which may include its User-Agent.

    >>> check_headers({"X-Team": " blue ", "User-Agent": "deployer/1"})
    (('X-Team', 'blue'), ('User-Agent', 'deployer/1'))

    Raises:
        InvalidHeader: A header cannot be sent, or only the library may set it.
        TypeError: The argument is not a mapping of str to str.
    """
    checked = _check(strings_by_name("headers", headers).items(), "headers=")
    for name, _ in checked:
        if name.lower() in _RESERVED:
            raise InvalidHeader(0, f"headers=: the header {name!r} is reserved: the library sets it")
    return checked


def parse_variable(text: str) -> Headers:
    """Parse the value of `VARIABLE`.

    >>> parse_variable('a=b,"c=d,e"')
    (('a', 'b'), ('c', 'd,e'))

    Raises:
        InvalidHeader: It is malformed.
    """
    from csv import Error, reader  # noqa: PLC0415  # rarely set

    try:
        fields = next(reader(text.splitlines(keepends=True), strict=True))
    except Error:
        raise InvalidHeader(0, f"{VARIABLE} must be CSV") from None
    pairs = [each.partition("=") for each in fields]
    if not all(name.strip() and equals for name, equals, _ in pairs):
        raise InvalidHeader(0, f"{VARIABLE} must consist of name=value, separated by commas")
    return _check_users(((name.strip(), value) for name, _, value in pairs), VARIABLE)


def file_headers(config: ConfigFile) -> Headers:
    """Return the custom headers of config.json.

    Raises:
        InvalidHeader: A header cannot be sent.
        ValueError: The file has a value of a wrong type there.
    """
    if problem := config.problem(_MEMBER):
        raise ValueError(problem)
    return _check_users(config.http_headers.items(), _MEMBER)


def _check_users(pairs: Iterable[tuple[str, str]], where: str) -> Headers:
    """Check headers that a user has set for the Docker CLI; leave out those that frame requests.

    Like the Docker CLI, leave out the User-Agent too: each program has its own.
    """
    dropped = {*_RESERVED, AGENT[0].lower()}
    return _check([(name, value) for name, value in pairs if name.lower() not in dropped], where)


def _check(pairs: Iterable[tuple[str, str]], where: str) -> Headers:
    headers = dict[str, tuple[str, str]]()  # of names that differ only in case, the last counts
    for name, value in pairs:
        if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value)):
            raise InvalidHeader(0, f"{where}: the header {name!r} cannot be sent")
        headers[name.lower()] = (name, value.strip())
    return (*headers.values(),)
