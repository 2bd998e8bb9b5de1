"""Contexts of directories: what is found, what is sent, and how a client does it."""

from __future__ import annotations

import io
import os
import tarfile
import threading
from pathlib import Path
from typing import Any

import anyio
import pytest

from dockerproto import DockerError, InvalidPattern, UploadFailed
from dockerproto.buildcontext.plan import BuildContext, ContextSource
from dockerproto.http.uploads import CHUNK_LIMIT, READ_SIZE
from dockerproto.images.build import build
from dockerproto_local.build_context import open_context
from tests.conftest import Connect
from tests.engines.differences import Difference
from tests.images.test_operations import body_of
from tests.testbed.private import PrivateEngine
from tests.testbed.scripted import ReadSome, ScriptedEngine, UntilClosed, chunked, wait_until

BUILD = ("POST", "/build")
BUILT = chunked(b'{"stream":"Successfully built 0123456789ab\\n"}')


def make(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def descriptors() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


def opened(directory: Path | None, **options: Any) -> ContextSource:
    return open_context(BuildContext(directory=None if directory is None else str(directory), **options))


def read(archive: bytes) -> dict[str, str | None]:
    """Return the contents of an archive by name."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        files = {member.name: tar.extractfile(member) if member.isreg() else None for member in tar}
        return {name: file.read().decode() if file else None for name, file in files.items()}


TREE = {"Dockerfile": "FROM a\n", "a": "A", "d/b": "B", "d/Other": "FROM b\n"}

PLANS: list[tuple[str, dict[str, str], dict[str, Any], str, str, dict[str, str]]] = [
    # what it shows, more files, options, the Dockerfile's name, what is sent, some contents
    ("all", {}, {}, "Dockerfile", "Dockerfile a d d/Other d/b", {}),
    ("another Dockerfile", {}, {"dockerfile": "d/Other"}, "d/Other", "Dockerfile a d d/Other d/b", {}),
    (
        "a clean name",
        {},
        {"dockerfile": "./x/../d//Other"},
        "d/Other",
        "Dockerfile a d d/Other d/b x x/y",
        {},
    ),
    ("an ignore file", {".dockerignore": "d\n"}, {}, "Dockerfile", ".dockerignore Dockerfile a", {}),
    ("all left out", {".dockerignore": "*\n"}, {}, "Dockerfile", "Dockerfile .dockerignore", {}),
    (
        "BuildKit needs no ignore file",
        {".dockerignore": "*\n!**/b"},
        {"classic": False},
        "Dockerfile",
        "d d/b Dockerfile",
        {},
    ),
    (
        "its own ignore file",
        {".dockerignore": "a\n", "Dockerfile.dockerignore": "d\n"},
        {},
        "Dockerfile",
        "Dockerfile Dockerfile.dockerignore a .dockerignore",
        {".dockerignore": "d\n\n"},
    ),
    (
        "its own ignore file only",
        {"d/Other.dockerignore": "d\n"},
        {"dockerfile": "d/Other"},
        "d/Other",
        "Dockerfile a d/Other .dockerignore",
        {".dockerignore": "d\n\n.dockerignore\n"},
    ),
    (
        "its own ignore file for BuildKit",
        {".dockerignore": "a\n", "Dockerfile.dockerignore": "d\n"},
        {"classic": False},
        "Dockerfile",
        ".dockerignore Dockerfile Dockerfile.dockerignore a",
        {".dockerignore": "a\n"},
    ),
]


@pytest.mark.parametrize("plan", [plan[1:] for plan in PLANS], ids=[plan[0] for plan in PLANS])
def test_what_is_sent(plan: Any, tmp_path: Path) -> None:
    files, options, dockerfile, names, contents = plan
    make(tmp_path, {**TREE, **files, **({"x/y": ""} if "x" in options.get("dockerfile", "") else {})})
    source = opened(tmp_path, **options)
    sent = read(b"".join(source))
    assert source.plan.dockerfile == dockerfile
    assert [*sent] == names.split()
    assert contents.items() <= sent.items()
    assert source.dockerfile(dockerfile) == (sent[dockerfile] or "").encode()
    assert source.dockerfile("another") is None


@pytest.mark.parametrize("ignore", [None, "a\n"])
@pytest.mark.parametrize("classic", [True, False])
@pytest.mark.parametrize("where", ["memory", "outside", "linked outside"])
def test_a_dockerfile_from_elsewhere_has_a_name_of_its_own(
    where: str, classic: bool, ignore: str | None, tmp_path: Path
) -> None:
    root = make(tmp_path / "root", {**TREE, **({} if ignore is None else {".dockerignore": ignore})})
    make(tmp_path, {"outside": "FROM x\n"})
    (tmp_path / "link").symlink_to("outside")
    places: dict[str, dict[str, Any]] = {
        "memory": {"content": b"FROM x\n"},
        "outside": {"dockerfile": "../outside"},
        "linked outside": {"dockerfile": "../link"},
    }
    options = places[where]
    source = opened(root, classic=classic, **options)
    name = source.plan.dockerfile
    sent = read(b"".join(source))
    assert name.startswith(".dockerfile.")
    assert sent[name] == "FROM x\n"
    assert opened(root, classic=classic, **options).plan.dockerfile == name
    expected = {True: f"a\n\n{name}\n", False: "a\n"}[classic] if ignore else None
    if classic and not ignore:
        expected = f".dockerignore\n{name}\n"
    assert sent.get(".dockerignore") == expected
    (root / name).touch()
    assert opened(root, classic=classic, **options).plan.dockerfile not in (name, "Dockerfile")


def test_the_ignore_file_of_a_dockerfile_from_elsewhere_goes_with_it_to_buildkit(tmp_path: Path) -> None:
    root = make(tmp_path / "root", TREE)
    make(tmp_path, {"outside": "FROM x\n", "outside.dockerignore": "d\n"})
    source = opened(root, dockerfile="../outside", classic=False)
    name = source.plan.dockerfile
    sent = read(b"".join(source))
    assert [*sent] == ["Dockerfile", "a", name, f"{name}.dockerignore"]
    assert sent[f"{name}.dockerignore"] == "d\n"


def test_a_dockerfile_alone_is_a_context() -> None:
    source = opened(None, content=b"FROM x\n")
    name = source.plan.dockerfile
    assert read(b"".join(source)) == {name: "FROM x\n", ".dockerignore": f".dockerignore\n{name}\n"}


def test_a_dockerfile_may_be_written_in_small_letters(tmp_path: Path) -> None:
    make(tmp_path, {"dockerfile": "FROM x\n"})
    assert opened(tmp_path).plan.dockerfile == "dockerfile"
    make(tmp_path, {"Dockerfile": "FROM y\n"})
    assert opened(tmp_path).content == b"FROM y\n"


def test_an_ignore_file_may_be_a_link(tmp_path: Path) -> None:
    make(tmp_path, {**TREE, "rules": "d\n"})
    (tmp_path / ".dockerignore").symlink_to("rules")
    assert "d/b" not in read(b"".join(opened(tmp_path)))


def test_a_file_that_is_always_sent_and_vanishes_is_told(tmp_path: Path) -> None:
    make(tmp_path, {**TREE, ".dockerignore": "*\n"})
    source = opened(tmp_path)
    (tmp_path / "Dockerfile").unlink()
    with pytest.raises(UploadFailed, match=r"cannot read .*/Dockerfile: No such file"):
        b"".join(source)


REFUSED: list[tuple[dict[str, str], str, type[DockerError], str]] = [
    ({}, "root", UploadFailed, "root' is not a directory"),
    ({"root": ""}, "root", UploadFailed, "root' is not a directory"),
    ({"root/a": ""}, "root", UploadFailed, "cannot read .*/root/Dockerfile: No such file or directory"),
    ({"root/Dockerfile/a": ""}, "root", UploadFailed, "cannot read .*/root/Dockerfile: Is a directory"),
    (
        {"root/Dockerfile": "", "root/.dockerignore/a": ""},
        "root",
        UploadFailed,
        "dockerignore: Is a directory",
    ),
    ({"root/Dockerfile": "", "root/.dockerignore": "a\n["}, "root", InvalidPattern, "dockerignore, line 2: "),
]


def test_an_empty_path_is_no_directory() -> None:
    with pytest.raises(UploadFailed, match=r"^'' is not a directory"):
        open_context(BuildContext(directory=""))


@pytest.mark.anyio
@pytest.mark.parametrize("case", REFUSED, ids=range(len(REFUSED)))
async def test_nothing_is_sent_of_what_cannot_be(
    case: Any, tmp_path: Path, scripted: ScriptedEngine, connect: Connect
) -> None:
    files, path, error, message = case
    make(tmp_path, files)
    async with connect(scripted.url) as docker:
        with pytest.raises(error, match=message):
            await docker.images.build(path=tmp_path / path)
    assert not [each for each in scripted.requests if each.path == "/build"]


@pytest.mark.anyio
async def test_a_directory_is_uploaded(tmp_path: Path, scripted: ScriptedEngine, connect: Connect) -> None:
    scripted.script(*BUILD, BUILT)
    root = make(tmp_path / "root", {**TREE, ".dockerignore": "a\n"})
    sent: list[int] = []
    async with connect(scripted.url) as docker:
        for options in ({}, {"path_dockerfile": Path("d/Other")}, {"compression": "gzip"}):
            await docker.images.build(path=str(root), on_upload=sent.append, **options)
        await docker.images.build(dockerfile="FROM a\n")
    plain, other, compressed, alone = (each for each in scripted.requests if each.path == "/build")
    assert plain.body == b"".join(opened(root))
    assert "dockerfile" not in plain.query
    assert other.query["dockerfile"] == ["d/Other"]
    assert read(compressed.body) == read(plain.body)
    assert compressed.body == b"".join(opened(root, compression="gzip"))
    assert sent == [len(plain.body), len(other.body), len(compressed.body)]
    assert alone.query["dockerfile"] == [opened(None, content=b"FROM a\n").plan.dockerfile]


@pytest.mark.anyio
@pytest.mark.parametrize("content", [None, "FROM r.example/a\n"])
async def test_credentials_are_those_that_the_dockerfile_needs(
    content: str | None, tmp_path: Path, scripted: ScriptedEngine, connect: Connect
) -> None:
    scripted.script(*BUILD, BUILT)
    make(tmp_path, {"Dockerfile": "FROM r.example/a\n", ".dockerignore": "*\n"})
    asked: list[str] = []

    def find(registry: str) -> None:
        asked.append(registry)

    async with connect(scripted.url, credentials=find) as docker:
        await docker.images.build(path=tmp_path, dockerfile=content)
    assert asked == ["r.example"]


@pytest.mark.anyio
async def test_how_much_is_sent_is_told_piece_by_piece(
    tmp_path: Path, scripted: ScriptedEngine, connect: Connect
) -> None:
    scripted.script(*BUILD, BUILT)
    scripted.script("POST", "/images/load", BUILT)
    make(tmp_path, TREE)
    (tmp_path / "big").write_bytes(bytes(3 * 2**20))
    sent: list[int] = []
    async with connect(scripted.url) as docker:
        await docker.images.build(path=tmp_path, on_upload=sent.append)
        assert sent == sorted(set(sent))
        assert len(sent) > 2
        assert sent[-1] == scripted.requests[-1].length
        sent.clear()
        await docker.images.import_image(bytes(2 * CHUNK_LIMIT + 5), on_upload=sent.append)
        assert sent == [CHUNK_LIMIT, 2 * CHUNK_LIMIT, 2 * CHUNK_LIMIT + 5]


@pytest.mark.anyio
async def test_a_context_that_breaks_is_not_taken_for_whole(
    tmp_path: Path, scripted: ScriptedEngine, connect: Connect
) -> None:
    scripted.script(*BUILD, BUILT)
    make(tmp_path, TREE)
    (tmp_path / "b").write_bytes(bytes(2 * READ_SIZE))  # more than is read ahead
    (tmp_path / "c").touch()
    gone = threading.Event()

    def vanish(_: int) -> None:
        (tmp_path / "c").unlink(missing_ok=True)
        (tmp_path / "d/b").unlink(missing_ok=True)
        gone.set()

    async with connect(scripted.url) as docker:
        with pytest.raises(UploadFailed, match=r"cannot read .*: No such file"):
            await docker.images.build(path=tmp_path, on_upload=vanish)
    assert gone.is_set()
    wait_until(lambda: scripted.connections_open == 0)
    assert not [each for each in scripted.requests if each.path == "/build" and each.complete]


@pytest.mark.anyio
async def test_the_event_loop_does_not_walk(
    tmp_path: Path,
    scripted: ScriptedEngine,
    connect: Connect,
    transport: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scripted.script(*BUILD, BUILT)
    make(tmp_path, TREE)
    threads: set[int] = set()
    scandir = os.scandir

    def spied(path: str) -> Any:
        threads.add(threading.get_ident())
        return scandir(path)

    monkeypatch.setattr("os.scandir", spied)
    async with connect(scripted.url) as docker:
        await docker.images.build(path=tmp_path)
    assert threads
    assert threading.get_ident() not in threads


@pytest.mark.anyio
@pytest.mark.parametrize("transport", ["asyncio", "trio"])  # what blocks cannot be cancelled
async def test_a_build_that_is_cancelled_leaves_nothing_open(
    tmp_path: Path, scripted: ScriptedEngine, connect: Connect
) -> None:
    scripted.script(*BUILD, (ReadSome(2**16), UntilClosed()))
    make(tmp_path, TREE)
    (tmp_path / "big").write_bytes(bytes(64 * 2**20))
    before = descriptors()
    async with connect(scripted.url) as docker:
        with anyio.move_on_after(0.3) as scope:
            await docker.images.build(path=tmp_path)
        assert scope.cancelled_caught
        await anyio.to_thread.run_sync(lambda: wait_until(lambda: scripted.connections_open == 0))
    wait_until(lambda: descriptors() <= before + 1)


DOCKERFILE = "FROM busybox\nCOPY . /context\nRUN cd /context && find . | sort && cat a\n"
LEFT_OUT = "**/*.o\n!d/kept.o\n.dockerignore\nDockerfile*\n"


@pytest.mark.anyio
@pytest.mark.engine
class TestEngine:
    async def test_it_builds_what_is_not_left_out(
        self, engine: PrivateEngine, connect: Connect, tmp_path: Path
    ) -> None:
        files = {"Dockerfile": DOCKERFILE, "a": "in a\n", "b.o": "", "d/c.o": "", "d/kept.o": "", "e": ""}
        make(tmp_path, {**files, ".dockerignore": LEFT_OUT})
        (tmp_path / "link").symlink_to("a")
        (tmp_path / "hard").hardlink_to(tmp_path / "a")
        (tmp_path / ("long" * 40)).touch()
        async with connect(engine.url) as docker:
            for options in ({}, {"compression": "gzip"}):
                messages = await docker.images.build(
                    path=tmp_path, network_mode="none", nocache=True, **options
                )
                assert found(messages) == [
                    *(".", "./a", "./d", "./d/kept.o", "./e", "./hard", "./link", "./" + "long" * 40, "in a"),
                ]

    @pytest.mark.differs(Difference.NO_BUILDKIT, raises=DockerError)
    @pytest.mark.parametrize("content", [None, "FROM busybox\nCOPY . /context\nRUN {}"])
    async def test_buildkit_is_given_what_is_not_left_out(
        self, engine: PrivateEngine, connect: Connect, tmp_path: Path, content: str | None
    ) -> None:
        check = "cd /context && test -e d/kept.o -a -e a -a ! -e b.o -a ! -e d/c.o -a ! -e Dockerfile"
        files = {"Dockerfile": f"FROM busybox\nCOPY . /context\nRUN {check}\n", "a": "", "b.o": ""}
        make(tmp_path, {**files, "d/c.o": "", "d/kept.o": "", ".dockerignore": LEFT_OUT})
        text = None if content is None else content.format(check)
        async with connect(engine.url) as docker:
            messages = await docker.images.build(
                path=tmp_path,
                dockerfile=text,
                builder="buildkit",
                nocache=True,
                network_mode="none",
                tag="dockerproto/context",
            )
            assert any("trace" in message for message in messages)
            assert await docker.images.exists("dockerproto/context")

    async def test_a_dockerfile_in_memory_is_in_no_image(
        self, engine: PrivateEngine, connect: Connect, tmp_path: Path
    ) -> None:
        make(tmp_path, {"Dockerfile": "FROM nothing\n", "a": "in a\n"})
        async with connect(engine.url) as docker:
            messages = await docker.images.build(
                path=tmp_path, dockerfile=DOCKERFILE, network_mode="none", nocache=True
            )
            assert found(messages) == [".", "./Dockerfile", "./a", "in a"]

    async def test_a_dockerfile_alone_builds(self, engine: PrivateEngine, connect: Connect) -> None:
        async with connect(engine.url) as docker:
            text = "FROM busybox\nCOPY . /context\nRUN cd /context && find .\n"
            messages = await docker.images.build(dockerfile=text, network_mode="none", nocache=True)
            assert found(messages) == ["."]


def found(messages: list[Any]) -> list[str]:
    """Return what the last step printed."""
    text = "".join(message.get("stream", "") for message in messages)
    return [line for line in text.splitlines() if line.startswith((".", "in "))]


def test_a_request_shows_its_context() -> None:
    operation = build(path=Path("dir"), dockerfile=b"FROM hidden")
    assert body_of(operation) == BuildContext(directory="dir", content=b"FROM hidden")
    assert "hidden" not in repr(operation)
    assert body_of(build(path="d", builder="buildkit")) == BuildContext(directory="d", classic=False)


@pytest.mark.parametrize("argument", ["path", "dockerfile", "path_dockerfile"])
def test_arguments_of_other_types_are_refused(argument: str) -> None:
    untyped: Any = build
    with pytest.raises(TypeError, match=f"^{argument} must be a str or "):
        untyped(**{"path": ".", argument: 5})
