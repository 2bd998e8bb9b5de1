"""BuildKit sessions: while it builds, the engine calls back for files, secrets, credentials and ssh agents.

This wing speaks gRPC without I/O and coordinates a session with its build; nothing of it is loaded before a
build needs a session.
"""

from __future__ import annotations
