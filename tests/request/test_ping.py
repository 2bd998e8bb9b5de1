"""Facts about an engine in the headers of its response to a ping."""

from __future__ import annotations

import pytest

from dockerproto import ProtocolViolated
from dockerproto.request.ping import Ping

UTF8: list[tuple[str | None, str | None, bool]] = [
    # API version, server, what its BuildKit requires
    ("1.41", "Docker/20.10.24+dfsg1 (linux)", False),
    ("1.45", "Docker/26.1.5+dfsg1 (linux)", False),
    ("1.47", "Docker/27.3.1 (linux)", False),
    ("1.47", "Docker/27.4.0 (linux)", True),
    ("1.51", "Docker/28.5.2+dfsg3 (linux)", True),
    ("1.55", "Docker/29.7.2 (linux)", True),
    (None, "Docker/29.7.2 (linux)", True),
    ("1.47", "Docker/dev (linux)", False),
    ("1.48", "Docker/dev (linux)", True),
    ("1.47", None, False),
    ("1.99", None, True),
    ("1.41", "Libpod/5.4.2 (linux)", False),
]


@pytest.mark.parametrize(("api_version", "server", "required"), UTF8)
def test_engines_that_require_utf8(api_version: str | None, server: str | None, required: bool) -> None:
    headers = {"api-version": api_version, "server": server}
    ping = Ping.of({name: value for name, value in headers.items() if value is not None})
    assert ping.requires_utf8 is required


@pytest.mark.parametrize("headers", [{}, {"api-version": "?"}])
def test_what_is_no_engine(headers: dict[str, str]) -> None:
    with pytest.raises(ProtocolViolated, match=r"^not a Docker Engine: "):
        _ = Ping.of(headers).requires_utf8
