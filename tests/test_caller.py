"""Warnings name the line of the program that called the library."""

from __future__ import annotations

import warnings
from typing import cast

import pytest

from dockerproto import AsyncImages
from dockerproto.caller import warn_caller
from dockerproto.client import Client


def test_the_line_that_called_a_deprecated_method() -> None:
    images = AsyncImages(cast("Client", None))  # nothing is sent
    with pytest.warns(DeprecationWarning, match="inspect") as caught:
        images.get("busybox").close()
    assert [each.filename for each in caught] == [__file__]


def test_each_line_warns_once_by_default() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(2):
            warn_caller("a")
        warn_caller("a")
    assert len({each.lineno for each in caught}) == len(caught) == 2
