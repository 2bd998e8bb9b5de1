"""Sessions: while it builds, the engine calls back for files, secrets, credentials and ssh agents."""

from __future__ import annotations
