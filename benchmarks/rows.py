"""The table of measurements, and the replies of the replay engine for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from benchmarks.replay import IMAGE, Answer, archive, document, images, progress

GIB: Final = 2**30
OURS: Final = ("asyncio", "trio", "httpx")
ALL: Final = (*OURS, "aiodocker", "docker-py")
BARE: Final = ("socket", "asyncio-bare", "trio-bare")


@dataclass(frozen=True)
class Target:
    """A ratio of two contestants; with a factor, ours must be faster by at least that."""

    ours: str
    peer: str
    factor: float | None = None


@dataclass(frozen=True)
class Row:
    """A piece of work, and who does it."""

    title: str
    work: str
    amount: int
    """Amount of work in one run: calls, messages, bytes."""
    unit: str
    figure: Callable[[float], float]
    """The figure of one run, of the seconds that it took for each unit of the amount."""
    contestants: tuple[str, ...] = ALL
    answers: Mapping[str, Answer] = field(default_factory=dict[str, Answer])
    targets: tuple[Target, ...] = ()
    engine: str = "replay"
    faster_is_less: bool = False

    @property
    def comparisons(self) -> tuple[Target, ...]:
        """The targets, and that of trio with asyncio."""
        loops = ("trio", "asyncio")
        stated = any((each.ours, each.peer) == loops for each in self.targets)
        return (
            self.targets if stated or not {*loops} <= {*self.contestants} else (*self.targets, Target(*loops))
        )


def microseconds(each: float) -> float:
    """Return the time of one call."""
    return each * 1e6


def milliseconds(each: float) -> float:
    """Return the time of one call."""
    return each * 1e3


def rate(each: float) -> float:
    """Return how many there are in a second."""
    return 1 / each


def megabytes(each: float) -> float:
    """Return how many MB there are in a second."""
    return 1e-6 / each


def _transfers() -> list[Row]:
    uploads = tuple(Target(ours, peer, 1.5) for ours in OURS for peer in ("aiodocker", "docker-py"))
    return [
        Row(
            "download (export) of 1 GiB in chunks of 32 KiB",
            "download",
            GIB,
            "MB/s",
            megabytes,
            (*ALL, "curl", "socket"),
            {"GET /images/bench/get": archive(GIB)},
            (
                Target("asyncio", "aiodocker", 1.5),
                Target("httpx", "docker-py", 1.2),
                *(Target(ours, "curl", 0.6) for ours in OURS),
            ),
        ),
        Row(
            "upload (import) of a file of 1 GiB",
            "upload",
            GIB,
            "MB/s",
            megabytes,
            (*ALL, "curl"),
            {},
            uploads,
        ),
        Row(
            "upload (build) of a tar of 1 GiB",
            "tar",
            GIB,
            "MB/s",
            megabytes,
            ALL,
            {"POST /build": progress(1)},
            uploads,
        ),
    ]


def _messages() -> list[Row]:
    faster = tuple(Target(ours, peer, 3) for ours in OURS for peer in ("aiodocker", "docker-py"))
    limit = (Target("asyncio", "msgspec"),)
    cases = [
        ("200,000 messages of a pull, a chunk each", 200_000, None, None, (*ALL, "msgspec")),
        ("20,000 messages in chunks of 7 bytes", 20_000, 7, None, ALL),
        # docker-py takes half a line end for the end of a message, and fails.
        ("4,000 messages in chunks of 1 byte", 4000, 1, None, (*OURS, "aiodocker")),
        ("4,000 messages of 64 KiB", 4000, None, 65536, (*ALL, "msgspec")),
    ]
    return [
        Row(
            title,
            "progress",
            count,
            "messages/s",
            rate,
            contestants,
            {"POST /images/create": progress(count, piece, length)},
            faster + limit,
        )
        for title, count, piece, length, contestants in cases
    ]


def _bytes(size: int, each: float) -> float:
    return size * 1e-6 / each


def _curve() -> list[Row]:
    """Messages of a growing length in chunks of 1 KiB: the cost of a byte is to stay the same."""
    return [
        Row(
            f"{4000 // kibibytes} messages of {kibibytes} KiB in chunks of 1 KiB",
            "progress",
            4000 // kibibytes,
            "MB/s",
            partial(_bytes, kibibytes * 1024),
            ALL,
            {"POST /images/create": progress(4000 // kibibytes, 1024, kibibytes * 1024)},
        )
        for kibibytes in (4, 32, 256)
    ]


def _calls() -> list[Row]:
    inspects = (Target("asyncio", "aiodocker", 1 / 0.7), Target("httpx", "docker-py", 2))
    return [
        Row(
            "inspect, replay engine",
            "inspect",
            2000,
            "us",
            microseconds,
            (*ALL, *BARE),
            targets=(*inspects, Target("trio", "asyncio", 1 / 1.1)),
            faster_is_less=True,
        ),
        Row(
            "inspect, real engine",
            "inspect",
            1000,
            "us",
            microseconds,
            (*ALL, *BARE),
            targets=(*inspects, Target("asyncio", "socket")),
            engine="real",
            faster_is_less=True,
        ),
        Row(
            "200 inspects at once, replay engine",
            "concurrent",
            4000,
            "calls/s",
            rate,
            ("asyncio", "trio", "aiodocker"),
            targets=(Target("asyncio", "aiodocker", 1.3),),
        ),
    ]


def _lists() -> list[Row]:
    many = {"GET /images/json": document(images(100)), "GET /images/sha256:*": document(IMAGE)}
    return [
        Row(
            "images.list of 1,000",
            "list",
            50,
            "ms",
            milliseconds,
            (*ALL, "msgspec"),
            {"GET /images/json": document(images(1000))},
            (Target("asyncio", "aiodocker", 1.5), Target("asyncio", "msgspec")),
            faster_is_less=True,
        ),
        Row(
            "images.list of 100, as objects in docker-py: a request for each",
            "objects",
            5,
            "ms",
            milliseconds,
            ("asyncio", "docker-py"),
            many,
            faster_is_less=True,
        ),
    ]


def _contexts() -> list[Row]:
    cases = (
        ("build of a context of 20,000 files of 1 KiB", 20_000, "files/s", rate),
        ("build of a context of 1 GiB in 8 files", GIB, "MB/s", megabytes),
    )
    targets = Target("asyncio", "docker-py", 2), *(Target(ours, "docker", 1) for ours in OURS)
    built = {"POST /build": progress(1)}
    builders = (*OURS, "docker-py", "docker")
    ignored = Row(
        "20 builds of a context of 10,000 files, all but 10 of them ignored",
        "contexts",
        20,
        "ms",
        milliseconds,
        builders,
        built,
        targets,
        faster_is_less=True,
    )
    rows = [
        Row(title, "context", amount, unit, figure, builders, built, targets)
        for title, amount, unit, figure in cases
    ]
    return [*rows, ignored]


def _rebuilds() -> list[Row]:
    """With the classic builder beside, which is sent a tar of all; docker-py knows no other."""
    return [
        Row(
            "second build with BuildKit, one file of 10,000 changed",
            "rebuild",
            1,
            "ms",
            milliseconds,
            (*OURS, "classic", "docker-py"),
            engine="real",
            faster_is_less=True,
        )
    ]


def _first_builds() -> list[Row]:
    """Builds with BuildKit whose files the engine does not have, or has, and their outputs."""
    small = (
        Target("asyncio", "buildx", 1 / 1.3),
        Target("trio", "buildx", 1 / 1.5),
        Target("httpx", "buildx", 1 / 1.3),
    )
    ahead = tuple(Target(ours, "buildx", 1) for ours in OURS)
    outputs = tuple(Target(ours, "buildx", 1 / 0.9) for ours in OURS)
    cases = (
        ("first build with BuildKit of 20,000 files of 1 KiB", "first", 20_000, small),
        ("second build with BuildKit of 20,000 files of 1 KiB", "again", 20_000, ahead),
        ("output of 20,000 files of 1 KiB to a directory", "output", 20_000, outputs),
        ("first build with BuildKit of 100,000 files of 1 KiB", "first", 100_000, ()),
        ("first build with BuildKit of 8 files of 64 MiB", "first", 2**29, ahead),
    )
    return [
        Row(
            title,
            work,
            amount,
            "MB/s" if amount == 2**29 else "files/s",
            megabytes if amount == 2**29 else rate,
            (*OURS, "buildx") if targets else OURS,
            targets=targets,
            engine="real",
        )
        for title, work, amount, targets in cases
    ]


def _imports() -> list[Row]:
    targets = Target("asyncio", "aiodocker", 2), Target("asyncio", "needed")
    return [
        Row(
            "import",
            "importing",
            1,
            "ms",
            milliseconds,
            (*ALL, "needed"),
            targets=targets,
            faster_is_less=True,
        )
    ]


def _starts() -> list[Row]:
    return [
        Row(
            "run of the command",
            "starting",
            1,
            "ms",
            milliseconds,
            ("--help", "--version", "images"),
            answers={"GET /images/json": document(images(10))},
            faster_is_less=True,
        )
    ]


def rows() -> list[Row]:
    """Return all rows."""
    return [
        *_calls(),
        *_transfers(),
        *_messages(),
        *_curve(),
        *_lists(),
        *_contexts(),
        *_rebuilds(),
        *_first_builds(),
        *_imports(),
        *_starts(),
    ]
