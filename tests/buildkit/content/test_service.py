"""Content stores, call by call, with correct and with hostile engines."""

from __future__ import annotations

from typing import Any, Final

import pytest

from dockerproto import OutputFailed, ProtocolViolated
from dockerproto.buildkit.content.messages import (
    COMMIT,
    STAT,
    WRITE,
    Info,
    InfoRequest,
    InfoResponse,
    ReadRequest,
    ReadResponse,
    WriteRequest,
    WriteResponse,
)
from dockerproto.buildkit.content.service import CHUNK, BlobWriter, ContentStore, content
from dockerproto.buildkit.rpc.handler import OK, Code, Status
from tests.support.calling import Engine
from tests.support.filesync import drain
from tests.support.layouts import MemoryLayout, digest_of

SERVICE: Final = "/containerd.services.content.v1.Content"
BLOB: Final = b"content of a blob"
LONG: Final = bytes(range(256)) * (CHUNK // 100)
MISSING: Final = digest_of(b"missing")
INVALID_DIGESTS: Final = (
    "",
    "sha256:",
    "../../etc/passwd",
    f"sha256:{'../' * 21}x",
    f"sha256:{'AB' * 32}",
    f"sha256:{'ab' * 32}\n",
    f"sha256:{'ab' * 33}",
    f"sha512:{'ab' * 64}",
    f"blobs/sha256:{'ab' * 32}",
    "\udcff" * 64,
)


@pytest.fixture
def layout() -> MemoryLayout:
    return MemoryLayout(BLOB, LONG)


@pytest.fixture
def engine(layout: MemoryLayout) -> Engine:
    return Engine(content({"local:a": ContentStore(layout, writable=True), "oci:b": ContentStore(layout)}))


def call(engine: Engine, method: str, *messages: bytes, store: str = "local:a") -> tuple[list[bytes], Status]:
    """Call a method, and return the replies and the status."""
    metadata = [("buildkit-attachable-store-id", store)] if store else []
    stream = engine.begin(f"{SERVICE}/{method}", *messages, metadata=metadata)
    engine.grpc.finish(stream)
    engine.run()
    return engine.messages[stream], engine.statuses[stream]


def read(engine: Engine, digest: str, offset: int = 0, size: int = 0) -> tuple[bytes, Status]:
    """Read a part of a blob, whose chunks must follow each other."""
    messages, status = call(engine, "Read", ReadRequest(digest, offset, size).encode())
    data = b""
    for message in map(ReadResponse.decode, messages):
        assert (message.offset, len(message.data) <= CHUNK) == (len(data), True)
        data += message.data
    return data, status


def write(engine: Engine, *requests: WriteRequest) -> tuple[list[WriteResponse], Status]:
    messages, status = call(engine, "Write", *(each.encode() for each in requests))
    return [WriteResponse.decode(each) for each in messages], status


def announced(blob: bytes, **changes: Any) -> WriteRequest:
    """Return the request that begins to write a blob."""
    fields: dict[str, Any] = {"ref": "r", "total": len(blob), "expected": digest_of(blob), **changes}
    return WriteRequest(**fields)


class TestInfo:
    def test_of_a_blob(self, engine: Engine) -> None:
        for store in ("local:a", "oci:b"):
            messages, status = call(engine, "Info", InfoRequest(digest_of(BLOB)).encode(), store=store)
            assert status == OK
            assert InfoResponse.decode(messages[0]).info == Info(digest_of(BLOB), len(BLOB))

    def test_of_a_missing_blob(self, engine: Engine) -> None:
        _, status = call(engine, "Info", InfoRequest(MISSING).encode())
        assert status == Status(Code.NOT_FOUND, f"{MISSING} does not exist")
        assert engine.session.failure is None

    @pytest.mark.parametrize("digest", INVALID_DIGESTS, ids=ascii)
    def test_of_something_else(self, engine: Engine, digest: str) -> None:
        _, status = call(engine, "Info", InfoRequest(digest).encode())
        assert status.code == Code.INVALID_ARGUMENT
        assert status.message.startswith("digest must be sha256: and 64 hexadecimal digits, not ")

    @pytest.mark.parametrize("method", ["Info", "Read", "Write"])
    @pytest.mark.parametrize("store", ["", "a", "local:", "local:../a", "x" * 5000])
    def test_of_an_unknown_store(self, engine: Engine, method: str, store: str) -> None:
        _, status = call(engine, method, store=store)
        assert status.code == Code.NOT_FOUND
        assert status.message.startswith("unknown content store '")
        assert len(status.message) < 400

    @pytest.mark.parametrize("method", ["Update", "Delete", "List", "Status", "ListStatuses", "Abort"])
    def test_engines_need_no_other_methods(self, engine: Engine, method: str) -> None:
        assert call(engine, method)[1].code == Code.UNIMPLEMENTED

    @pytest.mark.parametrize("method", ["Info", "Read", "Write"])
    def test_of_a_malformed_message(self, engine: Engine, method: str) -> None:
        assert call(engine, method, b"\xff")[1].code == Code.UNKNOWN
        assert isinstance(engine.session.failure, ProtocolViolated)


class TestRead:
    @pytest.mark.parametrize(
        ("offset", "size", "expected"),
        [
            (0, 0, BLOB),
            (0, -1, BLOB),
            (3, 0, BLOB[3:]),
            (3, 4, BLOB[3:7]),
            (0, 2**63 - 1, BLOB),
            (3, 2**63 - 1, BLOB[3:]),
            (len(BLOB), 5, b""),
        ],
    )
    def test_a_part(
        self, engine: Engine, layout: MemoryLayout, offset: int, size: int, expected: bytes
    ) -> None:
        assert read(engine, digest_of(BLOB), offset, size) == (expected, OK)
        assert all(each.closed for each in layout.read)

    def test_a_long_blob_in_chunks(self, engine: Engine) -> None:
        assert read(engine, digest_of(LONG)) == (LONG, OK)
        assert read(engine, digest_of(LONG), 5, CHUNK + 1) == (LONG[5 : CHUNK + 6], OK)

    @pytest.mark.parametrize("offset", [len(BLOB) + 1, 2**63 - 1, -1, -(2**63)])
    def test_beyond_the_end(self, engine: Engine, offset: int) -> None:
        _, status = read(engine, digest_of(BLOB), offset)
        assert status.code == Code.OUT_OF_RANGE

    @pytest.mark.parametrize(
        ("digest", "code"), [(MISSING, Code.NOT_FOUND), ("sha256:../x", Code.INVALID_ARGUMENT)]
    )
    def test_of_something_else(self, engine: Engine, digest: str, code: Code) -> None:
        assert read(engine, digest)[1].code == code

    def test_of_a_blob_that_is_truncated_meanwhile(
        self, engine: Engine, layout: MemoryLayout, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def size(_: str) -> int:
            return len(BLOB) + 1

        monkeypatch.setattr(layout, "size", size)
        data, status = read(engine, digest_of(BLOB))
        assert (data, status.message) == (BLOB, "the blob was truncated while it was read")

    def test_that_is_aborted(self, engine: Engine, layout: MemoryLayout) -> None:
        metadata = [("buildkit-attachable-store-id", "oci:b")]
        stream = engine.begin(f"{SERVICE}/Read", ReadRequest(digest_of(LONG)).encode(), metadata=metadata)
        engine.grpc.finish(stream)
        while not layout.read:
            engine.carry()
            engine.step()
        engine.grpc.reset(stream)
        engine.run()
        assert layout.read[0].closed

    def test_of_nothing(self, engine: Engine) -> None:
        """A call without a message has an empty one."""
        assert call(engine, "Read")[1].code == Code.INVALID_ARGUMENT


NEW: Final = b"a new blob"
HALF: Final = len(NEW) // 2


class TestWrite:
    def test_a_blob(self, engine: Engine, layout: MemoryLayout) -> None:
        replies, status = write(
            engine,
            announced(NEW),
            WriteRequest(WRITE, data=NEW[:HALF]),
            WriteRequest(STAT),
            WriteRequest(WRITE, offset=HALF, data=NEW[HALF:]),
            WriteRequest(COMMIT, total=len(NEW), expected=digest_of(NEW), offset=len(NEW)),
        )
        assert status == OK
        assert [(each.action, each.offset, each.total) for each in replies] == [
            (STAT, 0, len(NEW)),
            (WRITE, HALF, len(NEW)),
            (STAT, HALF, len(NEW)),
            (WRITE, len(NEW), len(NEW)),
            (COMMIT, len(NEW), len(NEW)),
        ]
        assert replies[2].digest == digest_of(NEW[:HALF])
        assert replies[-1].digest == digest_of(NEW)
        assert layout.blobs[digest_of(NEW)] == NEW
        assert layout.parts == []

    @pytest.mark.parametrize("blob", [b"", NEW])
    def test_a_blob_in_one_request(self, engine: Engine, layout: MemoryLayout, blob: bytes) -> None:
        assert write(engine, announced(blob, action=COMMIT, data=blob))[1] == OK
        assert layout.blobs[digest_of(blob)] == blob

    def test_ends_with_the_commit(self, engine: Engine, layout: MemoryLayout) -> None:
        """Requests after it are not handled."""
        replies, status = write(
            engine, announced(NEW, action=COMMIT, data=NEW), announced(b"x", action=COMMIT, data=b"x")
        )
        assert (len(replies), status) == (1, OK)
        assert digest_of(b"x") not in layout.blobs

    def test_a_blob_that_exists(self, engine: Engine, layout: MemoryLayout) -> None:
        assert write(engine, announced(BLOB))[1] == Status(Code.ALREADY_EXISTS, f"{digest_of(BLOB)} exists")
        assert layout.parts == []

    def test_a_blob_that_was_damaged(self, engine: Engine, layout: MemoryLayout) -> None:
        layout.blobs[digest_of(BLOB)] = BLOB[:3]
        assert write(engine, announced(BLOB, action=COMMIT, data=BLOB))[1] == OK
        assert layout.blobs[digest_of(BLOB)] == BLOB

    def test_into_a_store_for_reading(self, engine: Engine, layout: MemoryLayout) -> None:
        _, status = call(engine, "Write", announced(NEW, action=COMMIT, data=NEW).encode(), store="oci:b")
        assert status.code == Code.PERMISSION_DENIED
        assert digest_of(NEW) not in layout.blobs

    @pytest.mark.parametrize(
        ("requests", "code"),
        [
            ([announced(NEW, ref="")], Code.INVALID_ARGUMENT),
            ([announced(NEW, total=-1)], Code.INVALID_ARGUMENT),
            ([announced(NEW, total=2**63 - 1)], Code.INVALID_ARGUMENT),
            ([announced(NEW, action=3)], Code.INVALID_ARGUMENT),
            ([announced(NEW), WriteRequest(-1)], Code.INVALID_ARGUMENT),
            *(([announced(NEW, expected=each)], Code.INVALID_ARGUMENT) for each in INVALID_DIGESTS),
            ([announced(NEW), WriteRequest(WRITE, offset=1, data=b"a")], Code.OUT_OF_RANGE),
            ([announced(NEW), WriteRequest(WRITE, offset=-1, data=b"a")], Code.OUT_OF_RANGE),
            ([announced(NEW, action=WRITE, data=b"a"), WriteRequest(WRITE, data=b"a")], Code.OUT_OF_RANGE),
            ([announced(NEW), WriteRequest(WRITE, data=NEW + b"x")], Code.OUT_OF_RANGE),
            ([announced(NEW), *[WriteRequest(WRITE)] * 9, WriteRequest(COMMIT)], Code.FAILED_PRECONDITION),
            ([announced(NEW, action=COMMIT, data=NEW[1:])], Code.FAILED_PRECONDITION),
            ([announced(NEW, action=COMMIT, data=NEW.upper())], Code.FAILED_PRECONDITION),
            (
                [announced(NEW, action=WRITE, data=NEW), WriteRequest(COMMIT, total=3, offset=len(NEW))],
                Code.FAILED_PRECONDITION,
            ),
            (
                [announced(NEW, action=WRITE, data=NEW), WriteRequest(COMMIT, "", 0, MISSING, len(NEW))],
                Code.FAILED_PRECONDITION,
            ),
        ],
        ids=str,
    )  # fmt: skip
    def test_something_else(
        self, engine: Engine, layout: MemoryLayout, requests: list[WriteRequest], code: Code
    ) -> None:
        before = dict(layout.blobs)
        assert write(engine, *requests)[1].code == code
        assert (layout.blobs, layout.parts) == (before, [])

    def test_that_ends_early(self, engine: Engine, layout: MemoryLayout) -> None:
        assert write(engine, announced(NEW), WriteRequest(WRITE, data=NEW))[1] == OK
        assert write(engine) == ([], OK)
        assert digest_of(NEW) not in layout.blobs
        assert layout.parts == []

    def test_that_fails(self, engine: Engine, layout: MemoryLayout) -> None:
        metadata = [("buildkit-attachable-store-id", "local:a")]
        stream = engine.begin(f"{SERVICE}/Write", announced(NEW).encode(), metadata=metadata)
        engine.run()
        layout.parts[0].fails = True
        engine.grpc.send(stream, WriteRequest(WRITE, data=NEW).encode())
        engine.run()
        assert engine.statuses[stream].message.startswith("cannot write the cache: ")
        assert isinstance(engine.session.failure, OutputFailed)
        assert layout.parts == []

    def test_of_a_blob_over_the_limit(self, layout: MemoryLayout) -> None:
        writer = BlobWriter(layout, limit=len(NEW) - 1)
        writer.receive(announced(NEW).encode())
        with pytest.raises(Exception, match=r"^a blob needs a ref, and a size of at most 9 bytes$"):
            drain(writer)
