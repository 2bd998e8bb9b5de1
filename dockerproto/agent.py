"""The version of the library, and the header that names it in every request."""

from __future__ import annotations

from typing import Final

__version__ = "0.1.0"

AGENT: Final = ("User-Agent", f"dockerproto/{__version__}")
"""Header that names the library and its version."""
