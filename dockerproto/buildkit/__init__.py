"""BuildKit: the trace of a build, and sessions, in which the engine calls the client while it builds.

Of sessions nothing is loaded until a build needs one.
"""

from __future__ import annotations
