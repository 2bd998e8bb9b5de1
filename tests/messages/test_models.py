"""Models: of what engines stream, and at run time. Those of documents are in `test_empty_fields`."""

from __future__ import annotations

import json
from typing import Any, get_type_hints

import pytest

from dockerproto.messages import models
from dockerproto.messages.models import Message, ProgressDetail
from tests.support.feeding import recorded
from tests.testbed.recordings import ENGINES

DOCKERS = [engine for engine in ENGINES if engine.startswith("docker")]

STREAMS = [
    "pull-ok",
    "push-ok",
    "build-classic-ok",
    "build-buildkit-ok",
    "load-ok-not-quiet",
    "import-stdin-ok",
]


@pytest.mark.parametrize("engine", DOCKERS)
@pytest.mark.parametrize("operation", STREAMS)
def test_models_name_what_docker_streams(engine: str, operation: str) -> None:
    messages = [json.loads(line) for line in recorded(engine, operation).body.splitlines()]
    assert messages
    for message in messages:
        assert message.keys() <= Message.__optional_keys__
        assert message.get("progressDetail", {}).keys() <= ProgressDetail.__optional_keys__


def _models() -> list[Any]:
    return [each for each in vars(models).values() if hasattr(each, "__required_keys__")]


@pytest.mark.parametrize("model", _models(), ids=lambda model: model.__name__)
def test_types_of_models_can_be_asked_for_at_run_time(model: Any) -> None:
    hints = get_type_hints(model, include_extras=True)
    assert hints.keys() == model.__required_keys__ | model.__optional_keys__
    assert [name for name, hint in hints.items() if isinstance(hint, str)] == []
