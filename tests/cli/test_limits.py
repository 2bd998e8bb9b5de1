"""Sizes and ulimits in arguments."""

from __future__ import annotations

from argparse import ArgumentTypeError

import pytest

from dockerproto_cli.limits import read_size, read_ulimit

SIZES = {
    "0": 0,
    "10b": 10,
    "1k": 1024,
    "2KB": 2048,
    "1.5m": 3 * 2**19,
    "1 g": 2**30,
    "1tib": 2**40,
    "1P": 2**50,
}


@pytest.mark.parametrize("text", SIZES)
def test_sizes(text: str) -> None:
    assert read_size(text) == SIZES[text]


@pytest.mark.parametrize("text", ["", "-1", "g", "1x", "1.", "1e3", "\u0661k"])
def test_malformed_sizes(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match=r"must be a size such as 512, 64m or 1\.5g, not "):
        read_size(text)


@pytest.mark.parametrize(
    ("text", "limits"), [("nofile=5", (5, 5)), ("nproc=-1", (-1, -1)), ("core=1:-1", (1, -1))]
)
def test_ulimits(text: str, limits: tuple[int, int]) -> None:
    assert read_ulimit(text) == (text.partition("=")[0], limits)


@pytest.mark.parametrize("text", ["", "nofile", "nofile=", "nofile=a", "=5", "nofile=1:2:3", "nofile=1:"])
def test_malformed_ulimits(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="must be NAME=SOFT or NAME=SOFT:HARD, not "):
        read_ulimit(text)
