"""The memory that an object keeps alive, counted and not traced: it costs nothing until it is asked for."""

from __future__ import annotations

import gc
import sys
from types import FunctionType, ModuleType

_SHARED = (type, ModuleType, FunctionType)


def retained(*roots: object) -> int:
    """Return the bytes of the objects that can be reached from some, without classes and functions."""
    seen, waiting, total = set[int](), list[object](roots), 0
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, _SHARED):
            continue
        seen.add(id(each))
        total += sys.getsizeof(each)
        waiting += gc.get_referents(each)
    return total
