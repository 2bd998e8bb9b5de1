"""Content stores: blobs of caches and images in directories, which the engine reads and writes."""

from __future__ import annotations
