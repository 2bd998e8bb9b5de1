"""Disk usage as engines of three generations report it, and as none should."""

from __future__ import annotations

from typing import Any

import pytest

from dockerproto import DiskUsage, ProtocolViolated, Usage
from dockerproto.messages.disk_usage import USAGE_TYPES, build_cache_of, disk_usage_of

CONTAINER = {"State": "exited", "SizeRw": 10}
FIRST = {"ID": "a", "Type": "regular", "Size": 100, "InUse": True, "Shared": False}
OLD: dict[str, Any] = {
    "LayersSize": 1000,
    "Images": [
        {"Id": "a", "RepoTags": None, "Size": 500, "SharedSize": 200, "Containers": 2},
        {"Id": "b", "Size": 400, "SharedSize": 200, "Containers": 0},
        {"Id": "c", "Size": 400, "SharedSize": -1, "Containers": 1},
        {"Id": "d", "Size": 400, "SharedSize": 0, "Containers": -1},
    ],
    "Containers": [CONTAINER, {**CONTAINER, "State": "running", "SizeRw": 7}, {"State": "created"}],
    "Volumes": [
        {"Name": "a", "UsageData": {"Size": 30, "RefCount": 1}},
        {"Name": "b", "UsageData": {"Size": 5, "RefCount": 0}},
        {"Name": "c", "UsageData": {"Size": -1, "RefCount": 0}},
        {"Name": "d", "UsageData": None},
    ],
    "BuildCache": [
        {**FIRST, "Parent": ""},
        {**FIRST, "ID": "b", "InUse": False, "Parent": "a"},
        {**FIRST, "ID": "c", "Shared": True, " Parents": ["a", "b"]},
        {**FIRST, "ID": "d", "InUse": False, "Shared": True, "Parents": ["c"]},
    ],
}
"""Engines before API 1.52 send items; the names of a record's parents are those of three versions."""


def totals(usage: Usage[Any] | None) -> tuple[int, int, int, int]:
    assert usage is not None
    return usage.total, usage.active, usage.size, usage.reclaimable


def test_totals_are_computed_from_items() -> None:
    usage = disk_usage_of(USAGE_TYPES, OLD)
    assert totals(usage.images) == (4, 2, 1000, 1000 - 300 - 400)
    assert totals(usage.build_cache) == (4, 2, 200, 100)
    assert totals(usage.containers) == (3, 1, 17, 10)
    assert totals(usage.volumes) == (4, 1, 35, 5)
    assert usage.images is not None
    assert [each["RepoTags"] for each in usage.images.items] == [[]] * 4


def test_only_the_requested_types_are_returned() -> None:
    assert disk_usage_of(["volume"], OLD) == DiskUsage(volumes=disk_usage_of(USAGE_TYPES, OLD).volumes)


def test_parents_of_a_record_have_one_name() -> None:
    records = build_cache_of(OLD)
    assert [each.get("Parents") for each in records] == [[], ["a"], ["a", "b"], ["c"]]
    assert records[0] == {**FIRST, "Parents": []}


@pytest.mark.parametrize("document", [{}, dict.fromkeys(("Images", "Containers", "Volumes", "BuildCache"))])
def test_an_engine_that_has_nothing(document: dict[str, Any]) -> None:
    nothing = Usage[Any]()
    expected = DiskUsage(images=nothing, build_cache=nothing, containers=nothing, volumes=nothing)
    assert disk_usage_of(USAGE_TYPES, document) == expected


def test_a_new_engine_computes_the_totals() -> None:
    counts = {"TotalCount": 3, "ActiveCount": 1, "TotalSize": 900, "Reclaimable": 800}
    names = ("ImageUsage", "BuildCacheUsage", "ContainerUsage", "VolumeUsage")
    document: dict[str, Any] = {name: {**counts, "Items": [{"ID": name}]} for name in names}
    usage = disk_usage_of(USAGE_TYPES, document)
    for each in (usage.images, usage.build_cache, usage.containers, usage.volumes):
        assert totals(each) == (3, 1, 900, 800)
        assert each is not None
        assert len(each.items) == 1


def test_a_new_engine_leaves_out_what_is_zero() -> None:
    assert disk_usage_of(["build-cache"], {"BuildCacheUsage": {}}) == DiskUsage(build_cache=Usage())


@pytest.mark.parametrize(
    "document",
    [
        {"LayersSize": "big"},
        {"Images": {}},
        {"Images": [{"Size": None}]},
        {"Containers": [5]},
        {"Volumes": [{"UsageData": 5}]},
        {"BuildCache": [{"Size": "1"}]},
        {"ImageUsage": {"TotalCount": -0.5}},
    ],
)
def test_malformed_usage(document: dict[str, Any]) -> None:
    with pytest.raises(ProtocolViolated, match="the disk usage is malformed: "):
        disk_usage_of(USAGE_TYPES, document)
