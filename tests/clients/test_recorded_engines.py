"""Recorded exchanges of ten engines through the three clients: what is sent, and the outcome.

`outcomes.tsv` is the table of what is expected, so also of how the engines differ.
"""

from __future__ import annotations

import json
import re
from fnmatch import fnmatch
from functools import reduce
from typing import Any

import pytest

from dockerproto import DockerError, MessageList, Ping, UnsupportedVersion
from tests.conftest import Connect
from tests.support.calling import Speak
from tests.support.feeding import recorded
from tests.support.outcomes import error_outcome, expected, outcome
from tests.support.recorded_calls import Call, Target, call_of, target_of
from tests.testbed.recordings import ENGINES, Recording, recordings_of
from tests.testbed.scripted import ScriptedEngine, UntilClosed

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore:filters as a JSON string")]

LEFT_OUT = {
    "error-version-too-*": "a version that no client speaks",
    "*-bool-*": "a bool as 'yes' or 'True'; the clients send 1 and 0",
    "history-manifests": "a parameter that the engine does not have",
    "*-platform-two": "several platforms at once",
    "*-platform-slash-form": "a platform in another form than the endpoint's",
    "push-platform-bad": "the same",
    "inspect-manifests-and-platform": "arguments that exclude each other",
    "pull-no-parameters": "a call without its arguments",
    "pull-tag-in-name-and-tag": "two tags",
    "push-tag-in-name*": "a tag in the path; the clients send it as the tag",
    "tag-in-repo*": "a tag in the repository; the clients send it as the tag",
    "tag-no-repo": "a call without its arguments",
    "export-names-none": "a call without its arguments",
    "export-names-comma": "several names in one",
    "search-limit-not-int": "a number that is not one",
    "build-prune-bad-*": "the same",
    "build-invalid-*": "malformed parameters",
    "build-param-*": "malformed parameters, or those that the builder lacks",
    "build-bad-query-*": "the same",
    "build-buildkit-outputs-*": "outputs without a session",
    "build-buildkit-unknown-session": "a session that is not there",
    "build-classic-buildargs-null": "an argument without a value; the clients look it up",
    "build-form-content-type": "an upload as a form",
    "load-form-content-type": "the same",
    "prune-v1.24-route": "an operation before its API version",
}
"""Recordings that no call of the clients can send, by patterns of their names, with the reason."""
EXTRAS = {
    "/build": {"dockerfile", "remote", "rm", "session", "version", "forcerm", "q"},
    "/images/load": {"quiet"},
    "/images/create": {"repo"},
}
"""Parameters that the clients send and the recorded client did not; both mean the same."""


def left_out(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in LEFT_OUT)


def replayed(engine: str) -> dict[str, Recording]:
    return {name: each for name, each in recordings_of(engine).items() if not left_out(name)}


def differs(recorded_target: Target, sent: Target) -> str | None:
    """Tell how a request differs from the recorded one; None if they mean the same."""
    (*theirs, their_query), (*ours, our_query) = recorded_target.known, sent.known
    extra = {name for name in our_query if name not in their_query} - EXTRAS.get(recorded_target.path, set())
    other = {name: values for name, values in their_query.items() if our_query.get(name) != values}
    if theirs == ours and not extra and not other:
        return None
    return f"sent {ours} {our_query}, recorded {theirs} {their_query}"


class Replay:
    """A client and the engine that replays recordings to it."""

    def __init__(self, engine: ScriptedEngine, docker: Any) -> None:
        self.engine = engine
        self.docker = docker

    async def run(self, engine: str, name: str) -> str:
        """Replay a recording; return the outcome."""
        target = target_of(recordings_of(engine)[name].request)
        self.engine.script(target.method, target.path, recordings_of(engine)[name].response)
        self.engine.requests.clear()
        try:
            result = await self._call(call_of(target))
        except (DockerError, ValueError) as error:
            if all(each.path == "/_ping" for each in self.engine.requests):
                return f"{type(error).__name__} unsent"
            return error_outcome(error) + self._difference(target)
        check_content(engine, name, result)
        return outcome(result) + self._difference(target)

    async def _call(self, call: Call) -> Any:
        method = reduce(getattr, call.method.split("."), self.docker)
        result = method(*call.arguments, **call.keywords)
        return await (result.read() if call.method.endswith("export_image") else result)

    def _difference(self, target: Target) -> str:
        last = self.engine.requests[-1]
        sent = target_of(f"{last.method} {last.target}")
        return "" if (difference := differs(target, sent)) is None else f" ({difference})"


def check_content(engine: str, name: str, result: Any) -> None:
    """Check that nothing of a response is lost."""
    body = recorded(engine, name).body
    if isinstance(result, MessageList):
        messages: list[Any] = [*result]
        texts = [{key: value for key, value in each.items() if key != "trace"} for each in messages]
        assert texts == [json.loads(line) for line in body.splitlines() if line.strip()], name
    elif isinstance(result, bytes):
        assert result == body, name
    elif not isinstance(result, bool | str | Ping):  # those are decided by the status, or by headers
        assert len(result) >= len(json.loads(body) or ()), name


@pytest.mark.parametrize("engine", ENGINES)
async def test_outcomes(scripted: ScriptedEngine, connect: Connect, engine: str) -> None:
    """Replay all recordings of an engine; one client has all that are in one API version."""
    scripted.script("GET", "/_ping", recordings_of(engine)["ping-get"].response)
    scripted.script("POST", "/session", (Speak(), UntilClosed()))
    negotiated = re.findall(rb"Api-Version: ([\d.]+)", recordings_of(engine)["ping-get"].response)[0].decode()
    outcomes: dict[str, str] = {}
    names = replayed(engine)
    versions = {name: target_of(each.request).version or negotiated for name, each in names.items()}
    for version in sorted({*versions.values()}):
        pinned = {} if version == negotiated else {"api_version": version}
        async with connect(scripted.url, **pinned) as docker:
            replay = Replay(scripted, docker)
            for name in (name for name in names if versions[name] == version):
                outcomes[name] = await replay.run(engine, name)
    assert outcomes == {name: row[engine] for name, row in expected().items() if engine in row}


@pytest.mark.parametrize("engine", ["docker-29.7", "docker-29.7-containerd"])
async def test_a_version_below_the_minimum_is_told(
    scripted: ScriptedEngine, connect: Connect, engine: str
) -> None:
    scripted.script("GET", "/images/json", recordings_of(engine)["list-v1.24"].response)
    async with connect(scripted.url, api_version="1.24") as docker:
        with pytest.raises(UnsupportedVersion, match=r"Minimum supported API version is 1\.40"):
            await docker.images.list()


async def test_what_only_newer_versions_tell(scripted: ScriptedEngine, connect: Connect) -> None:
    recordings = recordings_of("docker-29.7-containerd")
    scripted.script("GET", "/_ping", recordings["ping-get"].response)
    scripted.script("GET", "/images/json", recordings["list-identity"].response)
    scripted.script("GET", "/images/a/json", recordings["inspect-no-layers"].response)
    scripted.script("GET", "/images/b/json", recordings["inspect-attested-manifests"].response)
    async with connect(scripted.url) as docker:
        images = await docker.images.list(manifests=True, identity=True)
        image = await docker.images.inspect("a")
        attested = await docker.images.inspect("b", manifests=True)
        assert docker.api_version == "1.55"
    pulled = [each["ImageData"] for image in images for each in image["Manifests"] if "ImageData" in each]
    assert {each["Kind"] for each in attested["Manifests"]} == {"image", "attestation"}
    assert any("Pull" in each.get("Identity", {}) for each in pulled)
    assert all(isinstance(each["Containers"], list) for each in pulled)
    assert image["RootFS"]["Layers"] == []
    assert image["Identity"]["Build"][0]["Ref"] == "s5dl1b5jausp7y5v1ulf9jvn7"


@pytest.mark.parametrize(
    ("sent", "same"),
    [
        ("GET /v1.55/images/json?all=1", True),
        ("GET /images/json?all=1", True),
        ("GET /images/json", False),
        ("GET /images/json?all=0", False),
        ("GET /images/json?all=1&manifests=1", False),
        ("POST /images/json?all=1", False),
        ("GET /images/a/json?all=1", False),
    ],
)
def test_a_call_that_sends_something_else_is_noticed(sent: str, same: bool) -> None:
    assert (differs(target_of("GET /v1.41/images/json?all=1"), target_of(sent)) is None) is same


def test_each_recording_is_in_the_table_or_left_out() -> None:
    names = {name for engine in ENGINES for name in recordings_of(engine)}
    for pattern in LEFT_OUT:
        assert [name for name in names if fnmatch(name, pattern)], pattern
    assert {*expected()} == {name for name in names if not left_out(name)}
