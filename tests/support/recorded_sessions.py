"""Recorded connections between real engines and the Docker CLI or buildx, parsed into messages."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from hpack import Decoder

from tests.support.feeding import VECTORS

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
RECORDED: Final = ("docker-20.10", "docker-26.1")
"""Recordings of the Docker CLI: sessions."""
OF_BUILDX: Final = ("buildx-docker-20.10", "buildx-docker-26.1")
"""Recordings of buildx: sessions, and connections to the Control API."""
_DATA, _HEADERS = 0, 1


@dataclass
class Answers:
    """The messages of one side by stream, and the status codes of the calls that it ended."""

    messages: dict[int, list[bytes]] = field(default_factory=dict[int, list[bytes]])
    codes: dict[int, bytes] = field(default_factory=dict[int, bytes])


@cache
def sent_by(side: str, engine: str, connection: str = "session") -> bytes:
    """Return all bytes of a side, ``client`` or ``engine``, of a connection with an engine."""
    return b"".join(pieces_by(side, engine, connection))


def pieces_by(side: str, engine: str, connection: str = "session") -> list[bytes]:
    """Return them as they came: what answers the other side is in a piece of its own."""
    events: list[tuple[str, str]] = json.loads((VECTORS / engine / f"{connection}.json").read_text())
    return [base64.b64decode(data) for who, data in events if who == side]


def answers(wire: bytes) -> Answers:
    """Take the bytes of a side apart."""
    found, data, decoder = Answers(), dict[int, bytes](), Decoder()
    wire = wire.removeprefix(PREFACE)
    while wire:
        length, kind, stream = int.from_bytes(wire[:3]), wire[3], int.from_bytes(wire[5:9])
        payload, wire = wire[9 : 9 + length], wire[9 + length :]
        if kind == _DATA:
            data[stream] = data.get(stream, b"") + payload
        elif kind == _HEADERS:
            headers = dict(decoder.decode(payload, raw=True))
            found.codes |= {stream: headers[b"grpc-status"]} if b"grpc-status" in headers else {}
    found.messages = {stream: _messages(each) for stream, each in data.items()}
    return found


def _messages(data: bytes) -> list[bytes]:
    found: list[bytes] = []
    while data:
        end = 5 + int.from_bytes(data[1:5])
        found.append(data[5:end])
        data = data[end:]
    return found
