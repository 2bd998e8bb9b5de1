"""The calls and messages of an engine that is hostile, made of any bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from dockerproto.buildkit.content.messages import COMMIT, STAT, WRITE, ReadRequest, WriteRequest
from dockerproto.buildkit.files.fsutil import BytesMessage, Packet, PacketType, Stat
from dockerproto.buildkit.session.messages import GetSecretRequest
from dockerproto.protobuf.codec import ProtoMessage
from tests.support.layouts import digest_of

T = TypeVar("T")

METHODS: Final = (
    "/grpc.health.v1.Health/Check",
    "/moby.buildkit.secrets.v1.Secrets/GetSecret",
    "/moby.filesync.v1.Auth/Credentials",
    "/moby.filesync.v1.FileSync/DiffCopy",
    "/moby.filesync.v1.FileSend/DiffCopy",
    "/moby.sshforward.v1.SSH/CheckAgent",
    "/moby.sshforward.v1.SSH/ForwardAgent",
    "/moby.filesync.v1.Auth/FetchToken",
    "/moby.filesync.v1.Auth/GetTokenAuthority",
    "/moby.filesync.v1.Auth/VerifyTokenAuthority",
    "/containerd.services.content.v1.Content/Info",
    "/containerd.services.content.v1.Content/Read",
    "/containerd.services.content.v1.Content/Write",
    "",
)
PATHS: Final = (
    "a",
    "b",
    "d",
    "d/a",
    "d/e",
    "d/e/f",
    "\udcff",
    "..",
    "a/../b",
    "/etc",
    "",
    "link/x",
    "long" * 70,
)
BLOB: Final = b"content of a blob"
DIGESTS: Final = (digest_of(BLOB), digest_of(b"x"), f"sha256:{'../' * 21}x", "sha256:", "")
MODES: Final = (0o644, 1 << 31 | 0o755, 1 << 27 | 0o777, 1 << 26, 1 << 25, 1 << 24, 1 << 23 | 0o4755, 1 << 19)
NUMBERS: Final = (0, 1, 2, 3, 5, 31, 32, 127, 300, 2**31 - 1, 2**32 - 1, 2**63 - 1, -1, -(2**63))
PATTERNS: Final = (
    "*",
    "**",
    "a",
    "d/*",
    "!d/a",
    "[",
    "[^a-]*",
    "\\",
    "d/**/f",
    "../..",
    "%ff",
    "*a*a*b",
    "link/*",
)


class Choices:
    """Bytes that choose; when they are used up, they choose the first of everything."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken

    def rest(self) -> bytes:
        return self.take(len(self._data))

    def below(self, limit: int) -> int:
        return int.from_bytes(self.take(1 if limit <= 256 else 4)) % limit

    def pick(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]

    def maybe(self, one_in: int) -> bool:
        """Say yes sometimes; never when the bytes are used up."""
        return bool(self) and self.below(one_in) == one_in - 1

    def text(self) -> bytes:
        return self.take(self.below(40))

    def cut(self, data: bytes) -> Iterator[bytes]:
        """Cut data at up to four places."""
        for _ in range(self.below(5)):
            size = self.below(len(data) + 1)
            yield data[:size]
            data = data[size:]
        yield data


def packet(choices: Choices) -> ProtoMessage:
    """Make a packet of files."""
    kind = choices.pick(
        (
            PacketType.STAT,
            PacketType.STAT,
            PacketType.REQ,
            PacketType.DATA,
            PacketType.FIN,
            PacketType.ERR,
            PacketType.STAT,
            7,
        )
    )
    stat = Stat(
        path=choices.pick(PATHS),
        mode=choices.pick(MODES),
        size=choices.pick(NUMBERS),
        linkname=choices.pick(("", "", *PATHS)),
        mod_time=choices.pick(NUMBERS),
    )
    return Packet(
        type=kind,
        stat=stat if kind == PacketType.STAT and not choices.maybe(4) else None,
        ID=choices.pick(NUMBERS[:11]),
        data=choices.text() if kind in (PacketType.DATA, PacketType.ERR) else b"",
    )


def agent_bytes(choices: Choices) -> ProtoMessage:
    """Make a piece of what is said to an agent."""
    content = choices.pick((b"\x0b", b"\x0d", b"\x11", b"")) + choices.text()
    length = len(content) if not choices.maybe(4) else choices.below(2**32)
    return BytesMessage(struct.pack(">I", length) + content + bytes(choices.pick((0, 0, 4, 1024, 3000))))


def write_request(choices: Choices) -> ProtoMessage:
    """Make a request to write a blob, which may even be right."""
    content = choices.text()
    return WriteRequest(
        action=choices.pick((COMMIT, COMMIT, WRITE, STAT, 7)),
        ref=choices.pick(("r", "r", "r", "")),
        total=choices.pick((len(content), len(content), *NUMBERS)),
        expected=choices.pick((digest_of(content), digest_of(content), *DIGESTS)),
        offset=choices.pick((0, 0, *NUMBERS)),
        data=content,
    )


def read_request(choices: Choices) -> ProtoMessage:
    """Make a request to read a blob."""
    return ReadRequest(choices.pick(DIGESTS), choices.pick(NUMBERS), choices.pick(NUMBERS))


def message(choices: Choices) -> bytes:
    """Make a message of a call, broken here and there."""
    make: Callable[[Choices], ProtoMessage] = choices.pick(
        (
            packet,
            packet,
            agent_bytes,
            lambda _: GetSecretRequest(choices.pick(("token", "", "x"))),
            write_request,
            read_request,
        )
    )
    data = bytearray(make(choices).encode())
    if choices.maybe(6) and data:
        data[choices.below(len(data))] = choices.below(256)
    if choices.maybe(12):
        del data[choices.below(len(data) + 1) :]
    if choices.maybe(12):
        data += choices.text()
    return bytes(data)


def framed(choices: Choices) -> bytes:
    """Make a message with what is before it in gRPC, which may be wrong."""
    data = message(choices)
    length = (
        len(data) if not choices.maybe(20) else choices.pick((0, len(data) + 1, 4 * 2**20 + 1, 2**32 - 1))
    )
    return struct.pack(">BI", choices.maybe(40), length) + data


def metadata(choices: Choices) -> list[tuple[bytes, bytes]]:
    """Make the headers of a call."""
    made = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"x")]
    made.append((b":path", choices.pick(METHODS).encode()))
    made.append((b"buildkit-attachable-store-id", choices.pick((b"local:a", b"local:a", b"oci:b", b""))))
    made.append((b"dir-name", choices.pick((b"context", b"dockerfile", b"", b"x"))))
    for _ in range(choices.below(4)):
        name = choices.pick((b"include-patterns", b"followpaths", b"exclude-patterns", b"buildkit.ssh.id"))
        value = choices.pick(PATTERNS).encode() if not choices.maybe(4) else choices.text()
        made.append((name, value))
        if choices.maybe(5):
            made.append((name + b"-encoded", b"1"))
    return made
