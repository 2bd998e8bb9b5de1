"""Every regular expression of the library takes linear time, whatever the text.

The patterns are found by walking the modules, so a new one is tested without being named here.
"""

from __future__ import annotations

import re
import time
from typing import Final

import pytest

from tests.support.patterns import Use, free_uses, worst_texts

SIZE: Final = 512
FACTOR: Final = 8
BOUND: Final = 3.0
"""A text that is `FACTOR` times as long costs at most `BOUND` times as much for each character.

A quadratic pattern costs `FACTOR` times as much.
"""


def cost(use: Use, text: str, times: int) -> float:
    """Return the CPU time of this thread that a text costs."""
    start = time.thread_time()
    for _ in range(times):
        use.apply(text)
    return time.thread_time() - start


def is_linear(use: Use, short: str, long: str) -> bool:
    """Return True if at least one of several comparisons is within the bound; the machine may be busy."""
    return any(cost(use, long, 1) <= BOUND * cost(use, short, FACTOR) for _ in range(5))


@pytest.mark.parametrize("use", free_uses(), ids=lambda use: f"{use.where} {use.method}"[:60])
def test_a_pattern_takes_linear_time(use: Use) -> None:
    texts = zip(worst_texts(use.pattern, SIZE), worst_texts(use.pattern, SIZE * FACTOR), strict=True)
    assert next((short for short, long in texts if not is_linear(use, short, long)), None) is None


@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r"[:@]\S+: not found$", "search"),
        (r"target stage .* could not be found", "search"),
        (r"\A[ \t]+|[ \t]+\Z", "sub"),
        (r"[0-9a-f:.]*:[0-9a-f:.]*", "fullmatch"),
        (r"\[(?:\\.|[^\\\]])+\]|.", "finditer"),
        (r"(\S+): digest: ", "search"),
        (r"<[^>]*>", "sub"),
    ],
)
def test_a_quadratic_pattern_is_found(pattern: str, method: str) -> None:
    use = Use("", re.compile(pattern), method)
    texts = zip(worst_texts(use.pattern, SIZE), worst_texts(use.pattern, SIZE * FACTOR), strict=True)
    assert not all(is_linear(use, short, long) for short, long in texts)
