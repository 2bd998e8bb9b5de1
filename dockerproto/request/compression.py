"""Compression of the layers that a build exports, as data."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

ImageCompression: TypeAlias = Literal["uncompressed", "gzip", "estargz", "zstd"]
"""Compression of the layers of an image or a cache."""


def compression_attributes(
    owner: str, compression: ImageCompression | None, level: int | None, *, force: bool
) -> dict[str, str]:
    """Return the attributes of an exporter; `owner` names the argument in errors.

    >>> compression_attributes("an Image", "zstd", 3, force=False)
    {'compression': 'zstd', 'compression-level': '3'}

    Raises:
        TypeError: The level is not an int.
        ValueError: The compression is unknown.
    """
    if compression not in (None, *get_args(ImageCompression)):
        known = ", ".join(get_args(ImageCompression))
        raise ValueError(f"compression of {owner} must be one of {known}, not {compression!r}")
    if isinstance(level, bool) or not isinstance(level, int | None):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"compression_level must be an int, not {type(level).__name__}")
    values = {
        "compression": compression,
        "compression-level": None if level is None else str(level),
        "force-compression": "true" if force else None,
    }
    return {name: value for name, value in values.items() if value is not None}
