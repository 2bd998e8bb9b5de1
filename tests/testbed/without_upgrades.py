"""A relay that makes an engine look like a later one: HTTP/2 with prior knowledge, but no upgrades.

A connection that begins with the preface of HTTP/2 is switched at the engine by ``POST /grpc``: the bytes
after that are the same. All else is HTTP/1.1, without two requests, and with a later API version.
"""

import re
import socket
import threading
from pathlib import Path

from dockerproto_testing.replies import json_response

from .relay import PIECE, Pair, Relay
from .unix_http import ask

VERSION = b"1.53"
"""API version that the engine seems to have."""
GONE = (b"/grpc", b"/session")
"""Requests that it does not seem to know."""
_PREFACE = b"PRI * HTTP/2.0"
_REQUEST = re.compile(rb"[A-Z]+ /v" + re.escape(VERSION) + rb"(/[^ ?]*)")
SWITCH = b"POST /grpc HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
"""Request after which a connection to an engine speaks HTTP/2."""
_NOT_FOUND = json_response({"message": "page not found"}, 404)


class WithoutUpgrades(Relay):
    """The relay, inside the `with`.

    `opened` counts the connections by HTTP/2 with prior knowledge, `refused` has the requests that are gone.
    """

    def __init__(self, target: Path) -> None:
        super().__init__(target)
        self._version = ask(target, "GET", "/_ping").headers["api-version"].encode()
        self.refused: list[str] = []
        self.opened = 0

    def _pair(self, client: socket.socket, engine: socket.socket) -> Pair:
        return _Newer(client, engine, self, self._version)


class _Newer(Pair):
    """A connection of a client that takes the engine for a later one."""

    def __init__(
        self, client: socket.socket, engine: socket.socket, relay: WithoutUpgrades, version: bytes
    ) -> None:
        self._relay = relay
        self._version = version
        self._switched = threading.Event()
        self._switching = False
        super().__init__(client, engine)

    def cut(self) -> None:
        """Break both connections."""
        self._switched.set()
        super().cut()

    def carry_requests(self, client: socket.socket, engine: socket.socket) -> None:
        """Carry what the client sends, except what is gone."""
        data = client.recv(PIECE)
        if data.startswith(_PREFACE):
            self._relay.opened += 1
            self._switching = True
            engine.sendall(SWITCH)
            self._switched.wait()
        while data:
            match = None if self._switching else _REQUEST.match(data)
            if match is None:
                engine.sendall(data)
            elif match[1] in GONE:
                self._relay.refused.append(match[1].decode())
                client.sendall(_NOT_FOUND)
            else:
                engine.sendall(match[0].replace(VERSION, self._version, 1) + data[match.end() :])
            data = client.recv(PIECE)

    def carry_responses(self, engine: socket.socket, client: socket.socket) -> None:
        """Carry what the engine sends, except its response to the switch, and its version."""
        while data := engine.recv(PIECE):
            if not self._switching:
                data = data.replace(b"Api-Version: " + self._version, b"Api-Version: " + VERSION)
            elif not self._switched.is_set():
                while b"\r\n\r\n" not in data:
                    data += engine.recv(PIECE)
                data = data.partition(b"\r\n\r\n")[2]
                self._switched.set()
            client.sendall(data)
