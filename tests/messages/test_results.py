"""The results of operations, from recorded messages of three engines and from invented ones."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dockerproto import (
    BuildResult,
    BuildWarning,
    ImportResult,
    Message,
    NotFinished,
    ProtocolViolated,
    PulledTag,
    PullResult,
    PushedTag,
    PushResult,
    build_result,
    import_result,
    pull_result,
    push_result,
)
from dockerproto.messages.decoding import BuildMessages
from dockerproto.messages.reduce import Collector
from dockerproto.messages.results import BuildReducer, PullReducer
from dockerproto.messages.trace import StatusResponse, VertexStatus, VertexWarning
from tests.support.feeding import VECTORS, recorded

DOCKERS = ("docker-20.10", "docker-26.1")
ALL = (*DOCKERS, "podman-4.3")
DIGEST = "sha256:69d07cab94120dc709cc458a65cbf3d2160012f6bc19c50157a02e8844bf7be0"
MULTI = "127.0.0.1:5000/apiref/multi"


def messages_of(engine: str, operation: str) -> list[Message]:
    return [json.loads(line) for line in recorded(engine, operation).body.splitlines()]


def on(*engines: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("engine", engines)


@pytest.mark.parametrize(
    ("operation", "tags"),
    [
        ("build-classic-ok", ("apiref/built:1",)),
        ("build-classic-cached", ("apiref/built:1", "apiref/built:2")),
        ("build-classic-no-tag-nocache", ()),
        ("build-classic-quiet", ()),
    ],
)
@on(*ALL)
def test_a_classic_build(engine: str, operation: str, tags: tuple[str, ...]) -> None:
    result = build_result(messages_of(engine, operation))
    assert result == BuildResult(result.image, tags)
    assert result.image is not None
    assert len(result.image) == len(DIGEST)
    assert result.image.startswith("sha256:")


@pytest.mark.parametrize(
    ("operation", "tags"),
    [
        ("build-buildkit-ok", ("apiref/bk:1",)),
        ("build-buildkit-no-tag", ()),
        ("build-buildkit-quiet", ()),
    ],
)
@on(*DOCKERS)
def test_a_build_of_buildkit(engine: str, operation: str, tags: tuple[str, ...]) -> None:
    messages = messages_of(engine, operation)
    result = build_result(messages)
    assert result == BuildResult(result.image, tags)
    assert str(result.image) in json.dumps(messages)
    assert not any("trace" in message for message in messages)  # those that are given are left alone
    assert build_result(BuildMessages().feed(recorded(engine, operation).body)) == result


@on(*ALL)
def test_a_classic_build_warns_in_text(engine: str) -> None:
    (warning,) = build_result(messages_of(engine, "build-classic-buildargs-unknown")).warnings
    assert "were not consumed" in warning.text
    assert warning == BuildWarning(warning.text)


def test_buildkit_warns_of_lines() -> None:
    messages: list[Message] = json.loads((VECTORS / "docker-26.1" / "traces.json").read_text())
    warning, *_ = build_result(messages).warnings
    assert warning == BuildWarning(
        text=warning.text,
        detail=("Empty continuation lines will become errors in a future release",),
        url="https://github.com/moby/moby/pull/33719",
        filename="Dockerfile",
        line=warning.line,
    )
    assert warning.text.startswith("Empty continuation line found in: RUN ")
    assert warning.line == 5


def test_a_warning_may_say_little() -> None:
    warned: Message = {"trace": StatusResponse(warnings=(VertexWarning(short=b"a\xff"),))}
    assert build_result([warned]).warnings == (BuildWarning("a\ufffd"),)


def test_what_a_step_prints_is_not_what_came_of_the_build() -> None:
    printed: list[Message] = [
        {"stream": "Successfully tagged evil:1\n"},
        {"stream": f"{DIGEST}\n"},
        {"aux": {"ID": "sha256:stage"}},
        {"stream": "Successfully tagged evil:2\n"},
        {"aux": {"ID": "sha256:last"}},
        {"stream": "Successfully tagged x:1\n"},
    ]
    assert build_result(printed) == BuildResult("sha256:last", ("x:1",))


def test_a_build_without_an_image_has_none() -> None:
    names = (
        *("naming to docker.io/library/a:1 done", "naming to r.example/b:1", "naming to ?", "exporting"),
        f"naming to moby-dangling@{DIGEST} done",
    )
    trace = StatusResponse(statuses=tuple(VertexStatus(id=name) for name in names))
    assert build_result([{"trace": trace}]) == BuildResult(None, ("a:1", "r.example/b:1", "?"))


def test_a_trace_that_is_none_is_refused() -> None:
    with pytest.raises(ProtocolViolated, match="must be base64"):
        build_result([{"id": "moby.buildkit.trace", "aux": "?"}])


@pytest.mark.parametrize(
    ("operation", "reference", "tag", "downloaded"),
    [
        ("pull-ok", f"{MULTI}:1", "1", True),
        ("pull-up-to-date", f"{MULTI}:1", "1", False),
        ("pull-by-digest", f"{MULTI}@{DIGEST}", f"{MULTI}@{DIGEST}", False),
    ],
)
@on(*DOCKERS)
def test_a_pull(engine: str, operation: str, reference: str, tag: str, downloaded: bool) -> None:
    result = pull_result(messages_of(engine, operation))
    assert result == PullResult(reference, downloaded, (PulledTag(tag, DIGEST),))
    assert result.digest == DIGEST


def test_a_pull_of_a_podman_says_nothing() -> None:
    result = pull_result(messages_of("podman-4.3", "pull-ok"))
    assert (result, result.digest) == (PullResult(None), None)
    assert PullReducer("busybox:1").result() == PullResult("busybox:1")


@pytest.mark.parametrize(
    ("engine", "platform"),
    [("docker-28.5", "linux/amd64"), ("docker-29.7", "linux/amd64"), ("docker-20.10", None)],
)
def test_a_pull_of_another_platform(engine: str, platform: str | None) -> None:
    result = pull_result(messages_of(engine, "pull-platform-mismatch"))
    assert result.mismatched_platform == platform
    assert result.downloaded is False


def test_a_pull_of_all_tags() -> None:
    def pulled(tag: str) -> list[Message]:
        return [{"status": "Pulling from a/b", "id": tag}, {"status": f"Digest: {DIGEST}"}]

    done: Message = {"status": "Status: Downloaded newer image for a/b"}
    result = pull_result([*pulled("1"), *pulled("2"), done])
    assert result == PullResult("a/b", True, (PulledTag("1", DIGEST), PulledTag("2", DIGEST)))


@pytest.mark.parametrize("operation", ["push-ok", "push-already-there"])
@on(*ALL)
def test_a_push(engine: str, operation: str) -> None:
    result = push_result(messages_of(engine, operation))
    repository = f"127.0.0.1:5000/apiref/pushed-{engine}"
    assert result == PushResult(repository, (PushedTag("p1", result.digest or "", 738, repository),))
    assert (result.tag, result.size) == ("p1", 738)
    assert (result.digest == DIGEST) is (engine in DOCKERS)


@on(*DOCKERS)
def test_a_push_of_all_tags(engine: str) -> None:
    result = push_result(messages_of(engine, "push-no-tag"))
    repository = f"127.0.0.1:5000/apiref/pushed-{engine}"
    assert result.tags == tuple(PushedTag(tag, DIGEST, 738, repository) for tag in ("p1", "p2"))
    texts = [message for message in messages_of(engine, "push-no-tag") if "aux" not in message]
    assert push_result(texts) == result  # as engines with another store say it


def test_a_push_that_says_nothing() -> None:
    result = push_result([])
    assert (result, result.tag, result.digest, result.size) == (PushResult(None), None, None, None)


@pytest.mark.parametrize("operation", ["load-ok", "load-ok-not-quiet"])
@on(*ALL)
def test_an_import_of_images(engine: str, operation: str) -> None:
    (reference,) = import_result(messages_of(engine, operation)).references
    assert reference == ("docker.io/" if engine == "podman-4.3" else "") + "apiref/small:1"
    assert import_result(messages_of(engine, operation)).ids == ()


@pytest.mark.parametrize("operation", ["load-untagged", "import-stdin-ok", "import-stdin-no-repo"])
@on(*ALL)
def test_an_import_of_what_has_no_name(engine: str, operation: str) -> None:
    result = import_result(messages_of(engine, operation))
    assert result == ImportResult(ids=result.ids)
    (id_,) = result.ids
    assert len(id_) == len(DIGEST)


def test_a_podman_says_several_names_at_once() -> None:
    result = import_result([{"stream": f"Loaded image: a:1,b:2,{DIGEST}"}])
    assert result == ImportResult(("a:1", "b:2"), (DIGEST,))


ODD: list[Any] = [
    {},
    {"status": None, "id": None, "stream": None, "aux": None},
    {"status": 5, "stream": ["x"], "aux": ["x"]},
    {"aux": {"ID": 5, "Tag": None, "Digest": None, "Size": "x"}},
    {"status": "Digest: no", "stream": "Loaded image: "},
    {"status": "Pulling from x", "id": 5},
]


def test_messages_of_any_kind_are_coped_with() -> None:
    assert build_result(ODD) == BuildResult(None)
    assert pull_result(ODD) == PullResult(None)
    assert push_result(ODD) == PushResult(None)
    assert import_result(ODD) == ImportResult()


def test_a_result_is_there_at_the_end_only() -> None:
    collector = Collector(BuildReducer())
    (make_decoder,) = collector.wrap({200: BuildMessages}).values()
    decoder = make_decoder(1000)
    assert list(decoder.feed(b'{"aux": {"ID": "sha256:a"}}\n')) == [{"aux": {"ID": "sha256:a"}}]
    with pytest.raises(NotFinished, match="not read to its end"):
        collector.result()
    assert list(decoder.feed(b"")) == []
    assert collector.result() == BuildResult("sha256:a")
