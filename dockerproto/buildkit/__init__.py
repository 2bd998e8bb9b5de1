"""BuildKit: the engine calls back for files and secrets during a build, and the client calls its Control API.

Each room imports only the rooms below it: `control` (the client's calls), `session` (the engine's calls and
their services), `files` (file transfer in both directions), `rpc` (gRPC for either side, without I/O).
Nothing of this wing is loaded before a build needs it.
"""

from __future__ import annotations
