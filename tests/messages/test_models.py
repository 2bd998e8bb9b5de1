"""The shapes of answers: lists that engines give as null, and that the models name what engines send."""

from __future__ import annotations

import copy
import json
from typing import Any, NotRequired, cast, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dockerproto.messages import models
from dockerproto.messages.models import (
    LISTS,
    BuildsPruned,
    DeletedImage,
    DistributionInspect,
    EngineVersion,
    HistoryEntry,
    ImageInspect,
    ImagesPruned,
    ImageSummary,
    Message,
    ProgressDetail,
    fill_lists,
)
from tests.support.feeding import recorded
from tests.testbed.recordings import ENGINES

DOCKERS = [engine for engine in ENGINES if engine.startswith("docker")]

ANSWERS: list[tuple[str, Any]] = [
    ("list", ImageSummary),
    ("inspect-by-id", ImageInspect),
    ("history", HistoryEntry),
    ("version", EngineVersion),
    ("prune-nothing", ImagesPruned),
    ("build-prune-nothing", BuildsPruned),
    ("delete-ok", DeletedImage),
    ("distribution-ok", DistributionInspect),
]
STREAMS = [
    "pull-ok",
    "push-ok",
    "build-classic-ok",
    "build-buildkit-ok",
    "load-ok-not-quiet",
    "import-stdin-ok",
]


@pytest.mark.parametrize(
    ("document", "filled"),
    [
        pytest.param({}, {}, id="empty"),
        pytest.param({"RepoTags": None}, {"RepoTags": []}, id="null"),
        pytest.param({"RepoTags": ["a:1"]}, {"RepoTags": ["a:1"]}, id="a list"),
        pytest.param({"RepoTags": []}, {"RepoTags": []}, id="an empty list"),
        pytest.param({"Labels": None}, {"Labels": None}, id="null instead of an object"),
        pytest.param(
            {
                "RepoDigests": None,
                "Tags": None,
                "ImagesDeleted": None,
                "CachesDeleted": None,
                "Platforms": None,
            },
            {"RepoDigests": [], "Tags": [], "ImagesDeleted": [], "CachesDeleted": [], "Platforms": []},
            id="all lists",
        ),
        pytest.param({"Cmd": None, "Env": None}, {"Cmd": None, "Env": None}, id="not at this place"),
        pytest.param({"Config": None}, {"Config": None}, id="no config"),
        pytest.param({"Config": {}}, {"Config": {}}, id="an empty config"),
        pytest.param({"Config": "x"}, {"Config": "x"}, id="a config that is a string"),
        pytest.param(
            {"Config": {"Cmd": None, "Entrypoint": None, "Env": None, "OnBuild": None, "Shell": None}},
            {"Config": {"Cmd": [], "Entrypoint": [], "Env": [], "OnBuild": [], "Shell": []}},
            id="all lists of a config",
        ),
        pytest.param(
            {"Config": {"Cmd": ["sh"], "Labels": None, "Volumes": None, "RepoTags": None}},
            {"Config": {"Cmd": ["sh"], "Labels": None, "Volumes": None, "RepoTags": None}},
            id="what is left alone in a config",
        ),
    ],
)
def test_null_lists(document: dict[str, Any], filled: dict[str, Any]) -> None:
    fill_lists([document])
    assert document == filled


def test_lists_are_not_one_list() -> None:
    first: dict[str, Any] = {"RepoTags": None, "RepoDigests": None}
    fill_lists([first])
    first["RepoTags"].append("a:1")
    assert first["RepoDigests"] == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
NAMES = st.sampled_from(sorted({*LISTS[""], *LISTS["Config"], "Config", "Labels"}))


@settings(deadline=None)
@given(st.dictionaries(NAMES, JSON | st.dictionaries(NAMES, JSON)))
def test_only_nulls_change_and_never_twice(document: dict[str, Any]) -> None:
    before = copy.deepcopy(document)
    fill_lists([document])
    assert document.keys() == before.keys()
    changed = {name for name in document if document[name] != before[name]} - {"Config"}
    assert changed == {name for name in LISTS[""] if name in before and before[name] is None}
    once = copy.deepcopy(document)
    fill_lists([document])
    assert document == once


def _items(engine: str, operation: str) -> list[dict[str, Any]]:
    document: Any = json.loads(recorded(engine, operation).body)
    return cast("list[dict[str, Any]]", document if isinstance(document, list) else [document])


@pytest.mark.parametrize("engine", DOCKERS)
@pytest.mark.parametrize(("operation", "model"), ANSWERS, ids=[operation for operation, _ in ANSWERS])
def test_models_name_what_docker_sends(engine: str, operation: str, model: Any) -> None:
    items = _items(engine, operation)
    hints = get_type_hints(model, include_extras=True)
    required = {
        name for name, hint in hints.items() if model.__total__ and get_origin(hint) is not NotRequired
    }
    assert items
    for item in items:
        assert item.keys() <= hints.keys()
        assert required <= item.keys()


@pytest.mark.parametrize("engine", DOCKERS)
@pytest.mark.parametrize("operation", STREAMS)
def test_models_name_what_docker_streams(engine: str, operation: str) -> None:
    messages = [json.loads(line) for line in recorded(engine, operation).body.splitlines()]
    assert messages
    for message in messages:
        assert message.keys() <= Message.__optional_keys__
        assert message.get("progressDetail", {}).keys() <= ProgressDetail.__optional_keys__


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("operation", ["list", "inspect-by-id", "history", "prune-nothing"])
def test_no_list_of_an_answer_is_null(engine: str, operation: str) -> None:
    for item in _items(engine, operation):
        fill_lists([item])
        config: dict[str, Any] = item.get("Config") or {}
        assert [name for name in LISTS[""] & item.keys() if not isinstance(item[name], list)] == []
        assert [name for name in LISTS["Config"] & config.keys() if not isinstance(config[name], list)] == []


def _models() -> list[Any]:
    return [each for each in vars(models).values() if hasattr(each, "__required_keys__")]


@pytest.mark.parametrize("model", _models(), ids=lambda model: model.__name__)
def test_types_of_models_can_be_asked_for_at_run_time(model: Any) -> None:
    hints = get_type_hints(model, include_extras=True)
    assert hints.keys() == model.__required_keys__ | model.__optional_keys__
    assert [name for name, hint in hints.items() if isinstance(hint, str)] == []


@pytest.mark.parametrize("place", LISTS)
def test_the_lists_are_lists_in_the_models(place: str) -> None:
    owners = [models.ImageConfig] if place else [each for each in _models() if each is not models.ImageConfig]
    hints: dict[str, list[Any]] = {}
    for owner in owners:
        for name, hint in get_type_hints(owner).items():
            hints.setdefault(name, []).append(hint)
    for name in LISTS[place]:
        assert {get_origin(hint) for hint in hints[name]} == {list}, name
