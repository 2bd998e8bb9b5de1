"""Headers that a user wants on every request, for what stands before the engine: a proxy that asks who it is.

They are those of the program, else of ``DOCKER_CUSTOM_HEADERS``, else of ``HttpHeaders`` in config.json, as
for the docker command. There may be secrets in them, so no error quotes a value.
Described at https://docs.docker.com/reference/cli/docker/#custom-http-headers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from dockerproto.agent import AGENT
from dockerproto.arguments import strings_by_name
from dockerproto.config.gojson import GoObject, read_go_object, typed
from dockerproto.errors import InvalidHeader

Headers: TypeAlias = tuple[tuple[str, str], ...]
"""Names and values."""

VARIABLE: Final = "DOCKER_CUSTOM_HEADERS"
"""The variable that has headers, ``name=value`` with commas between them, quoted as CSV."""
_MEMBER: Final = "HttpHeaders"
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e]*")
_OURS: Final = frozenset({"connection", "content-length", "host", "trailer", "transfer-encoding", "upgrade"})
"""What frames requests, and is nobody's to choose."""


def joined(own: Iterable[tuple[str, str]], users: Headers) -> list[tuple[str, str]]:
    """Return the headers of a request: its own before those that are for every request.

    >>> joined([("Host", "docker")], (("host", "evil"), ("X-Team", "blue")))  # doctest: +ELLIPSIS
    [('Host', 'docker'), ('X-Team', 'blue'), ('User-Agent', 'dockerproto/...')]
    """
    headers = [*own]
    taken = {name.lower() for name, _ in headers}
    for each in (*users, AGENT):
        if (name := each[0].lower()) not in taken:
            taken.add(name)
            headers.append(each)
    return headers


def checked_headers(headers: Mapping[str, str]) -> Headers:
    """Return the headers of a program, which may say what it is called too.

    >>> checked_headers({"X-Team": " blue ", "User-Agent": "deployer/1"})
    (('X-Team', 'blue'), ('User-Agent', 'deployer/1'))

    Raises:
        InvalidHeader: One of them cannot be sent, or is not a user's to choose.
        TypeError: They are no mapping of str to str.
    """
    checked = _checked(strings_by_name("headers", headers).items(), "headers=")
    for name, _ in checked:
        if name.lower() in _OURS:
            raise InvalidHeader(0, f"headers=: the header {name!r} is not a program's to choose")
    return checked


def read_variable(text: str) -> Headers:
    """Return the headers that `VARIABLE` says.

    >>> read_variable('a=b,"c=d,e"')
    (('a', 'b'), ('c', 'd,e'))

    Raises:
        InvalidHeader: It is of another form.
    """
    from csv import Error, reader  # noqa: PLC0415  # few have it

    try:
        fields = next(reader(text.splitlines(keepends=True), strict=True))
    except Error:
        raise InvalidHeader(0, f"{VARIABLE} is no CSV") from None
    pairs = [each.partition("=") for each in fields]
    if not all(name.strip() and equals for name, equals, _ in pairs):
        raise InvalidHeader(0, f"{VARIABLE} has something that is not name=value")
    return _users(((name.strip(), value) for name, _, value in pairs), VARIABLE)


def read_headers(config: bytes) -> Headers:
    """Return the headers that a config.json says.

    Raises:
        InvalidHeader: One of them cannot be sent.
        ValueError: It is no JSON object, or has something else there.
    """
    members: GoObject = read_go_object(config).member(_MEMBER, GoObject) or GoObject()
    return _users([(name, typed(value, _MEMBER, str) or "") for name, value in members], _MEMBER)


def _users(pairs: Iterable[tuple[str, str]], where: str) -> Headers:
    """Return the headers that a user has for the docker command, but for those that frame requests.

    What a program is called is dropped too, as the docker command does: programs choose that themselves.
    """
    dropped = {*_OURS, AGENT[0].lower()}
    return _checked([(name, value) for name, value in pairs if name.lower() not in dropped], where)


def _checked(pairs: Iterable[tuple[str, str]], where: str) -> Headers:
    headers = dict[str, tuple[str, str]]()  # of several that differ in case only, the last counts
    for name, value in pairs:
        if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value)):
            raise InvalidHeader(0, f"{where}: the header {name!r} cannot be sent")
        headers[name.lower()] = (name, value.strip())
    return (*headers.values(),)
