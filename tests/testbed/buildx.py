"""The Docker CLI's buildx, from a tree of Debian's packages."""

from __future__ import annotations

import subprocess
from functools import cache
from typing import Final

from .trees import Tree

_TREE: Final = Tree("forky", ("docker-buildx",))
_PROGRAM: Final = "usr/libexec/docker/cli-plugins/docker-buildx"
_LOADER: Final = "usr/lib/*-linux-gnu*/ld-linux-*.so.*"


@cache
def buildx() -> tuple[str, ...]:
    """Return the command of buildx; empty if it does not run here, so that comparisons are left out.

    This machine's libc may be older than the tree's, so the tree's loader runs the program.
    """
    if _TREE.available() is not None:
        return ()
    root = _TREE.make()
    for loader in root.glob(_LOADER):
        command = (str(loader), "--library-path", str(loader.parent), str(root / _PROGRAM))
        if not subprocess.run((*command, "version"), check=False, capture_output=True).returncode:
            return command
    return ()
