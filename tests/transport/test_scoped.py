"""Values by scope: created anew, discarded, and refused while another event loop can still run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

from dockerproto import ClientClosed
from dockerproto.transport.runtime import Lock, Runtime
from dockerproto.transport.scoped import Scoped

T = TypeVar("T")


class Place:
    """A scope; equal to others of its name."""

    def __init__(self, name: str, *, busy: bool = False) -> None:
        self.name = name
        self.busy = busy

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def in_use(self) -> bool:
        return self.busy


class Runner(Runtime):
    """A runtime that can be anywhere."""

    def __init__(self) -> None:
        self.place = Place("first")

    async def in_thread(self, function: Callable[[], T]) -> T:
        raise NotImplementedError

    def lock(self) -> Lock:
        raise NotImplementedError

    def now(self) -> float:
        raise NotImplementedError

    def scope(self) -> Place:
        return self.place


class Plain(Runner):
    """A runtime that knows no scopes."""

    scope = Runtime.scope  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]  # wider


@pytest.fixture
def runner() -> Runner:
    return Runner()


def test_a_runtime_without_scopes_has_one() -> None:
    plain = Plain()
    assert plain.scope() == Plain().scope()
    assert not plain.scope().in_use()
    values = Scoped(plain, object)
    assert values.get() is values.get()


def test_each_scope_has_its_own_value(runner: Runner) -> None:
    discarded = list[object]()
    values = Scoped(runner, object, discarded.append)
    assert values.values() == []
    first = values.get()
    runner.place = Place("first")
    assert values.get() is first
    runner.place = Place("second")
    second = values.get()
    assert second is not first
    assert (values.values(), discarded) == ([second], [first])
    runner.place = Place("first")
    assert values.get() not in (first, second)
    assert discarded == [first, second]


def test_the_value_of_a_scope_in_use_is_kept(runner: Runner) -> None:
    runner.place = Place("first", busy=True)
    discarded = list[object]()
    values = Scoped(runner, object, discarded.append)
    first = values.get()
    runner.place = Place("second")
    with pytest.raises(ClientClosed, match="another event loop uses this client"):
        values.get()
    assert (values.values(), discarded) == ([first], [])
    runner.place = Place("first")
    assert values.get() is first


def test_threads_that_enter_a_scope_at_once_get_one_value(runner: Runner) -> None:
    """A thread that is faster enters the scope while the value of another is being created."""
    discarded = list[object]()
    faster = list[object]()

    def make() -> object:
        if runner.place.name == "second" and not faster:
            faster.append(None)
            faster.append(values.get())
        return object()

    values = Scoped(runner, make, discarded.append)
    first = values.get()
    runner.place = Place("second")
    assert values.get() is faster[1]
    assert (values.values(), discarded) == ([faster[1]], [first])


def test_what_another_thread_has_discarded_is_not_discarded_again(runner: Runner) -> None:
    """A thread that is faster enters the scope while the earlier ones are looked at."""
    discarded = list[object]()
    faster = list[object]()

    class Left(Place):
        def in_use(self) -> bool:
            if not faster:
                faster.append(None)
                faster.append(values.get())
            return False

    values = Scoped(runner, object, discarded.append)
    runner.place = Left("first")
    first = values.get()
    runner.place = Place("second")
    assert values.get() is faster[1]
    assert (values.values(), discarded) == ([faster[1]], [first])
