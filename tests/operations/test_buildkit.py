"""Operations on BuildKit itself, as data: the requests that they send, and the arguments that they refuse."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest

from dockerproto.buildkit.control.messages import Empty, HistoryRequest, PruneRequest, UsageRequest
from dockerproto.operations.buildkit import history, info, prune, usage, workers
from dockerproto.operations.operation import Call, Streamed
from dockerproto.protobuf.codec import ProtoMessage
from dockerproto.request.control_call import ControlCall

Build = Callable[[], Any]
ANY = cast("Any", prune)  # for callers without types

REQUESTS: dict[str, tuple[Build, str, ProtoMessage, str]] = {
    "workers": (workers, "ListWorkers", Empty(), "reading"),
    "info": (info, "Info", Empty(), "reading"),
    "usage": (usage, "DiskUsage", UsageRequest(), "reading"),
    "usage filtered": (lambda: usage(filters="inuse"), "DiskUsage", UsageRequest(("inuse",)), "reading"),
    "prune": (prune, "Prune", PruneRequest(), "long"),
    "prune all": (
        lambda: prune(keep=5, older_than=1.5, all=True, filters=["a", "b"]),
        "Prune",
        PruneRequest(("a", "b"), all=True, keep_duration=1_500_000_000, reserved_space=5),
        "long",
    ),
    "prune older": (
        lambda: prune(older_than=timedelta(days=2), stream=True),
        "Prune",
        PruneRequest(keep_duration=172_800 * 10**9),
        "long",
    ),
    "history": (history, "ListenBuildHistory", HistoryRequest(early_exit=True, limit=100), "reading"),
    "history 5": (
        lambda: history(limit=5),
        "ListenBuildHistory",
        HistoryRequest(early_exit=True, limit=5),
        "reading",
    ),
}


@pytest.mark.parametrize(("build", "name", "message", "pace"), REQUESTS.values(), ids=REQUESTS)
def test_requests(build: Build, name: str, message: ProtoMessage, pace: str) -> None:
    operation = build()
    assert isinstance(operation, Call | Streamed)
    call = operation.items.request if isinstance(operation, Call) else operation.request
    assert isinstance(call, ControlCall)
    assert (call.name, call.message, call.pace) == (name, message, pace)
    assert call.unary == (name not in ("Prune", "ListenBuildHistory"))
    assert call.path == f"/moby.buildkit.v1.Control/{name}"


REFUSED: dict[str, tuple[Build, type[Exception], str]] = {
    "keep negative": (lambda: prune(keep=-1), ValueError, "keep must be a number of bytes .*, not -1"),
    "keep too large": (lambda: prune(keep=2**63), ValueError, "keep must be"),
    "keep text": (lambda: ANY(keep="5"), TypeError, "keep must be an int, not str"),
    "keep bool": (lambda: prune(keep=True), TypeError, "keep must be an int, not bool"),
    "older_than 0": (lambda: prune(older_than=0), ValueError, "older_than must be positive"),
    "older_than long": (lambda: prune(older_than=1e10), ValueError, "less than 292 years"),
    "older_than nan": (lambda: prune(older_than=float("nan")), ValueError, "older_than must be"),
    "older_than text": (
        lambda: ANY(older_than="1h"),
        TypeError,
        "a timedelta or a number .*, not str",
    ),
    "older_than bool": (lambda: prune(older_than=True), TypeError, "not bool"),
    "filters": (lambda: ANY(filters=5), TypeError, "filters must be a str"),
    "filters in usage": (lambda: usage(filters=cast("Any", [5])), TypeError, "filters must contain only str"),
    "limit 0": (lambda: history(limit=0), ValueError, "limit must be from 1 to 10000, not 0"),
    "limit large": (lambda: history(limit=10_001), ValueError, "limit must be from 1"),
    "limit text": (lambda: history(limit=cast("Any", "5")), TypeError, "limit must be an int, not str"),
}


@pytest.mark.parametrize(("build", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_arguments_that_are_refused(build: Build, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        build()
