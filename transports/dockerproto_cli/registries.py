"""The commands on registries: search, login, logout."""

from __future__ import annotations

import getpass
import os
import sys
from typing import Final

from dockerproto.references import HUB, parse_registry
from dockerproto_cli.documents import Found, parse_document
from dockerproto_cli.formats import Rows, has_format, print_rows
from dockerproto_cli.local import truncated
from dockerproto_cli.printing import Invocation
from dockerproto_local.credentials import StoredCredentials

_LONGEST_PASSWORD: Final = 64 * 2**10
_OK: Final = {True: "[OK]", False: ""}
_SEARCH: Final = {
    "Name": "NAME",
    "Description": "DESCRIPTION",
    "StarCount": "STARS",
    "IsOfficial": "OFFICIAL",
    "IsAutomated": "AUTOMATED",
}


def search(invocation: Invocation) -> None:
    """List the repositories that a registry finds."""
    arguments = invocation.arguments
    results = invocation.docker.images.search(
        arguments.term, limit=arguments.limit, filters=invocation.filters()
    )
    if invocation.json:
        invocation.document(results)
        return
    rows = [
        {
            "Name": each.name,
            "Description": truncated(" ".join(each.description.split()), whole=arguments.no_trunc),
            "StarCount": str(each.star_count),
            "IsOfficial": _OK[each.is_official],
            "IsAutomated": _OK[each.is_automated],
        }
        for each in parse_document(results, list[Found])
    ]
    if has_format(invocation):
        print_rows(invocation, Rows(_SEARCH, rows))
        return
    shown = ("Name", "Description", "StarCount", "IsOfficial")
    invocation.table([_SEARCH[name] for name in shown], [[row[name] for name in shown] for row in rows])


def login(invocation: Invocation) -> None:
    """Verify credentials at a registry, and store them as the Docker CLI does."""
    arguments = invocation.arguments
    registry = arguments.registry or HUB
    username, password = arguments.username, arguments.password
    if arguments.password_stdin:
        if password is not None or username is None:
            raise ValueError("--password-stdin needs --username, and excludes --password")
        password = _read_password()
    elif not sys.stdin.isatty() and (username is None or password is None):
        raise ValueError("cannot ask for a password without a terminal: use -u and --password-stdin")
    username = username or _ask_username()
    password = password or getpass.getpass("Password: ")
    status = invocation.docker.login(registry, username, password, store=True)
    _report(invocation, status or "Login Succeeded")


def logout(invocation: Invocation) -> None:
    """Remove the credentials of a registry from where the Docker CLI stores them."""
    registry = parse_registry(invocation.arguments.registry or HUB)
    removed = StoredCredentials(os.environ).erase(registry)
    _report(invocation, f"{'Removed' if removed else 'No'} login credentials for {registry}")


def _report(invocation: Invocation, status: str) -> None:
    if invocation.json:
        invocation.document({"Status": status})
    else:
        invocation.line(status)


def _read_password() -> str:
    """Return standard input without its line end, as the Docker CLI does."""
    password = sys.stdin.read(_LONGEST_PASSWORD + 1)
    if len(password) > _LONGEST_PASSWORD:
        raise ValueError(f"a password must have at most {_LONGEST_PASSWORD} characters")
    return password.removesuffix("\n").removesuffix("\r")


def _ask_username() -> str:
    sys.stderr.write("Username: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip()
