from __future__ import annotations

import pytest

from dockerproto import UploadFailed
from dockerproto.buildcontext.limits import DEFAULT_LIMITS, check_path

PATHS = ["a" * 4_095, "é" * 2_047 + "a", "\u20ac" * 1_365, "\U0001f600" * 1_023 + "abc", "\udcff" * 4_095]
"""The longest paths, of characters of one to four bytes, and of bytes that are not UTF-8."""


@pytest.mark.parametrize(
    "path", PATHS, ids=["one byte", "two bytes", "three bytes", "four bytes", "undecodable"]
)
def test_the_length_of_a_path_is_counted_in_bytes(path: str) -> None:
    assert DEFAULT_LIMITS.path == 4_095
    check_path(path)
    with pytest.raises(UploadFailed, match=r": the path has more than 4095 bytes; exclude "):
        check_path(f"{path}a")
