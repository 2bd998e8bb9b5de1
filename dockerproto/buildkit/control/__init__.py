"""BuildKit's Control API: the client's calls of the engine, which has options that ``POST /build`` lacks."""

from __future__ import annotations
