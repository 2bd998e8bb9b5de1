"""Timeouts, with a clock that stands still unless it is told to go on."""

from __future__ import annotations

import itertools
import math
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from dockerproto.errors import TimedOut
from dockerproto.timeouts import (
    DEFAULT,
    SHORT,
    UNLIMITED,
    Limits,
    Phase,
    Timeout,
    TimeoutLike,
    Timer,
    call_timeout,
    client_limits,
)
from tests.conftest import Connect
from tests.testbed.scripted import ScriptedEngine, json_response

PHASES: list[Phase] = ["connect", "response", "idle"]
LIMITS = ["connect", "response", "idle", "total"]
NUMBERS_THAT_ARE_NONE = [0, -1, 0.0, -0.5, math.nan, math.inf, -math.inf]
NO_NUMBERS: list[Any] = ["5", b"5", True, False, [], (1,), Decimal(5), 1j, object()]


class Clock:
    """A clock that is set by hand."""

    def __init__(self, now: float = 1000) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("value", [1, 0.001, 10**9, None], ids=repr)
def test_a_limit(limit: str, value: float | None) -> None:
    assert getattr(Timeout(**{limit: value}), limit) == value


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("value", NUMBERS_THAT_ARE_NONE, ids=repr)
def test_a_limit_that_is_not_positive(limit: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{limit} must be a positive number of seconds, not {value}$"):
        Timeout(**{limit: value})


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: type(value).__name__)
def test_a_limit_that_is_no_number(limit: str, value: Any) -> None:
    kind = type(value).__name__
    with pytest.raises(TypeError, match=f"^{limit} must be a number of seconds or None, not {kind}$"):
        Timeout(**{limit: value})


def test_defaults() -> None:
    assert Timeout() == Timeout(connect=10, response=None, idle=None, total=None)
    assert Timeout(connect=10, response=None, idle=None, total=60) == SHORT
    assert Timeout(connect=None, response=None, idle=None, total=None) == UNLIMITED
    assert repr(DEFAULT) == "DEFAULT"


CLIENT = Timeout(connect=3, response=4, idle=5, total=6)


@pytest.mark.parametrize(
    ("timeout", "expected"),
    [
        (DEFAULT, Timeout(connect=10, total=60)),
        (None, Timeout(connect=None)),
        (7, Timeout(connect=10, total=7)),
        (0.5, Timeout(connect=10, total=0.5)),
        (CLIENT, CLIENT),
    ],
    ids=["default", "none", "int", "float", "timeout"],
)
def test_the_limits_of_a_client(timeout: TimeoutLike, expected: Timeout) -> None:
    assert client_limits(timeout).reading == expected


@pytest.mark.parametrize(
    ("timeout", "short", "long"),
    [
        (DEFAULT, CLIENT, Timeout(connect=3)),
        (None, Timeout(connect=None), Timeout(connect=None)),
        (7, Timeout(total=7), Timeout(total=7)),
        (Timeout(idle=1), Timeout(idle=1), Timeout(idle=1)),
    ],
    ids=["default", "none", "int", "timeout"],
)
def test_the_limits_of_a_call(timeout: TimeoutLike, short: Timeout, long: Timeout) -> None:
    limits = client_limits(CLIENT)
    assert call_timeout(timeout, limits, "reading") == short
    assert call_timeout(timeout, limits, "changing") == short
    assert call_timeout(timeout, limits, "long") == long


def test_a_long_call_waits_as_long_for_a_connection_as_the_client() -> None:
    assert call_timeout(DEFAULT, client_limits(None), "long") == UNLIMITED


def test_by_default_only_reading_has_a_total() -> None:
    assert client_limits(DEFAULT) == Limits(reading=SHORT, changing=Timeout(), long=Timeout())


NAME = "busybox"
READING: dict[str, tuple[Any, ...]] = {
    "list": (),
    "inspect": (NAME,),
    "history": (NAME,),
    "exists": (NAME,),
    "distribution": (NAME,),
    "search": (NAME,),
}
CHANGING: dict[str, tuple[Any, ...]] = {
    "delete": (NAME,),
    "tag": (NAME, "another"),
    "prune": (),
    "prune_builds": (),
}
REPLIES: dict[tuple[str, str], bytes] = {
    ("GET", "/version"): json_response({}),
    ("DELETE", f"/images/{NAME}"): json_response([]),
    ("POST", f"/images/{NAME}/tag"): json_response(None, 201),
    ("POST", "/images/prune"): json_response({}),
    ("POST", "/build/prune"): json_response({}),
}


@pytest.fixture
def slow(scripted: ScriptedEngine) -> ScriptedEngine:
    for request, reply in REPLIES.items():
        scripted.script(*request, reply)
    return scripted


async def call_slowly(docker: Any, name: str, *arguments: Any, **options: Any) -> None:
    """Call an operation of an engine that is known, on a client whose clock gains 70 s at each look."""
    await docker.version()
    docker.client.transport.now = partial(next, itertools.count(1000, 70))
    await getattr(docker.images, name)(*arguments, **options)


@pytest.mark.anyio
@pytest.mark.parametrize("name", CHANGING)
async def test_a_call_that_changes_something_takes_its_time(
    slow: ScriptedEngine, connect: Connect, name: str
) -> None:
    async with connect(slow.url) as docker:
        await call_slowly(docker, name, *CHANGING[name])


@pytest.mark.anyio
@pytest.mark.parametrize("name", READING)
async def test_a_call_that_reads_ends_after_a_minute(
    slow: ScriptedEngine, connect: Connect, name: str
) -> None:
    async with connect(slow.url) as docker:
        with pytest.raises(TimedOut, match=r"^not finished within 60 s \(total\)$"):
            await call_slowly(docker, name, *READING[name])


@pytest.mark.anyio
@pytest.mark.parametrize("name", CHANGING)
async def test_a_limit_of_the_call_counts(slow: ScriptedEngine, connect: Connect, name: str) -> None:
    async with connect(slow.url) as docker:
        with pytest.raises(TimedOut, match=r"^not finished within 65 s \(total\)$"):
            await call_slowly(docker, name, *CHANGING[name], timeout=65)


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["delete", "tag"])
async def test_a_limit_of_the_client_counts(slow: ScriptedEngine, connect: Connect, name: str) -> None:
    async with connect(slow.url, timeout=60) as docker:
        with pytest.raises(TimedOut, match=r"^not finished within 60 s \(total\)$"):
            await call_slowly(docker, name, *CHANGING[name])


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: type(value).__name__)
def test_the_limits_of_a_call_that_are_none(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^timeout must be a number of seconds or None, not "):
        call_timeout(value, Limits(), "reading")


@pytest.mark.parametrize("value", NUMBERS_THAT_ARE_NONE, ids=repr)
def test_the_limits_of_a_client_that_are_not_positive(value: float) -> None:
    with pytest.raises(ValueError, match=r"^timeout must be a positive number of seconds"):
        client_limits(value)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize(
    ("timeout", "after", "left"),
    [
        pytest.param({}, 10**6, None, id="no limit"),
        pytest.param({"total": 10}, 0, 10, id="all of the total"),
        pytest.param({"total": 10}, 4, 6, id="the rest of the total"),
        pytest.param({"total": 10}, 9.75, 0.25, id="little of the total"),
        pytest.param({"phase": 3, "total": 10}, 0, 3, id="the phase is the smaller"),
        pytest.param({"phase": 3, "total": 10}, 8, 2, id="the total is the smaller"),
        pytest.param({"others": 1}, 10**6, None, id="limits of other phases"),
    ],
)
def test_what_is_left(phase: Phase, timeout: dict[str, float], after: float, left: float | None) -> None:
    clock = Clock()
    timer = Timer(_timeout(phase, timeout), clock)
    clock.now += after
    timer.mark()
    assert timer.left(phase) == left


@pytest.mark.parametrize("phase", ["connect", "idle"])
def test_a_wait_has_all_of_its_limit_each_time(phase: Phase) -> None:
    clock = Clock()
    timer = Timer(_timeout(phase, {"phase": 3}), clock)
    for _ in range(5):
        clock.now += 2.5
        assert timer.left(phase) == 3


def test_all_waits_for_the_response_share_one_limit() -> None:
    clock = Clock()
    timer = Timer(Timeout(response=3), clock)
    clock.now += 100
    timer.mark()
    assert timer.left("response") == 3
    clock.now += 1
    assert timer.left("response") == 2
    clock.now += 1.5
    assert timer.left("response") == 0.5
    clock.now += 0.5
    with pytest.raises(TimedOut, match=r"^no progress for 3 s \(response\)$"):
        timer.left("response")


def test_the_limit_of_the_response_begins_with_the_operation_unless_marked() -> None:
    clock = Clock()
    timer = Timer(Timeout(response=3), clock)
    clock.now += 2
    assert timer.left("response") == 1


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("after", [10, 10.5, 10**6], ids=str)
def test_nothing_is_left_of_the_total(phase: Phase, after: float) -> None:
    clock = Clock()
    timer = Timer(_timeout(phase, {"phase": 3, "total": 10}), clock)
    clock.now += after
    timer.mark()
    with pytest.raises(TimedOut) as caught:
        timer.left(phase)
    assert (caught.value.status, caught.value.message) == (0, "not finished within 10 s (total)")


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize(
    ("timeout", "after", "message"),
    [
        pytest.param({"phase": 3}, 3, "no progress for 3 s ({})", id="phase"),
        pytest.param({"phase": 0.25}, 3, "no progress for 0.25 s ({})", id="part of a second"),
        pytest.param({"phase": 3, "total": 10}, 9, "no progress for 3 s ({})", id="phase before the total"),
        pytest.param({"phase": 3, "total": 10}, 10, "not finished within 10 s (total)", id="both"),
        pytest.param({"total": 2.5}, 3, "not finished within 2.5 s (total)", id="total"),
        pytest.param({"total": 10}, 9, "timed out", id="neither"),
        pytest.param({}, 3, "timed out", id="no limit"),
    ],
)
def test_what_a_wait_that_took_too_long_is_told(
    phase: Phase, timeout: dict[str, float], after: float, message: str
) -> None:
    clock = Clock()
    timer = Timer(_timeout(phase, timeout), clock)
    clock.now += after
    error = timer.timeout_error(phase)
    assert isinstance(error, TimeoutError)
    assert (error.status, error.message) == (0, message.format(phase))


def test_when_it_began() -> None:
    clock = Clock(now=17)
    timer = Timer(UNLIMITED, clock)
    clock.now = 20
    timer.mark()
    assert timer.started == 17


def _timeout(phase: Phase, limits: dict[str, float]) -> Timeout:
    """Make limits, of which "phase" is that of the phase and "others" that of the two others."""
    others: dict[str, float | None] = {other: limits.get("others") for other in PHASES if other != phase}
    own: dict[str, float | None] = {phase: limits.get("phase"), "total": limits.get("total")}
    return Timeout(**others, **own)
