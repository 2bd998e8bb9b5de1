"""File transfer: select and send the files of a build context; validate and receive the output of a build."""

from __future__ import annotations
