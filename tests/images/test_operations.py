"""The operations as requests: method, path, query and headers of each, and how its answer is read."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, TypeAlias, cast

import pytest

from dockerproto.credentials.credentials import HUB_SERVER, Credentials
from dockerproto.errors import ProtocolViolated
from dockerproto.images.load_save import export_image, import_filesystem, import_image
from dockerproto.images.local import delete, exists, get, history, inspect, prune, prune_builds, tag
from dockerproto.images.local import list as list_images
from dockerproto.images.pull_push import pull, push
from dockerproto.images.registry import distribution, search
from dockerproto.messages.decoding import ArchiveBody, Decoders, Messages
from dockerproto.operations.operation import (
    Call,
    Downloaded,
    Reduced,
    Reported,
    Saved,
    Streamed,
)
from dockerproto.operations.system import version
from dockerproto.request.build import EitherBuild
from dockerproto.request.control_call import AnyRequest, ControlCall
from dockerproto.request.request import Request
from dockerproto.timeouts import DEFAULT, Timeout
from dockerproto.versions import NEWEST, Version
from tests.support.feeding import Failure, Outcome, feed

Operation: TypeAlias = Call[Any] | Reported[Any] | Streamed[Any] | Downloaded
Build: TypeAlias = Callable[[], Operation]

ID = "0123456789abcdef" * 4
DIGEST = f"sha256:{ID}"
ME = {"username": "me", "password": "~~~???"}
EMPTY: list[Any] = []
INSPECTED: dict[str, Any] = {
    **dict.fromkeys(("RepoTags", "RepoDigests"), EMPTY),
    **dict.fromkeys(("Author", "Comment", "DockerVersion", "Parent"), ""),
    "RootFS": {"Layers": EMPTY},
}
LINUX = "%7B%22os%22%3A%22linux%22%2C%22architecture%22%3A%22amd64%22%7D"
ARM = "%7B%22os%22%3A%22linux%22%2C%22architecture%22%3A%22arm%22%2C%22variant%22%3A%22v7%22%7D"
TAR = ("Content-Type", "application/x-tar")
ANONYMOUS = ("X-Registry-Auth", "e30=")


def me_at(address: str) -> tuple[str, str]:
    """Return the header of the credentials."""
    credentials = Credentials(username="me", password="~~~???", serveraddress=address)
    return "X-Registry-Auth", credentials.header()


def described_by(operation: Operation) -> AnyRequest:
    """Return the request of an operation; of a build, for one builder or for either."""
    return operation.items.request if isinstance(operation, Call) else operation.request


def request_of(operation: Operation) -> Request:
    """Return the request that an operation sends, in the form for the classic builder where there is one."""
    request = described_by(operation)
    if isinstance(request, EitherBuild):
        request = request.classic
    assert not isinstance(request, ControlCall)
    return request if isinstance(request, Request) else request.request()


def body_of(operation: Operation) -> Any:
    """Return the body that an operation uploads."""
    return described_by(operation).body


# Operation, request line without the version, headers.
REQUESTS: dict[str, tuple[Build, str, Any]] = {
    "list": (list_images, "GET /images/json", []),
    "list all": (lambda: list_images(all=True), "GET /images/json?all=1", []),
    "list nothing": (lambda: list_images(filters=None, all=False, digests=False), "GET /images/json", []),
    "list digests": (lambda: list_images(digests=True), "GET /images/json?digests=1", []),
    "list shared_size": (lambda: list_images(shared_size=True), "GET /images/json?shared-size=1", []),
    "list manifests": (lambda: list_images(manifests=True), "GET /images/json?manifests=1", []),
    "list filters": (
        lambda: list_images(filters={"dangling": True, "label": ["a=b"]}),
        "GET /images/json?filters=%7B%22dangling%22%3A%5B%22true%22%5D%2C%22label%22%3A%5B%22a%3Db%22%5D%7D",
        [],
    ),
    "list identity": (lambda: list_images(identity=True), "GET /images/json?identity=1", []),
    "list wire spelling": (
        lambda: list_images(all=True, **cast("Any", {"shared-size": True})),
        "GET /images/json?all=1&shared-size=1",
        [],
    ),
    "list query": (
        lambda: list_images(all=True, query={"new": "busybox*", "w": True, "x": False, "y": None, "z": [1]}),
        "GET /images/json?all=1&new=busybox%2A&w=1&x=0&z=%5B1%5D",
        [],
    ),
    "inspect": (lambda: inspect("busybox"), "GET /images/busybox/json", []),
    "inspect path": (
        lambda: inspect("127.0.0.1:5000/a/b:1"),
        "GET /images/127.0.0.1:5000/a/b:1/json",
        [],
    ),
    "inspect digest": (lambda: inspect(f"a@{DIGEST}"), f"GET /images/a@{DIGEST}/json", []),
    "inspect id": (lambda: inspect(DIGEST), f"GET /images/{DIGEST}/json", []),
    "inspect escaped": (lambda: inspect("[::1]:5000/a"), "GET /images/%5B::1%5D:5000/a/json", []),
    "inspect platform": (
        lambda: inspect("a", platform="linux/amd64"),
        f"GET /images/a/json?platform={LINUX}",
        [],
    ),
    "inspect manifests": (lambda: inspect("a", manifests=True), "GET /images/a/json?manifests=1", []),
    "exists": (lambda: exists("a:1"), "GET /images/a:1/json", []),
    "history": (lambda: history("a:1"), "GET /images/a:1/history", []),
    "history platform": (
        lambda: history("a", platform="linux/arm/v7"),
        f"GET /images/a/history?platform={ARM}",
        [],
    ),
    "tag": (lambda: tag("a:1", "b"), "POST /images/a:1/tag?repo=b&tag=latest", []),
    "tag id": (lambda: tag(DIGEST, "b"), f"POST /images/{DIGEST}/tag?repo=b&tag=latest", []),
    "tag with a tag inside": (
        lambda: tag("a", "r.example:5000/b:2"),
        "POST /images/a/tag?repo=r.example%3A5000%2Fb&tag=2",
        [],
    ),
    "tag with a tag beside": (lambda: tag("a", "b", tag="2"), "POST /images/a/tag?repo=b&tag=2", []),
    "tag with both": (lambda: tag("a", "b:2", tag="2"), "POST /images/a/tag?repo=b&tag=2", []),
    "tag with an empty tag": (lambda: tag("a", "b", tag=""), "POST /images/a/tag?repo=b&tag=latest", []),
    "delete": (lambda: delete("a:1"), "DELETE /images/a:1", []),
    "delete nothing": (lambda: delete("a", force=False, noprune=False, platforms=()), "DELETE /images/a", []),
    "delete force": (lambda: delete("a", force=True), "DELETE /images/a?force=1", []),
    "delete noprune": (lambda: delete("a", noprune=True), "DELETE /images/a?noprune=1", []),
    "delete json": (lambda: delete("json"), "DELETE /images/json", []),
    "delete platform": (
        lambda: delete("a", platforms="linux/amd64"),
        f"DELETE /images/a?platforms={LINUX}",
        [],
    ),
    "delete platforms": (
        lambda: delete("a", force=True, platforms=iter(["linux/amd64", "linux/arm/v7"])),
        f"DELETE /images/a?force=1&platforms={LINUX}&platforms={ARM}",
        [],
    ),
    "prune": (prune, "POST /images/prune", []),
    "prune filters": (
        lambda: prune(filters={"until": "10m", "label!": "keep"}),
        "POST /images/prune?filters=%7B%22until%22%3A%5B%2210m%22%5D%2C%22label%21%22%3A%5B%22keep%22%5D%7D",
        [],
    ),
    "prune_builds": (prune_builds, "POST /build/prune", []),
    "prune_builds none": (
        lambda: prune_builds(reserved_space=None, all_builds=None, filters={}),
        "POST /build/prune",
        [],
    ),
    "prune_builds everything": (
        lambda: prune_builds(
            reserved_space=1, max_used_space=2, min_free_space=3, all_builds=True, filters={}
        ),
        "POST /build/prune?reserved-space=1&max-used-space=2&min-free-space=3&all=1",
        [],
    ),
    "prune_builds filters": (
        lambda: prune_builds(filters={"inuse": []}),
        "POST /build/prune?filters=%7B%22inuse%22%3A%5B%5D%7D",
        [],
    ),
    "prune_builds nothing": (
        lambda: prune_builds(reserved_space=0, all_builds=False),
        "POST /build/prune?reserved-space=0",
        [],
    ),
    "search": (lambda: search("busybox"), "GET /images/search?term=busybox", []),
    "search everything": (
        lambda: search("r.example/a b", limit=5, filters={"is-official": True}, auth=ME),
        "GET /images/search?term=r.example%2Fa+b&limit=5&filters=%7B%22is-official%22%3A%5B%22true%22%5D%7D",
        [me_at("r.example")],
    ),
    "search hub": (lambda: search("a", auth=ME), "GET /images/search?term=a", [me_at(HUB_SERVER)]),
    "distribution": (lambda: distribution("a"), "GET /distribution/a/json", []),
    "distribution auth": (
        lambda: distribution("r.example:5000/a/b:1", auth=ME),
        "GET /distribution/r.example:5000/a/b:1/json",
        [me_at("r.example:5000")],
    ),
    "version": (version, "GET /version", []),
    "pull": (lambda: pull("a"), "POST /images/create?fromImage=a&tag=latest", []),
    "pull tag inside": (lambda: pull("a:1"), "POST /images/create?fromImage=a&tag=1", []),
    "pull tag beside": (lambda: pull("a", tag="1"), "POST /images/create?fromImage=a&tag=1", []),
    "pull both": (lambda: pull("a:1", tag="1"), "POST /images/create?fromImage=a&tag=1", []),
    "pull all tags": (lambda: pull("a", tag=""), "POST /images/create?fromImage=a", []),
    "pull digest inside": (
        lambda: pull(f"a@{DIGEST}"),
        f"POST /images/create?fromImage=a&tag=sha256%3A{ID}",
        [],
    ),
    "pull digest beside": (
        lambda: pull("a", tag=DIGEST),
        f"POST /images/create?fromImage=a&tag=sha256%3A{ID}",
        [],
    ),
    "pull tag and digest": (
        lambda: pull(f"a:1@{DIGEST}"),
        f"POST /images/create?fromImage=a&tag=sha256%3A{ID}",
        [],
    ),
    "pull everything": (
        lambda: pull("r.example:5000/a/b", auth=ME, tag="1", repo="x", platform="linux/arm/v7", stream=True),
        "POST /images/create?fromImage=r.example%3A5000%2Fa%2Fb&tag=1&repo=x&platform=linux%2Farm%2Fv7",
        [me_at("r.example:5000")],
    ),
    "pull hub": (
        lambda: pull("docker.io/me/a", auth=ME),
        "POST /images/create?fromImage=docker.io%2Fme%2Fa&tag=latest",
        [me_at(HUB_SERVER)],
    ),
    "pull address given": (
        lambda: pull("a", auth={**ME, "serveraddress": "other.example"}),
        "POST /images/create?fromImage=a&tag=latest",
        [me_at("other.example")],
    ),
    "push": (lambda: push("a"), "POST /images/a/push?tag=latest", [ANONYMOUS]),
    "push tag inside": (
        lambda: push("r.example:5000/a/b:1"),
        "POST /images/r.example:5000/a/b/push?tag=1",
        [ANONYMOUS],
    ),
    "push all tags": (lambda: push("a", tag=""), "POST /images/a/push", [ANONYMOUS]),
    "push everything": (
        lambda: push("[::1]:5000/a", auth=ME, tag="1", platform="linux/amd64", stream=True),
        f"POST /images/%5B::1%5D:5000/a/push?tag=1&platform={LINUX}",
        [me_at("[::1]:5000")],
    ),
    "export_image": (lambda: export_image("a:1"), "GET /images/a:1/get", []),
    "export_image one of a list": (lambda: export_image(["a/b"]), "GET /images/a/b/get", []),
    "export_image id": (lambda: export_image(ID), f"GET /images/{ID}/get", []),
    "export_image several": (
        lambda: export_image(iter(["a:1", "r.example/b"])),
        "GET /images/get?names=a%3A1&names=r.example%2Fb",
        [],
    ),
    "export_image platform": (
        lambda: export_image("a", platform="linux/amd64"),
        f"GET /images/a/get?platform={LINUX}",
        [],
    ),
    "import_image": (lambda: import_image(b"x"), "POST /images/load?quiet=1", [TAR]),
    "import_image everything": (
        lambda: import_image(b"x", stream=True, quiet=False, platform="linux/amd64"),
        f"POST /images/load?quiet=0&platform={LINUX}",
        [TAR],
    ),
    "import_filesystem": (lambda: import_filesystem(b"x"), "POST /images/create?fromSrc=-", [TAR]),
    "import_filesystem path": (lambda: import_filesystem("/a.tar"), "POST /images/create?fromSrc=-", [TAR]),
    "import_filesystem url": (
        lambda: import_filesystem("http://h/a b.tar"),
        "POST /images/create?fromSrc=http%3A%2F%2Fh%2Fa+b.tar",
        [],
    ),
    "import_filesystem repo": (
        lambda: import_filesystem(b"x", repo="r.example:5000/a"),
        "POST /images/create?fromSrc=-&repo=r.example%3A5000%2Fa%3Alatest",
        [TAR],
    ),
    "import_filesystem everything": (
        lambda: import_filesystem(
            b"x",
            repo="a",
            tag="1",
            message="hi",
            changes=["ENV A=b", "CMD x"],
            platform="a/b",
            stream=True,
        ),
        "POST /images/create?fromSrc=-&repo=a%3A1&message=hi&changes=ENV+A%3Db&changes=CMD+x&platform=a%2Fb",
        [TAR],
    ),
    "import_filesystem one change": (
        lambda: import_filesystem(b"x", changes="CMD sh"),
        "POST /images/create?fromSrc=-&changes=CMD+sh",
        [TAR],
    ),
}


TAKE_LONG = {"export_image", "import_filesystem", "import_image", "prune", "prune_builds", "pull", "push"}
PACES = {**dict.fromkeys(TAKE_LONG, "long"), "delete": "changing", "tag": "changing"}


@pytest.mark.parametrize("name", REQUESTS)
def test_requests(name: str) -> None:
    build, line, headers = REQUESTS[name]
    request = request_of(build())
    method, _, path = line.partition(" ")
    assert (request.method, request.target(NEWEST)) == (method, f"/v1.55{path}")
    assert request.all_headers() == headers
    assert request.pace == PACES.get(name.partition(" ")[0], "reading")
    assert (request.timeout, request.versioned) == (DEFAULT, True)


LATER = {"prune", "prune_builds", "distribution"}


@pytest.mark.parametrize("name", sorted({name for name in REQUESTS if " " not in name} - LATER))
def test_what_is_sent_by_default_exists_in_the_oldest_version(name: str) -> None:
    build, line, _ = REQUESTS[name]
    assert request_of(build()).target(Version(1, 24)) == "/v1.24" + line.partition(" ")[2]


BODIES: dict[str, tuple[Callable[[Any], Operation], Any]] = {
    "import_image bytes": (import_image, b"x"),
    "import_image path": (import_image, "/a.tar"),
    "import_image url is a path": (import_image, "http://h/a.tar"),
    "import_image file": (import_image, io.BytesIO()),
    "import_filesystem bytes": (import_filesystem, b"x"),
    "import_filesystem path": (import_filesystem, "/a.tar"),
    "import_filesystem bytes like a url": (import_filesystem, b"http://h/a.tar"),
}


@pytest.mark.parametrize(("build", "source"), BODIES.values(), ids=BODIES)
def test_bodies_are_passed_on(build: Callable[[Any], Operation], source: Any) -> None:
    assert request_of(build(source)).body is source


WITH_BODY = {name for name, (_, _, headers) in REQUESTS.items() if TAR in headers}


@pytest.mark.parametrize("name", sorted(REQUESTS.keys() - WITH_BODY))
def test_all_others_have_no_body(name: str) -> None:
    assert request_of(REQUESTS[name][0]()).body is None


TIMEOUTS: dict[str, Callable[[Any], Operation]] = {
    "list": lambda timeout: list_images(timeout=timeout),
    "inspect": lambda timeout: inspect("a", timeout=timeout),
    "exists": lambda timeout: exists("a", timeout=timeout),
    "history": lambda timeout: history("a", timeout=timeout),
    "tag": lambda timeout: tag("a", "b", timeout=timeout),
    "delete": lambda timeout: delete("a", timeout=timeout),
    "prune": lambda timeout: prune(timeout=timeout),
    "prune_builds": lambda timeout: prune_builds(timeout=timeout),
    "search": lambda timeout: search("a", timeout=timeout),
    "distribution": lambda timeout: distribution("a", timeout=timeout),
    "pull": lambda timeout: pull("a", timeout=timeout),
    "push": lambda timeout: push("a", timeout=timeout),
    "export_image": lambda timeout: export_image("a", timeout),
    "import_image": lambda timeout: import_image(b"", False, timeout),
    "import_filesystem": lambda timeout: import_filesystem(b"", timeout=timeout),
}


@pytest.mark.parametrize("timeout", [None, 5, Timeout(idle=3)], ids=repr)
@pytest.mark.parametrize("build", TIMEOUTS.values(), ids=TIMEOUTS)
def test_timeouts_are_passed_on(build: Callable[[Any], Operation], timeout: Any) -> None:
    assert request_of(build(timeout)).timeout is timeout


def test_get_is_inspect() -> None:
    with pytest.warns(DeprecationWarning, match=r"^images.get\(\) is deprecated, use images.inspect\(\)$"):
        operation = get("a:1")
    assert operation.items.request == inspect("a:1").items.request


def decoders_of(operation: Operation) -> Decoders[Any]:
    """Return the decoders of an operation whose response has items."""
    items = operation.items if isinstance(operation, Call) else operation
    assert not isinstance(items, Reduced | Saved)
    return items.decoders


def results(operation: Operation, status: int, body: bytes) -> Any:
    """Read an answer as a client does."""
    decoder = decoders_of(operation)[status](1000)
    outcome = feed(decoder, [body] if body else [])
    assert outcome.failure is None
    return operation.finish(outcome.items) if isinstance(operation, Call) else outcome.items


@pytest.mark.parametrize(
    ("operation", "status", "body", "result"),
    [
        pytest.param(list_images(), 200, b"null\n", [], id="no list"),
        pytest.param(
            list_images(), 200, b'[{"RepoTags":null}]', [{"RepoTags": EMPTY, "RepoDigests": EMPTY}], id="list"
        ),
        pytest.param(inspect("a"), 200, b'{"RootFS":{}}', INSPECTED, id="inspect"),
        pytest.param(exists("a"), 200, b"whatever", True, id="exists"),
        pytest.param(exists("a"), 404, b'{"message":"No such image: a"}', False, id="does not exist"),
        pytest.param(history("a"), 200, b'[{"Tags":null}]', [{"Tags": EMPTY}], id="history"),
        pytest.param(tag("a", "b"), 201, b"\n", True, id="tag"),
        pytest.param(delete("a"), 200, b'[{"Deleted":"x"}]', [{"Deleted": "x"}], id="delete"),
        pytest.param(prune(), 200, b'{"ImagesDeleted":null}', {"ImagesDeleted": []}, id="prune"),
        pytest.param(
            prune_builds(), 200, b'{"CachesDeleted":null}', {"CachesDeleted": []}, id="prune_builds"
        ),
        pytest.param(search("a"), 200, b"[]", [], id="search"),
        pytest.param(distribution("a"), 200, b'{"Platforms":null}', {"Platforms": []}, id="distribution"),
        pytest.param(pull("a"), 200, b'{"id":"a"}\n{}\n', [{"id": "a"}, {}], id="pull"),
        pytest.param(push("a", stream=True), 200, b'{"id":"a"}', [{"id": "a"}], id="push"),
        pytest.param(export_image("a"), 200, bytes(1024), [bytes(1024)], id="export"),
        pytest.param(version(), 200, b'{"Version":"1"}', {"Version": "1"}, id="version"),
    ],
)
def test_how_answers_are_read(operation: Operation, status: int, body: bytes, result: Any) -> None:
    assert results(operation, status, body) == result


@pytest.mark.parametrize(
    ("operation", "kind", "statuses"),
    [
        (pull("a"), Call, {200}),
        (pull("a", stream=True), Reported, {200}),
        (push("a"), Call, {200}),
        (push("a", stream=True), Reported, {200}),
        (import_image(b""), Call, {200}),
        (import_image(b"", stream=True), Reported, {200}),
        (import_filesystem(b""), Call, {200}),
        (import_filesystem(b"", stream=True), Reported, {200}),
        (export_image("a"), Downloaded, {200}),
        (tag("a", "b"), Call, {201}),
        (exists("a"), Call, {200, 404}),
        (inspect("a"), Call, {200}),
    ],
)
def test_kinds_of_operations(operation: Operation, kind: type, statuses: set[int]) -> None:
    assert type(operation) is kind
    assert set(decoders_of(operation)) == statuses


def test_the_limit_of_messages_is_that_of_the_client() -> None:
    decoder = pull("a", stream=True).decoders[200](10)
    assert isinstance(decoder, Messages)
    too_long = Failure(ProtocolViolated, 0, "a message is longer than the limit of 10 bytes")
    assert feed(decoder, [b'{"id":"abcdef"}\n']) == Outcome([], too_long)
    assert isinstance(export_image("a").decoders[200](10), ArchiveBody)
