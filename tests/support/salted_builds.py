"""Builds for tests of caches: with a step that no earlier build had, and without a base image."""

from __future__ import annotations

import shutil
import time
from typing import Any, Final

import pytest

from dockerproto import CacheOnly

_DOCKERFILE: Final = "FROM scratch\nCOPY bin /bin/\nARG SALT\nRUN echo $SALT > /salt\n"


def salted_build(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return arguments of a build with a step that no earlier build had.

    It has no base image, as those of the engines differ, and so do the keys of the steps on them.
    """
    project = tmp_path_factory.mktemp("project")
    (project / "bin").mkdir()
    shutil.copy("/bin/busybox", project / "bin/sh")
    (project / "Dockerfile").write_text(_DOCKERFILE)
    salt = {"SALT": str(time.time_ns())}
    return {"path": project, "buildargs": salt, "outputs": CacheOnly(), "network_mode": "host"}
