"""Names of a package that are loaded when a program first uses them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module


def loader(package: str, **modules: str) -> Callable[[str], object]:
    """Return the ``__getattr__`` of a package, for names that its submodules define.

    >>> loader("dockerproto_asyncio", Registry="registry")("Registry").__module__
    'dockerproto_asyncio.registry'
    """

    def load(name: str) -> object:
        if name in modules:
            return getattr(import_module(f"{package}.{modules[name]}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return load
