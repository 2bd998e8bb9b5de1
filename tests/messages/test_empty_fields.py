"""Fields that are empty read the same on all engines, whether they are sent as null, empty, or not at all."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any, cast, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerproto.images import local, registry
from dockerproto.messages import empty_fields, models
from dockerproto.messages.empty_fields import IMAGE_INSPECT, IMAGE_SUMMARY, EmptyFields, fill
from dockerproto.operations import system
from dockerproto.operations.operation import Call
from tests.support.feeding import recorded
from tests.testbed.recordings import ENGINES, recordings_of

EMPTY_CONFIG: dict[str, Any] = {
    **{name: [] for name in ("Cmd", "Entrypoint", "Env", "OnBuild", "Shell")},
    **dict.fromkeys(("ExposedPorts", "Labels", "Volumes")),
    **dict.fromkeys(("User", "WorkingDir"), ""),
}
EMPTY_INSPECT: dict[str, Any] = {
    **{name: [] for name in ("RepoTags", "RepoDigests")},
    **dict.fromkeys(("Author", "Comment", "DockerVersion", "Parent"), ""),
}
EMPTY_SUMMARY: dict[str, Any] = {"RepoTags": [], "RepoDigests": []}


FILLED: list[tuple[EmptyFields, dict[str, Any], dict[str, Any]]] = [
    (IMAGE_INSPECT, {}, EMPTY_INSPECT),
    (IMAGE_INSPECT, dict.fromkeys(EMPTY_INSPECT), EMPTY_INSPECT),
    (IMAGE_INSPECT, {"Config": {}}, {**EMPTY_INSPECT, "Config": EMPTY_CONFIG}),
    (IMAGE_INSPECT, {"Config": dict.fromkeys(EMPTY_CONFIG)}, {**EMPTY_INSPECT, "Config": EMPTY_CONFIG}),
    (IMAGE_INSPECT, {"RootFS": {}}, {**EMPTY_INSPECT, "RootFS": {"Layers": []}}),
    (IMAGE_SUMMARY, {}, EMPTY_SUMMARY),
    (
        IMAGE_SUMMARY,
        {"RepoTags": ["a:1"], "Labels": {"a": "1"}, "Os": None},
        {"RepoTags": ["a:1"], "RepoDigests": [], "Labels": {"a": "1"}, "Os": None},
    ),
    (
        IMAGE_SUMMARY,
        {"Manifests": [{"ImageData": {"Containers": None}}, {"Kind": "attestation"}, None]},
        {
            **EMPTY_SUMMARY,
            "Manifests": [{"ImageData": {"Containers": []}}, {"Kind": "attestation"}, None],
        },
    ),
    (IMAGE_SUMMARY, {"Manifests": None}, {**EMPTY_SUMMARY, "Manifests": None}),
    (IMAGE_INSPECT, {"Config": "x", "RootFS": 5}, {**EMPTY_INSPECT, "Config": "x", "RootFS": 5}),
    (empty_fields.HISTORY_ENTRY, {"Tags": None}, {"Tags": []}),
    (empty_fields.IMAGES_PRUNED, {"ImagesDeleted": None}, {"ImagesDeleted": []}),
    (empty_fields.BUILDS_PRUNED, {}, {"CachesDeleted": []}),
    (empty_fields.DISTRIBUTION_INSPECT, {"Platforms": None}, {"Platforms": []}),
]


@pytest.mark.parametrize(("fields", "document", "filled"), FILLED)
def test_fields(fields: EmptyFields, document: dict[str, Any], filled: dict[str, Any]) -> None:
    fill([document], fields)
    assert document == filled


def test_lists_are_not_one_list() -> None:
    first: dict[str, Any] = {}
    fill([first], IMAGE_SUMMARY)
    first["RepoTags"].append("a:1")
    assert first["RepoDigests"] == []


PLACES = ("Config", "RootFS", "Layers", "Manifests", "ImageData")
NAMES = st.sampled_from(
    [*EMPTY_INSPECT, *EMPTY_CONFIG, "Config", "RootFS", "Layers", "Manifests", "ImageData"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
)


@given(st.dictionaries(NAMES, JSON))
def test_whatever_is_not_empty_stays_and_filling_again_changes_nothing(document: dict[str, Any]) -> None:
    before = copy.deepcopy(document)
    fill([document], IMAGE_INSPECT)
    within = {name for name, _ in IMAGE_INSPECT.within}
    assert {name: document[name] for name in before if before[name] is not None and name not in within} == {
        name: value for name, value in before.items() if value is not None and name not in within
    }
    once = copy.deepcopy(document)
    fill([document], IMAGE_INSPECT)
    assert document == once


READINGS: list[tuple[str, Call[Any], Any]] = [
    (r"GET \S+?/images/json", local.list(), list[models.ImageSummary]),
    (r"GET \S+?/images/\S+/json", local.inspect("x"), models.ImageInspect),
    (r"GET \S+?/images/\S+/history", local.history("x"), list[models.HistoryEntry]),
    (r"POST \S+?/images/prune", local.prune(), models.ImagesPruned),
    (r"POST \S+?/build/prune", local.prune_builds(), models.BuildsPruned),
    (r"GET \S+?/distribution/\S+/json", registry.distribution("x"), models.DistributionInspect),
    (r"GET \S*/version", system.version(), models.EngineVersion),
    (r"DELETE \S+?/images/\S+", local.delete("x"), list[models.DeletedImage]),
]
"""Operations that return documents, by their requests without a query, with the model of the result."""


def answers() -> Iterator[Any]:
    for engine in ENGINES:
        for name, each in recordings_of(engine).items():
            if not each.response.startswith(b"HTTP/1.1 200"):
                continue
            request = each.request.partition("?")[0]
            for pattern, operation, model in READINGS:
                if re.fullmatch(pattern, request):
                    yield pytest.param(engine, name, operation, model, id=f"{name}-{engine}")
                    break


@pytest.mark.parametrize(("engine", "name", "operation", "model"), [*answers()])
def test_a_recorded_answer_is_what_the_model_says(
    engine: str, name: str, operation: Call[Any], model: Any
) -> None:
    result = operation.finish([json.loads(recorded(engine, name).body)])
    msgspec.convert(result, model)  # raises if a field is missing or of another type
    if engine.startswith("docker"):
        (item,) = get_args(model) or (model,)
        documents = cast("list[dict[str, Any]]", result if isinstance(result, list) else [result])
        assert {key for each in documents for key in each} <= get_type_hints(item).keys()


@pytest.mark.parametrize("engine", [each for each in ENGINES if each.startswith("docker-29")])
def test_one_image_reads_the_same_in_all_api_versions(engine: str) -> None:
    inspected = local.inspect("x")
    new, old = (
        cast("dict[str, Any]", inspected.finish([json.loads(recorded(engine, name).body)]))
        for name in ("import-inspect", "import-inspect-v1.51")
    )
    assert old.pop("GraphDriver", None) is not None  # with the containerd store, its data is null
    assert {name: value for name, value in new.items() if name not in ("GraphDriver", "Identity")} == old


@pytest.mark.parametrize(
    ("fields", "model"),
    [
        (empty_fields.IMAGE_SUMMARY, models.ImageSummary),
        (empty_fields.IMAGE_INSPECT, models.ImageInspect),
        (dict(empty_fields.IMAGE_INSPECT.within)["Config"], models.ImageConfig),
        (dict(empty_fields.IMAGE_INSPECT.within)["RootFS"], models.RootFS),
        (empty_fields.HISTORY_ENTRY, models.HistoryEntry),
        (empty_fields.IMAGES_PRUNED, models.ImagesPruned),
        (empty_fields.BUILDS_PRUNED, models.BuildsPruned),
        (empty_fields.DISTRIBUTION_INSPECT, models.DistributionInspect),
    ],
)
def test_each_list_of_a_model_is_always_there(fields: EmptyFields, model: Any) -> None:
    hints = {name: hint for name, hint in get_type_hints(model).items() if name in model.__required_keys__}
    assert {name for name, hint in hints.items() if get_origin(hint) is list} == {*fields.lists}
    assert {*fields.maps} <= {name for name, hint in hints.items() if type(None) in get_args(hint)}
    assert {hints[name] for name in fields.texts} <= {str}
