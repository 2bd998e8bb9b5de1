"""What BuildKit says and is told, as messages: the trace of a build."""

from __future__ import annotations
