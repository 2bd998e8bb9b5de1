"""Run a part of a test without root's permissions."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

_NOBODY: Final = 65_534


@contextmanager
def ordinary_user() -> Generator[None]:
    """Act as a user who may not read everything: as nobody instead of root, any other user unchanged."""
    user = os.geteuid()
    os.seteuid(user or _NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
