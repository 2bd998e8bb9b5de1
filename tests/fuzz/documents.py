"""Responses without an end: structured JSON, in chunks of any size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import repeat
from random import Random
from typing import Any, Final
from unittest.mock import patch

from dockerproto.errors import DockerError
from dockerproto.messages import decoding
from tests.fuzz.oracles import Excess, check
from tests.support.retained import retained

LIMIT: Final = 2**14
"""Limit of the decoders in bytes, lower than the real one, so that a case is short."""
_BASE: Final = 2**16
_OPENINGS: Final = (
    *("[", '{"a":', '["b",', '{"a":1,"b":[', '"c', "[[", '{"status":"'),
    *("[1,2,", '{"stream":"x","aux":{', " ", "\n", "1", '"', "\ufeff"),
)
_UNITS: Final = (
    *("1,", '"a",', "{},", "[],", '{"Id":"x"},', "null,", " ", "\n", "\r\n", '"', "a", "\\", "\\u0061"),
    *('{"status":"a"}\n', '{"status":"a"}', "[", '{"a":', "é", "1", "{}", '{"error":{}}\n', "<p>"),
)
_DECODERS: Final = ("Document", "Messages", "ErrorBody")


def play(random: Random) -> None:
    """Feed a document without an end to a decoder; it keeps no more than its limit."""
    name = random.choice(_DECODERS)
    factory: Any = getattr(decoding, name)
    with patch.multiple(decoding, DOCUMENT_LIMIT=LIMIT, ERROR_LIMIT=LIMIT):
        decoder = factory(500) if name == "ErrorBody" else factory(LIMIT)
        fed = 0
        with suppress(DockerError):
            for chunk in _chunks(random):
                fed += len(chunk)
                for _ in decoder.feed(chunk):
                    pass
                if fed > 16 * LIMIT:
                    break
        check(retained(decoder), min(fed, LIMIT), each=4, base=_BASE, of=f"bytes kept by {name}")
        if fed > 16 * LIMIT and name != "Messages":  # which may be many, or blank lines
            raise Excess(f"{name} takes {fed} bytes without an error")


def _chunks(random: Random) -> Iterator[bytes]:
    text = "".join(random.choices(_OPENINGS, k=random.randrange(4)))
    unit = "".join(random.choices(_UNITS, k=random.randint(1, 4)))
    size = random.choice((1, 7, 100, 1000, 5000))
    yield text.encode(errors="replace") or b"["
    data = (unit * (1 + size // len(unit))).encode()
    yield from repeat(data[:size] if random.random() < 0.3 else data)
