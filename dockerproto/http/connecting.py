"""Messages of failed connections: the address, its origin, the reason, and what a person may do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from errno import EACCES, ECONNREFUSED, ENOENT, EPERM
from typing import Final

from msgspec import Struct

from dockerproto.endpoint.addresses import SSH, TCP, Address, Command, Proxied, UnixSocket
from dockerproto.errors import ConnectionFailed, TimedOut
from dockerproto.timeouts import Timer

ENGINE: Final = "the engine"
"""Name of an engine in messages."""
_RUNNING: Final = "is the engine running?"
_GROUP: Final = "is this user in the group `docker`?"
_TLS: Final = "does this port use TLS?"
_REFUSED: Final = ("connection refused", _RUNNING)
_NO_HANDSHAKE: Final = ("closed during the TLS handshake", _TLS)
_ADVICE: Final[Mapping[type[Address], Mapping[object, tuple[str, str]]]] = {
    UnixSocket: {
        ENOENT: ("no such file or directory", _RUNNING),
        ECONNREFUSED: _REFUSED,
        EACCES: ("permission denied", _GROUP),
        EPERM: ("operation not permitted", _GROUP),
    },
    TCP: {
        ECONNREFUSED: _REFUSED,
        # Reasons of the ssl module: the peer has sent something else than TLS, or nothing.
        "WRONG_VERSION_NUMBER": ("the response is not TLS", _TLS),
        "UNEXPECTED_EOF_WHILE_READING": _NO_HANDSHAKE,
        "SSLZeroReturnError": _NO_HANDSHAKE,  # the exception of older Pythons, such as 3.11.2, has no reason
    },
    Proxied: {ECONNREFUSED: ("connection refused", "is the proxy running?")},
    SSH: {ENOENT: ("the program ssh is missing", "is OpenSSH installed?")},
}
"""Reason and advice by kind of address, and by errno, reason or class of the error."""
_ALERT: Final = re.compile(r"tlsv[0-9]+ alert [a-z ]+[a-z]")
_DAEMON: Final = "is buildkitd running?"
_SOCKET: Final = "may this user use the socket?"
_ADVICE_ON_DAEMONS: Final[Mapping[type[Address], Mapping[object, tuple[str, str]]]] = {
    UnixSocket: {
        ENOENT: ("no such file or directory", _DAEMON),
        ECONNREFUSED: ("connection refused", _DAEMON),
        EACCES: ("permission denied", _SOCKET),
        EPERM: ("operation not permitted", _SOCKET),
    },
    TCP: {
        **_ADVICE[TCP],
        ECONNREFUSED: ("connection refused", _DAEMON),
        "TLSV1_ALERT_NO_APPLICATION_PROTOCOL": ("the server refuses HTTP/2", "is it a BuildKit daemon?"),
        "TLSV13_ALERT_CERTIFICATE_REQUIRED": (
            "the daemon requires a certificate of the client",
            "pass tls=TLS(certificate=..., key=...)",
        ),
    },
    Command: {
        ENOENT: ("the program {} is missing", "is it installed, and in PATH?"),
        EACCES: ("the program {} may not be run", "is it executable?"),
    },
}
"""The same for daemons of BuildKit; ``{}`` stands for the program of a command."""


class Target(Struct, frozen=True):
    """The address that connections are made to, and its origin."""

    address: Address
    """Address of the engine, or the way to it."""
    origin: str = ""
    """Source of the address as a phrase, see `Endpoint.origin`; empty if unknown."""
    peer: str = ENGINE
    """Name of the server in messages."""
    daemon: bool = False
    """True for a BuildKit daemon, about which the advice is different."""

    def __str__(self) -> str:
        return f"{self.address} ({self.origin})" if self.origin else str(self.address)

    def message(self, reason: str) -> str:
        """Return the message of a failed connection."""
        return f"cannot connect to {self}: {reason}"

    def error(self, error: OSError) -> ConnectionFailed:
        """Return the exception for an error of the operating system."""
        return ConnectionFailed(0, self.message(_reason(error, self).replace(ENGINE, self.peer)))

    def timeout_error(self, timer: Timer) -> TimedOut:
        """Return the exception for an attempt that took too long."""
        return TimedOut(0, self.message(timer.timeout_error("connect").message))


def _alert_of(error: OSError) -> str | None:
    """Return the name of an alert of TLS, which errors of Python 3.11 have only in their text."""
    alert = _ALERT.search(str(error))
    return None if alert is None else alert[0].upper().replace(" ", "_")


def _reason(error: OSError, target: Target) -> str:
    table, address = _ADVICE_ON_DAEMONS if target.daemon else _ADVICE, target.address
    advice = table.get(type(address), {})
    for fact in (error.errno, getattr(error, "reason", None), type(error).__name__, _alert_of(error)):
        if fact in advice:
            return "; ".join(advice[fact]).format(getattr(address, "program", ""))
    if error.filename or not error.strerror:
        return str(error) or type(error).__name__
    first, second = error.strerror[:1], error.strerror[1:2]  # "No route to host", but "SSL"
    return (first.lower() if second.islower() else first) + error.strerror[1:]
