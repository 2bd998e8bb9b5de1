"""Exceptions, messages and results survive pickling and copying, as worker processes and caches need it."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any

import pytest

from dockerproto import (
    BuildResult,
    BuildWarning,
    CheckFailure,
    CheckResult,
    CheckWarning,
    DockerError,
    DockerStreamError,
    FailedStep,
    ImportResult,
    InvalidPattern,
    MessageList,
    Outline,
    OutlineArg,
    OutlineMount,
    Ping,
    PulledTag,
    PullResult,
    PushedTag,
    PushResult,
    SourceFile,
    SourceLines,
    TargetSummary,
    errors,
)
from dockerproto.messages.decoding import BuildMessages
from dockerproto.messages.trace import StatusResponse, VertexWarning
from tests.support.feeding import recorded

ERRORS = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, DockerError)
}


def pickled(protocol: int, value: Any) -> Any:
    return pickle.loads(pickle.dumps(value, protocol))


PROTOCOLS: dict[str, Callable[[Any], Any]] = {
    **{f"protocol {each}": partial(pickled, each) for each in range(pickle.HIGHEST_PROTOCOL + 1)},
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}
STEP = FailedStep("[2/3] RUN make", "/bin/sh -c make", 2, ("one", "two"))
WARNED = StatusResponse(warnings=(VertexWarning(short=b"w"),))
LINES = (SourceLines(1, 2, ("FROM a", "")),)
RESULTS: list[Any] = [
    BuildResult("sha256:ab", ("a:1",), (BuildWarning("w", ("d",), "u", "Dockerfile", 3),)),
    PullResult("a:1", downloaded=True, tags=(PulledTag("1", "sha256:ab"),)),
    BuildResult("sha256:ab", pushed=(PushedTag("1", "sha256:ab", 5, "r/a"),)),
    PushResult("r/a", (PushedTag("1", "sha256:ab", 5, "r/a"),)),
    ImportResult(("a:1",), ("sha256:ab",)),
    CheckResult(
        (CheckWarning("A", "d", "t", "u", "Dockerfile", LINES),),
        CheckFailure("m", "Dockerfile", LINES),
        (SourceFile("Dockerfile", "FROM a\n"),),
    ),
    Outline(
        "a", "d", (OutlineArg("V", "d", "1", LINES),), (OutlineMount("s", True, LINES),), (), ("FROM a\n",)
    ),
    TargetSummary("a", "d", True, "b", "linux/amd64", LINES),
    STEP,
    WARNED,
    Ping("1.45", "linux", "2", experimental=False, server="Docker/26.1.5 (linux)", podman=None),
]


def make(error: type[DockerError]) -> DockerError:
    """Return an exception with all of its fields set."""
    if issubclass(error, DockerStreamError):
        raised: DockerError = error("it failed", error_detail={"code": 3, "message": "it failed"}, status=5)
    elif issubclass(error, InvalidPattern):
        raised = error(0, "it failed", pattern="[", file=".dockerignore", line=3)
    else:
        raised = error(404, "it failed")
    raised.messages = [{"stream": "one\n"}, {"trace": WARNED}]
    raised.step = STEP
    raised.add_note("at step 2")
    return raised


@pytest.mark.parametrize("roundtrip", PROTOCOLS.values(), ids=PROTOCOLS)
@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_exceptions(error: type[DockerError], roundtrip: Callable[[Any], Any]) -> None:
    raised = make(error)
    found = roundtrip(raised)
    assert type(found) is error
    assert found is not raised
    assert (found.args, str(found), repr(found)) == (raised.args, str(raised), repr(raised))
    assert vars(found) == vars(raised)
    assert found.__notes__ == ["at step 2"]


@pytest.mark.parametrize("roundtrip", PROTOCOLS.values(), ids=PROTOCOLS)
@pytest.mark.parametrize("value", RESULTS, ids=lambda value: type(value).__name__)
def test_results(value: Any, roundtrip: Callable[[Any], Any]) -> None:
    found = roundtrip(value)
    assert type(found) is type(value)
    assert found == value


@pytest.mark.parametrize("roundtrip", PROTOCOLS.values(), ids=PROTOCOLS)
@pytest.mark.parametrize("operation", ["build-buildkit-ok", "build-classic-ok"])
def test_messages(operation: str, roundtrip: Callable[[Any], Any]) -> None:
    messages: MessageList[Any] = MessageList(
        BuildMessages().feed(recorded("docker-26.1", operation).body), BuildResult("sha256:ab")
    )
    found: Any = roundtrip(messages)
    assert type(found) is type(messages)
    assert found == messages != []
    assert found.result == messages.result


def fail(name: str) -> None:
    """Raise an exception in a worker process."""
    raise make(ERRORS[name])


def test_exceptions_of_worker_processes_arrive() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        error = pool.submit(fail, "StepFailed").exception()
    assert type(error) is errors.StepFailed
    assert vars(error) == {**vars(make(errors.StepFailed)), "__notes__": vars(error)["__notes__"]}
