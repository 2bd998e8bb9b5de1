"""Addresses of one engine: its own, and that of a relay which makes it look like a later one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import pytest

from tests.testbed.private import PrivateEngine
from tests.testbed.without_upgrades import WithoutUpgrades

WAYS: Final = ["upgrades", "tunnels"]
"""Parameters of a fixture with `addresses`: the session of a build is a connection, or in a tunnel."""


class Address(NamedTuple):
    """An address."""

    url: str
    kept: int = 1
    """Sockets of this process that may stay open while a client is."""


def addresses(request: pytest.FixtureRequest, engine: PrivateEngine) -> Iterator[Address]:
    """Yield the address of the engine, for one way."""
    if request.param == "upgrades":
        yield Address(engine.url)
        return
    with WithoutUpgrades(engine.socket) as relay:
        yield Address(relay.url, kept=6)  # two connections of the client, each with two ends in the relay
