"""Operations rejected before anything is sent: unsupported versions, contradictions, types, names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from dockerproto import AsyncImages, Images
from dockerproto.client import Client
from dockerproto.errors import InvalidReference, UnsupportedVersion
from dockerproto.images.build import build
from dockerproto.images.load_save import export_image, import_filesystem, import_image
from dockerproto.images.local import delete, exists, history, inspect, prune, prune_builds, tag
from dockerproto.images.local import list as list_images
from dockerproto.images.pull_push import pull, push
from dockerproto.images.registry import distribution, search
from dockerproto.versions import Version
from tests.images.test_operations import Build, request_of

DIGEST = "sha256:" + "0123456789abcdef" * 4
LINUX = "linux/amd64"


def before(version: Version) -> Version:
    """Return the version just below."""
    return Version(version.major, version.minor - 1)


GATED: dict[str, tuple[Build, str, str]] = {
    "list shared_size": (lambda: list_images(shared_size=True), "1.42", "parameter 'shared-size'"),
    "list manifests": (lambda: list_images(manifests=True), "1.47", "parameter 'manifests'"),
    "list identity": (lambda: list_images(identity=True), "1.54", "parameter 'identity'"),
    "inspect manifests": (lambda: inspect("a", manifests=True), "1.48", "parameter 'manifests'"),
    "inspect platform": (lambda: inspect("a", platform=LINUX), "1.49", "parameter 'platform'"),
    "history platform": (lambda: history("a", platform=LINUX), "1.48", "parameter 'platform'"),
    "delete platforms": (lambda: delete("a", platforms=[LINUX]), "1.50", "parameter 'platforms'"),
    "prune": (prune, "1.25", "POST /images/prune"),
    "prune_builds": (prune_builds, "1.31", "POST /build/prune"),
    "prune_builds max": (lambda: prune_builds(max_used_space=0), "1.48", "parameter 'max-used-space'"),
    "prune_builds min": (lambda: prune_builds(min_free_space=1), "1.48", "parameter 'min-free-space'"),
    "distribution": (lambda: distribution("a"), "1.30", "GET /distribution/a/json"),
    "pull platform": (lambda: pull("a", platform=LINUX), "1.32", "parameter 'platform'"),
    "push platform": (lambda: push("a", platform=LINUX), "1.46", "parameter 'platform'"),
    "export_image platform": (lambda: export_image("a", platform=LINUX), "1.48", "parameter 'platform'"),
    "import_image platform": (lambda: import_image(b"", platform=LINUX), "1.48", "parameter 'platform'"),
    "import_filesystem platform": (
        lambda: import_filesystem(b"", platform=LINUX),
        "1.32",
        "parameter 'platform'",
    ),
    "build platform": (lambda: build(fileobj=b"", platform=LINUX), "1.32", "parameter 'platform'"),
    "build extra_hosts": (
        lambda: build(fileobj=b"", extra_hosts=["a:10.0.0.1"]),
        "1.28",
        "parameter 'extrahosts'",
    ),
    "build network_mode": (
        lambda: build(fileobj=b"", network_mode="host"),
        "1.25",
        "parameter 'networkmode'",
    ),
    "build cache_from": (lambda: build(fileobj=b"", cache_from="a"), "1.25", "parameter 'cachefrom'"),
    "build squash": (lambda: build(fileobj=b"", squash=True), "1.25", "parameter 'squash'"),
}


@pytest.mark.parametrize(("operation", "since", "what"), GATED.values(), ids=GATED)
def test_what_a_version_does_not_have(operation: Build, since: str, what: str) -> None:
    request = request_of(operation())
    needed = Version(1, int(since.removeprefix("1.")))
    assert request.target(needed).startswith(f"/v{since}/")
    with pytest.raises(UnsupportedVersion) as caught:
        request.target(before(needed))
    assert caught.value.message == f"{what} needs API {since}, but API {before(needed)} is in use"


def test_what_an_older_version_calls_otherwise() -> None:
    request = request_of(prune_builds(reserved_space=5))
    assert request.target(Version(1, 47)) == "/v1.47/build/prune?keep-storage=5"
    assert request.target(Version(1, 31)) == "/v1.31/build/prune?keep-storage=5"
    assert request.target(Version(1, 48)) == "/v1.48/build/prune?reserved-space=5"


CONTRADICTIONS: dict[str, tuple[Callable[[], object], str]] = {
    "inspect": (
        lambda: inspect("a", platform=LINUX, manifests=True),
        "platform and manifests must not both be given",
    ),
    "tag": (lambda: tag("a", "b:1", tag="2"), "repo 'b:1' and tag '2' contradict each other"),
    "tag digest": (lambda: tag("a", f"b@{DIGEST}"), f"repo must not have a digest: 'b@{DIGEST}'"),
    "pull": (lambda: pull("a:1", tag="2"), "from_image 'a:1' and tag '2' contradict each other"),
    "pull digest": (
        lambda: pull(f"a@{DIGEST}", tag="2"),
        f"from_image 'a@{DIGEST}' and tag '2' contradict each other",
    ),
    "pull all tags of one": (
        lambda: pull("a:1", tag=""),
        "from_image must not have a tag if all tags are requested: 'a:1'",
    ),
    "pull all tags of a digest": (
        lambda: pull(f"a@{DIGEST}", tag=""),
        f"from_image must not have a tag if all tags are requested: 'a@{DIGEST}'",
    ),
    "push": (lambda: push("a:1", tag="2"), "name 'a:1' and tag '2' contradict each other"),
    "push all tags of one": (
        lambda: push("a:1", tag=""),
        "name must not have a tag if all tags are requested: 'a:1'",
    ),
    "export_image": (lambda: export_image([]), "name must name at least one image"),
    "import_filesystem tag": (lambda: import_filesystem(b"", tag="1"), "tag must be given with repo"),
    "import_filesystem both": (
        lambda: import_filesystem(b"", repo="a:1", tag="2"),
        "repo 'a:1' and tag '2' contradict each other",
    ),
    "import_filesystem digest": (
        lambda: import_filesystem(b"", repo=f"a@{DIGEST}"),
        f"repo must not have a digest: 'a@{DIGEST}'",
    ),
    "search": (lambda: search(""), "term must not be empty"),
    "platform": (
        lambda: push("a", platform="linux"),
        "platform must be os/arch or os/arch/variant, not 'linux'",
    ),
    "platforms": (
        lambda: delete("a", platforms=[LINUX, "arm"]),
        "platform must be os/arch or os/arch/variant, not 'arm'",
    ),
    "auth": (
        lambda: pull("a", auth={"password": "x"}),
        "auth needs username and password, identitytoken, registrytoken or auth",
    ),
    "build neither": (build, "exactly one of path, fileobj and remote must be given"),
    "build both": (
        lambda: build(fileobj=b"", remote="http://h"),
        "exactly one of path, fileobj and remote must be given",
    ),
    "build path too": (
        lambda: build(fileobj=b"", path="."),
        "exactly one of path, fileobj and remote must be given",
    ),
    "build compression": (
        lambda: build(compression="gzip"),
        "exactly one of path, fileobj and remote must be given",
    ),
    "build fileobj compression": (
        lambda: build(fileobj=b"", compression="gzip"),
        "dockerfile and compression must not be given with fileobj or remote",
    ),
    "build remote dockerfile": (
        lambda: build(remote="http://h", dockerfile="FROM a"),
        "dockerfile and compression must not be given with fileobj or remote",
    ),
    "build two Dockerfiles": (
        lambda: build(path=".", dockerfile="FROM a", path_dockerfile="Dockerfile"),
        "dockerfile (its text) and path_dockerfile (its path) must not both be given",
    ),
    "build another compression": (
        lambda: build(path=".", compression=cast("Any", "zstd")),
        "compression must be 'gzip' or None, not 'zstd'",
    ),
    "build path encoding": (
        lambda: build(path=".", encoding="gzip"),
        "encoding needs fileobj",
    ),
    "build encoding": (
        lambda: build(remote="http://h", encoding="gzip"),
        "encoding needs fileobj",
    ),
    "build digest": (
        lambda: build(fileobj=b"", tag=["a", f"b@{DIGEST}"]),
        f"tag must not have a digest: 'b@{DIGEST}'",
    ),
}


@pytest.mark.parametrize(("operation", "message"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_contradictions(operation: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError) as caught:  # the whole text follows
        operation()
    assert type(caught.value) is ValueError
    assert str(caught.value) == message


HINTS = {
    "name": 'use filters={"reference": ...}',
    "filter": "use filters={...}",
    "timeuot": "a parameter of a newer API goes into query={'timeuot': ...}",
}


@pytest.mark.parametrize("facade", [AsyncImages, Images])
@pytest.mark.parametrize(("name", "hint"), HINTS.items())
def test_list_rejects_unknown_parameters(facade: Callable[[Client], Any], name: str, hint: str) -> None:
    images = facade(cast("Client", NoClient()))
    with pytest.raises(TypeError) as caught:
        images.list(**{name: "busybox"})
    assert str(caught.value) == f"images.list() got an unexpected keyword argument {name!r}; {hint}"


ODD: Any = object()
WRONG_KINDS: dict[str, Callable[[], object]] = {
    "list filters": lambda: list_images(filters=ODD),
    "list filter": lambda: list_images(filters={"x": ODD}),
    "list all": lambda: list_images(all=cast("Any", 1)),
    "list digests": lambda: list_images(digests=ODD),
    "list shared_size": lambda: list_images(shared_size=ODD),
    "list manifests": lambda: list_images(manifests=ODD),
    "list identity": lambda: list_images(identity=ODD),
    "list other": lambda: cast("Any", list_images)(other=ODD),
    "list query": lambda: list_images(query=ODD),
    "list query value": lambda: list_images(query={"other": ODD}),
    "inspect name": lambda: inspect(ODD),
    "inspect platform": lambda: inspect("a", platform=ODD),
    "inspect manifests": lambda: inspect("a", manifests=ODD),
    "exists name": lambda: exists(ODD),
    "history name": lambda: history(ODD),
    "history platform": lambda: history("a", platform=ODD),
    "tag name": lambda: tag(ODD, "b"),
    "tag repo": lambda: tag("a", ODD),
    "tag tag": lambda: tag("a", "b", tag=ODD),
    "delete name": lambda: delete(ODD),
    "delete force": lambda: delete("a", force=cast("Any", "yes")),
    "delete noprune": lambda: delete("a", noprune=ODD),
    "delete platforms": lambda: delete("a", platforms=ODD),
    "delete platform": lambda: delete("a", platforms=[ODD]),
    "prune filters": lambda: prune(filters=ODD),
    "prune_builds reserved_space": lambda: prune_builds(reserved_space=cast("Any", "1GB")),
    "prune_builds max_used_space": lambda: prune_builds(max_used_space=cast("Any", 1.5)),
    "prune_builds min_free_space": lambda: prune_builds(min_free_space=ODD),
    "prune_builds all_builds": lambda: prune_builds(all_builds=cast("Any", 1)),
    "prune_builds filters": lambda: prune_builds(filters=ODD),
    "search term": lambda: search(ODD),
    "search limit": lambda: search("a", limit=cast("Any", "5")),
    "search filters": lambda: search("a", filters=ODD),
    "search auth": lambda: search("a", auth=ODD),
    "distribution name": lambda: distribution(ODD),
    "distribution auth": lambda: distribution("a", auth=ODD),
    "pull from_image": lambda: pull(ODD),
    "pull tag": lambda: pull("a", tag=ODD),
    "pull repo": lambda: pull("a", repo=ODD),
    "pull platform": lambda: pull("a", platform=ODD),
    "pull auth": lambda: pull("a", auth=ODD),
    "push name": lambda: push(ODD),
    "push tag": lambda: push("a", tag=ODD),
    "push platform": lambda: push("a", platform=ODD),
    "push auth": lambda: push("a", auth=ODD),
    "export_image name": lambda: export_image(ODD),
    "export_image names": lambda: export_image(["a", ODD]),
    "export_image bytes": lambda: export_image(cast("Any", b"busybox")),
    "export_image platform": lambda: export_image("a", platform=ODD),
    "import_image data": lambda: import_image(ODD),
    "import_image nothing": lambda: import_image(cast("Any", None)),
    "import_image quiet": lambda: import_image(b"", quiet=ODD),
    "import_image platform": lambda: import_image(b"", platform=ODD),
    "import_filesystem source": lambda: import_filesystem(ODD),
    "import_filesystem repo": lambda: import_filesystem(b"", repo=ODD),
    "import_filesystem tag": lambda: import_filesystem(b"", repo="a", tag=ODD),
    "import_filesystem message": lambda: import_filesystem(b"", message=ODD),
    "import_filesystem changes": lambda: import_filesystem(b"", changes=ODD),
    "import_filesystem change": lambda: import_filesystem(b"", changes=[ODD]),
    "import_filesystem platform": lambda: import_filesystem(b"", platform=ODD),
}


@pytest.mark.parametrize("operation", WRONG_KINDS.values(), ids=WRONG_KINDS)
def test_wrong_kinds(operation: Callable[[], object]) -> None:
    with pytest.raises(TypeError):
        operation()


BAD_NAMES = [
    "../containers/x",
    "../containers/x?x=",
    "a/../b",
    "a//b",
    "",
    "busybox\n",
    "busy box",
    "%2e%2e/x",
    "a#b",
    "a\\b",
    "a\0",
    "UPPER",
]
NAMED: dict[str, Callable[[Any, str], object]] = {
    "inspect": lambda images, name: images.inspect(name),
    "exists": lambda images, name: images.exists(name),
    "history": lambda images, name: images.history(name),
    "tag name": lambda images, name: images.tag(name, "b"),
    "tag repo": lambda images, name: images.tag("a", name),
    "delete": lambda images, name: images.delete(name),
    "distribution": lambda images, name: images.distribution(name),
    "pull": lambda images, name: images.pull(name),
    "pull stream": lambda images, name: images.pull(name, stream=True),
    "push": lambda images, name: images.push(name),
    "export_image": lambda images, name: images.export_image(name),
    "export_image several": lambda images, name: images.export_image(["a", name]),
    "import_filesystem": lambda images, name: images.import_filesystem(b"", repo=name),
    "build": lambda images, name: images.build(fileobj=b"", tag=name),
    "build several": lambda images, name: images.build(fileobj=b"", tag=["a", name]),
}
FACADES: list[Callable[[Client], object]] = [AsyncImages, Images]


class NoClient:
    """A client that must not be asked for anything."""

    def begin(self, *_: object) -> None:
        raise AssertionError("sent")


@pytest.mark.parametrize("facade", FACADES)
@pytest.mark.parametrize("name", BAD_NAMES, ids=repr)
@pytest.mark.parametrize("operation", NAMED.values(), ids=NAMED)
def test_refused_names(
    operation: Callable[[Any, str], object], name: str, facade: Callable[[Client], object]
) -> None:
    with pytest.raises(InvalidReference) as caught:
        operation(facade(cast("Client", NoClient())), name)
    reason = ": repository name must be lowercase" if name == "UPPER" else ""
    assert caught.value.message == f"invalid image name or id: {name!r}{reason}"


BAD_TAGS: dict[str, Callable[[], object]] = {
    "tag": lambda: tag("a", "b", tag="../x"),
    "pull": lambda: pull("a", tag="x y"),
    "pull digest": lambda: pull("a", tag="sha256:short"),
    "push": lambda: push("a", tag="x?force=1"),
    "push digest": lambda: push(f"a@{DIGEST}"),
    "push digest beside": lambda: push("a", tag=DIGEST),
    "import_filesystem": lambda: import_filesystem(b"", repo="a", tag="-x"),
    "tag an id": lambda: tag("a", DIGEST),
    "pull an id": lambda: pull(DIGEST.removeprefix("sha256:")),
    "push an id": lambda: push(DIGEST),
    "distribution of an id": lambda: distribution(DIGEST),
    "build an id": lambda: build(fileobj=b"", tag=DIGEST),
}


@pytest.mark.parametrize("operation", BAD_TAGS.values(), ids=BAD_TAGS)
def test_refused_tags_digests_and_ids(operation: Callable[[], object]) -> None:
    with pytest.raises(InvalidReference):
        operation()


def test_a_parameter_that_list_names_is_no_parameter_of_a_newer_api() -> None:
    with pytest.raises(ValueError, match=r"^query must not contain 'all'; use the keyword argument$"):
        list_images(query={"all": True})
