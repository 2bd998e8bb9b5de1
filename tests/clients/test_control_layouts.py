"""Caches and contexts in directories with an OCI layout, on a scripted engine."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

from dockerproto import CacheOnly, Layout, LocalCache, OutputFailed, RegistryCache, UploadFailed
from dockerproto.buildkit.content.messages import (
    COMMIT,
    Info,
    InfoRequest,
    InfoResponse,
    WriteRequest,
)
from dockerproto.buildkit.control.messages import Entry, SolveRequest
from dockerproto.buildkit.rpc.handler import OK, Code, Status
from tests.conftest import Connect
from tests.support.calling import Speak, Speaking
from tests.support.controlling import Control, Controlled, building, solved
from tests.support.layouts import MANIFEST_TYPE, descriptor, digest_of, index_of
from tests.testbed.scripted import ScriptedEngine, UntilClosed

pytestmark = pytest.mark.anyio

SERVICE: Final = "/containerd.services.content.v1.Content"
MANIFEST: Final = b"{}"
DIGEST: Final = digest_of(MANIFEST)


def script(engine: ScriptedEngine, control: Control, session: Speak | None = None) -> None:
    engine.api_version = "1.47"
    engine.script("POST", "/session", (session or Speak(), UntilClosed()))
    engine.script("POST", "/grpc", (control, UntilClosed()))


async def build(scripted: ScriptedEngine, connect: Connect, **options: Any) -> Any:
    async with connect(scripted.url) as docker:
        return await docker.images.build(**{"remote": "https://h/a.git", "outputs": CacheOnly(), **options})


def layout(root: Path, index: bytes | None = None, *blobs: bytes) -> Path:
    """Make a directory with an OCI layout."""
    (root / "blobs/sha256").mkdir(parents=True)
    if index is not None:
        (root / "index.json").write_bytes(index)
    for each in blobs:
        (root / "blobs/sha256" / digest_of(each).removeprefix("sha256:")).write_bytes(each)
    return root


class TestReading:
    async def test_the_digests_are_looked_up(
        self, scripted: ScriptedEngine, connect: Connect, tmp_path: Path
    ) -> None:
        """Caches that do not exist are left out; the engine never learns the paths."""
        seen: list[SolveRequest] = []
        script(scripted, building(seen))
        index = index_of(descriptor(b"1", "one"), descriptor(b"2", "latest"))
        path = layout(tmp_path / "cache", index, MANIFEST)
        caches = [
            LocalCache(path),
            LocalCache(tmp_path / "missing"),
            RegistryCache("app:cache"),
            LocalCache(path, tag="one"),
            LocalCache(path, tag="other"),
            LocalCache(path, digest=DIGEST),
            LocalCache(path, digest=digest_of(b"missing")),
            LocalCache(layout(tmp_path / "empty")),
        ]
        await build(scripted, connect, cache_from=caches, contexts={"base": Layout(path, "one")})
        assert seen[0].cache is not None
        expected = (
            Entry("local", {"src": "from-0", "digest": digest_of(b"2")}),
            Entry("registry", {"ref": "app:cache"}),
            Entry("local", {"src": "from-3", "digest": digest_of(b"1")}),
            Entry("local", {"src": "from-5", "digest": DIGEST}),
        )
        assert seen[0].cache.imports == expected
        attributes = seen[0].frontend_attributes
        assert attributes["context:base"] == f"oci-layout://layout-0@{digest_of(b'1')}"
        assert attributes["frontend.caps"] == "moby.buildkit.frontend.contexts+forward"
        assert json.loads(attributes["cache-imports"]) == [
            {"Type": each.type, "Attrs": each.attributes} for each in expected
        ]
        assert str(tmp_path) not in str(attributes)

    async def test_they_are_served(self, scripted: ScriptedEngine, connect: Connect, tmp_path: Path) -> None:
        asked: list[tuple[list[bytes], Status]] = []
        spoken = threading.Event()

        def speak(speaking: Speaking) -> None:
            for store in ("local:from-0", "oci:layout-0", "local:from-1", "layout-0"):
                metadata = [("buildkit-attachable-store-id", store)]
                stream = speaking.begin(f"{SERVICE}/Info", InfoRequest(DIGEST).encode(), metadata=metadata)
                speaking.grpc.finish(stream)
                asked.append(speaking.end(stream))
            spoken.set()

        script(scripted, replying(spoken, {}), Speak(speak))
        path = layout(tmp_path / "cache", index_of(descriptor(MANIFEST)), MANIFEST)
        caches = [LocalCache(path), LocalCache(tmp_path / "missing")]
        await build(scripted, connect, cache_from=caches, contexts={"base": Layout(path)})
        info = InfoResponse(Info(DIGEST, len(MANIFEST))).encode()
        assert asked[:2] == [([info], OK)] * 2
        assert [status.code for _, status in asked[2:]] == [Code.NOT_FOUND] * 2
        assert f"{SERVICE}/Read" in scripted.requests[-1].headers["x-docker-expose-session-grpc-method"]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"contexts": {"base": Layout("no")}}, "cannot use the OCI layout in no: .*No such file"),
            ({"contexts": {"base": Layout("file")}}, "cannot use the OCI layout in file: .*Not a directory"),
            ({"contexts": {"base": Layout("a")}}, "the OCI layout in a has no image with the tag latest"),
            ({"contexts": {"base": Layout("a", "x")}}, "the OCI layout in a has no image with the tag x"),
            (
                {"contexts": {"base": Layout("a", digest=DIGEST)}},
                f"the OCI layout in a has no image with the digest {DIGEST}",
            ),
            (
                {"contexts": {"base": Layout("bad")}},
                "cannot use the OCI layout in bad: malformed index.json: Input data",
            ),
            (
                {"cache_from": LocalCache("bad")},
                "cannot use the OCI layout in bad: malformed index.json: Input data",
            ),
            (
                {"cache_from": LocalCache("wrong")},
                "cannot use the OCI layout in wrong: malformed index.json: Expected",
            ),
            ({"cache_from": LocalCache("file")}, "cannot use the OCI layout in file: .*Not a directory"),
            ({"cache_from": LocalCache("link")}, "cannot use the OCI layout in link: .*symbolic link"),
        ],
        ids=str,
    )
    async def test_a_layout_that_cannot_be_read(
        self,
        *,
        scripted: ScriptedEngine,
        connect: Connect,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        arguments: Any,
        message: str,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "file").touch()
        layout(tmp_path / "a", index_of(descriptor(b"1", "1"), descriptor(b"2", "2")))
        layout(tmp_path / "bad", b"{")
        layout(tmp_path / "wrong", b'{"manifests": [{"digest": 5}]}')
        layout(tmp_path / "link")
        (tmp_path / "link/index.json").symlink_to("../a/index.json")
        script(scripted, building())
        with pytest.raises(UploadFailed, match=f"^{message}"):
            await build(scripted, connect, **arguments)
        assert [each.path for each in scripted.requests] == ["/_ping", "/grpc"]


def replying(spoken: threading.Event, response: Mapping[str, str]) -> Control:
    """Return a step that builds, once the session was used."""

    def engine(control: Controlled) -> None:
        control.begin()
        spoken.wait()
        control.reply("Status")
        control.reply("Solve", solved(response))

    return Control(engine)


def writing(scripted: ScriptedEngine, response: Mapping[str, str]) -> None:
    """Let the engine write a manifest into the cache, and report something about it."""
    spoken = threading.Event()

    def speak(speaking: Speaking) -> None:
        request = WriteRequest(COMMIT, "ref", len(MANIFEST), DIGEST, data=MANIFEST)
        metadata = [("buildkit-attachable-store-id", "local:to-0")]
        stream = speaking.begin(f"{SERVICE}/Write", request.encode(), metadata=metadata)
        assert speaking.end(stream)[1] == OK
        spoken.set()

    script(scripted, replying(spoken, response), Speak(speak))


class TestWriting:
    async def test_the_manifest_gets_its_tag(
        self, scripted: ScriptedEngine, connect: Connect, tmp_path: Path
    ) -> None:
        writing(scripted, {"cache.manifest": json.dumps(descriptor(MANIFEST))})
        build_options: dict[str, Any] = {"cache_to": LocalCache(tmp_path / "new/cache", tag="t")}
        built = await build(scripted, connect, **build_options)
        assert json.loads((tmp_path / "new/cache/index.json").read_bytes()) == {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "manifests": [descriptor(MANIFEST, "t")],
        }
        assert built.result.metadata["cache.manifest"]["digest"] == DIGEST

    async def test_once_while_it_streams(
        self, scripted: ScriptedEngine, connect: Connect, tmp_path: Path
    ) -> None:
        writing(scripted, {"cache.manifest": json.dumps(descriptor(MANIFEST))})
        async with (
            connect(scripted.url) as docker,
            docker.images.build(
                remote="https://h/a.git", cache_to=LocalCache(tmp_path), outputs=CacheOnly(), stream=True
            ) as stream,
        ):
            async for _ in stream:
                pass
        assert len(json.loads((tmp_path / "index.json").read_bytes())["manifests"]) == 1

    async def test_an_empty_cache_has_no_manifest(
        self, scripted: ScriptedEngine, connect: Connect, tmp_path: Path
    ) -> None:
        writing(scripted, {})
        await build(scripted, connect, cache_to=LocalCache(tmp_path))
        assert not await anyio.Path(tmp_path / "index.json").exists()

    @pytest.mark.parametrize(
        ("reported", "message"),
        [
            ("text", "Expected `object`, got `str`"),
            ("{}", "Object missing required field `digest`"),
            (json.dumps({"digest": "../../x"}), "a digest is not sha256: and 64 hexadecimal digits"),
            (json.dumps(descriptor(b"other")), f"the engine has not written {digest_of(b'other')}"),
            (json.dumps(descriptor(MANIFEST, size=5)), f"the engine has not written {DIGEST}"),
        ],
    )
    async def test_a_manifest_that_was_not_written(
        self, scripted: ScriptedEngine, connect: Connect, tmp_path: Path, reported: str, message: str
    ) -> None:
        writing(scripted, {"cache.manifest": reported})
        expected = (
            f"^the build succeeded, but its cache cannot be added to the index of {tmp_path}: {message}"
        )
        with pytest.raises(OutputFailed, match=expected):
            await build(scripted, connect, cache_to=LocalCache(tmp_path))
        assert not await anyio.Path(tmp_path / "index.json").exists()

    async def test_a_malformed_index_is_kept(
        self, scripted: ScriptedEngine, connect: Connect, tmp_path: Path
    ) -> None:
        writing(scripted, {"cache.manifest": json.dumps(descriptor(MANIFEST))})
        layout(tmp_path / "cache", b"[]")
        with pytest.raises(OutputFailed, match=r"malformed index\.json: Expected `object`, got `array`"):
            await build(scripted, connect, cache_to=LocalCache(tmp_path / "cache"))
        assert (tmp_path / "cache/index.json").read_bytes() == b"[]"

    async def test_a_directory_that_cannot_be_made(
        self, scripted: ScriptedEngine, connect: Connect, tmp_path: Path
    ) -> None:
        (tmp_path / "file").touch()
        for path in (tmp_path / "file", tmp_path / "file/cache"):
            script(scripted, building())
            with pytest.raises(OutputFailed, match=r"^cannot use the OCI layout in .*file"):
                await build(scripted, connect, cache_to=LocalCache(path))
        assert "/session" not in [each.path for each in scripted.requests]
