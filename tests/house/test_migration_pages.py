"""The page for users of docker-py: each argument of its image calls is on it."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"
DOCKER_PY: Any = import_module("docker").APIClient
CALLS = [
    *(DOCKER_PY.build, DOCKER_PY.images, DOCKER_PY.inspect_distribution, DOCKER_PY.get_image),
    *(DOCKER_PY.import_image, DOCKER_PY.import_image_from_data, DOCKER_PY.import_image_from_file),
    *(DOCKER_PY.load_image, DOCKER_PY.prune_builds, DOCKER_PY.prune_images, DOCKER_PY.pull, DOCKER_PY.push),
    *(DOCKER_PY.remove_image, DOCKER_PY.search, DOCKER_PY.tag),
]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_each_argument_of_docker_py_is_on_its_page(call: Any) -> None:
    page = (DOCS / "migrating-from-docker-py.md").read_text()
    code = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`\n]+`", page))))
    assert inspect.signature(call).parameters.keys() - code == {"self"}
