"""Questions about a Dockerfile as requests, and their arguments, which are those of a build."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dockerproto import (
    ANONYMOUS,
    DEFAULT,
    InvalidReference,
    Layout,
    Secret,
    UnsupportedEngine,
    UnsupportedVersion,
)
from dockerproto.buildcontext.plan import BuildContext
from dockerproto.buildkit.control.attributes import solve_request
from dockerproto.images.build import build
from dockerproto.images.checks import check, outline, targets
from dockerproto.request.build import SolveBuild
from dockerproto.request.layouts import LayoutReference
from dockerproto.request.parameters import NO_VARIABLES
from dockerproto.request.solve_options import Worker
from dockerproto.versions import NEWEST, Version
from tests.images.test_operations import described_by

SUBREQUESTS = "moby.buildkit.frontend.subrequests+forward"
CONTEXTS = "moby.buildkit.frontend.contexts+forward"
QUESTIONS: dict[str, Any] = {"lint": check, "outline": outline, "targets": targets}

each_question = pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)


def asked(question: Callable[..., Any], **arguments: Any) -> SolveBuild:
    described = described_by(question(**{"fileobj": b"", **arguments}))
    assert isinstance(described, SolveBuild)
    return described


def attributes_of(question: Callable[..., Any], **arguments: Any) -> dict[str, str]:
    request = solve_request(
        asked(question, **arguments),
        version=NEWEST,
        environment=NO_VARIABLES,
        worker=Worker(containerd=False),
        ref="ref",
    )
    assert (request.exporter, request.exporters, request.entitlements) == ("", (), ())
    assert request.frontend == "dockerfile.v0"
    return {**request.frontend_attributes}


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_is_an_attribute(name: str) -> None:
    assert attributes_of(QUESTIONS[name]) == {
        "image-resolve-mode": "local",
        "frontend.caps": SUBREQUESTS,
        "requestid": f"frontend.{name}",
    }


@each_question
def test_arguments(question: Callable[..., Any], tmp_path: Path) -> None:
    arguments = {
        "fileobj": None,
        "remote": "https://h/a.git",
        "path_dockerfile": "docker/Dockerfile",
        "buildargs": {"A": "1", "B": None},
        "pull": True,
        "platform": "linux/arm64",
        "contexts": {"lib": tmp_path, "base": "docker-image://busybox"},
    }
    assert attributes_of(question, **arguments) == {
        "image-resolve-mode": "pull",
        "context": "https://h/a.git",
        "filename": "docker/Dockerfile",
        "build-arg:A": "1",
        "platform": "linux/arm64",
        "context:lib": "local:lib",
        "context:base": "docker-image://busybox",
        "frontend.caps": f"{CONTEXTS},{SUBREQUESTS}",
        "requestid": attributes_of(question)["requestid"],
    }


@each_question
def test_a_context_in_a_layout(question: Callable[..., Any], tmp_path: Path) -> None:
    options = asked(question, contexts={"base": Layout(tmp_path, "1")}).options
    assert options.context_layouts == {
        "context:base": LayoutReference(store="oci:layout-0", path=str(tmp_path), tag="1")
    }
    assert options.attributes["frontend.caps"] == f"{CONTEXTS},{SUBREQUESTS}"
    options.check_worker(Worker(containerd=True))
    with pytest.raises(UnsupportedEngine, match="does not support an OCI layout in contexts"):
        options.check_worker(Worker(containerd=False))


@pytest.mark.parametrize("question", [check, outline])
def test_a_target(question: Callable[..., Any]) -> None:
    assert attributes_of(question, target="made")["target"] == "made"


@each_question
def test_attachments(question: Callable[..., Any], tmp_path: Path) -> None:
    described = asked(
        question,
        auth={"r.example": {"username": "me", "password": "hush"}},
        secrets={"a": b"hush"},
        ssh={"default": None},
        contexts={"lib": tmp_path},
        timeout=5,
    )
    attachments = described.attachments
    assert described.auths["r.example"].username == "me"
    assert attachments.secrets == {"a": Secret(value=b"hush")}
    assert (attachments.ssh, attachments.directories) == ({"default": None}, {"lib": str(tmp_path)})
    assert (attachments.outputs, attachments.anonymous, described.timeout) == ({}, False, 5)
    assert "hush" not in repr(described)
    assert asked(question, auth=ANONYMOUS).attachments.anonymous
    assert asked(question).timeout is DEFAULT


@each_question
def test_build_contexts(question: Callable[..., Any], tmp_path: Path) -> None:
    assert asked(question, fileobj=b"tar").body == b"tar"
    directory = asked(question, fileobj=None, path=tmp_path).body
    assert isinstance(directory, BuildContext)
    alone = asked(question, fileobj=None, dockerfile="FROM a\n").body
    assert isinstance(alone, BuildContext)
    assert alone.content == b"FROM a\n"
    assert not alone.classic


@each_question
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"remote": "https://h/a", "fileobj": b""},
        {"fileobj": b"", "dockerfile": "FROM a\n"},
        {"fileobj": 5},
        {"path": ".", "dockerfile": "Dockerfile"},
        {"fileobj": b"", "auth": {"username": "me", "password": "p"}},
        {"fileobj": b"", "buildargs": {"A": 1}},
        {"fileobj": b"", "secrets": {"a": "text"}},
        {"fileobj": b"", "ssh": {"a": 1}},
        {"fileobj": b"", "contexts": {"a": "b"}},
        {"fileobj": b"", "contexts": {"A": "docker-image://a"}},
        {"fileobj": b"", "contexts": 5},
    ],
    ids=str,
)
def test_arguments_are_rejected_as_those_of_a_build(
    question: Callable[..., Any], arguments: dict[str, Any]
) -> None:
    untyped: Any = build
    with pytest.raises((TypeError, ValueError)) as expected:
        untyped(**arguments)
    with pytest.raises(type(expected.value)) as raised:
        question(**arguments)
    assert str(raised.value) == str(expected.value)


def test_a_target_is_no_argument_of_targets() -> None:
    with pytest.raises(TypeError, match="target"):
        asked(targets, target="a")


@each_question
def test_parameters_are_those_of_a_build(question: Callable[..., Any]) -> None:
    known = inspect.signature(build).parameters
    for name, parameter in inspect.signature(question).parameters.items():
        assert parameter == known[name]


@each_question
def test_old_engines_would_build(question: Callable[..., Any]) -> None:
    options, name = asked(question).options, question.__name__
    with pytest.raises(
        UnsupportedVersion, match=rf"^images.{name}\(\) needs API 1.43, but API 1.42 is in use"
    ):
        options.check_version(Version(1, 42))
    options.check_version(Version(1, 43))
    options.check_worker(Worker(containerd=False))


@each_question
def test_podman_has_none(question: Callable[..., Any]) -> None:
    with pytest.raises(UnsupportedEngine, match=r"^Podman does not have BuildKit$"):
        asked(question).request().target(Version(1, 41), podman=Version(5, 4))


@each_question
def test_a_name_that_no_dockerfile_can_use(question: Callable[..., Any]) -> None:
    with pytest.raises(InvalidReference):
        question(fileobj=b"", contexts={"A b": "docker-image://a"})
