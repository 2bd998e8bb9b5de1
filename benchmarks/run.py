"""Run all benchmarks, print their table, and write it as a page of the documentation.

    python -m benchmarks.run [--rounds N] [--only TEXT] [PAGE]

Each run of a piece of work is a process of its own. In a round all contestants run once, one after another,
so that what else the machine does is the same for all; a figure is the median of the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.contexts import trees
from benchmarks.relay import relayed
from benchmarks.replay import replaying
from benchmarks.rows import GIB, Row, Target, rows
from benchmarks.workloads import CONTEXTS, SESSIONS, output_of
from tests.testbed.buildx import buildx
from tests.testbed.unix_http import ask

SECONDS = 30
"""Seconds for a row; a row that takes longer ends after three rounds."""
MEMORY = "/dev/shm"
"""Directory for contexts, outputs and the data of engines: a disk would cost more than the programs."""
DIRECTORIES = (*CONTEXTS, *SESSIONS, "rebuild")
"""The work that is done on a directory."""
MODULES = {
    "asyncio": "dockerproto_asyncio",
    "trio": "dockerproto_trio",
    "httpx": "dockerproto_httpx",
    "aiodocker": "aiodocker",
    "docker-py": "docker",
    "needed": "asyncio msgspec h11",
}
"""Imported modules; the last entry is the least that this library needs on asyncio."""


@dataclass(frozen=True)
class Figures:
    """The figures of one contestant in all rounds."""

    values: list[float]
    cpu: list[float]
    """Seconds for each unit of the amount."""
    memory: float
    sent: float

    @property
    def median(self) -> float:
        return statistics.median(self.values)


def measure(row: Row, url: str, file: str, rounds: int) -> dict[str, Figures]:
    """Let all contestants of a row run in turn."""
    runs: dict[str, list[dict[str, float]]] = {
        name: [] for name in row.contestants if name != "buildx" or buildx()
    }
    until = time.monotonic() + SECONDS
    for number in range(rounds):
        if number >= 3 and time.monotonic() > until:
            break
        for name, done in runs.items():
            if number == 0:
                _run(name, row, url, file)  # what is read from the disk for the first time
            done.append(_run(name, row, url, file))
    return {
        name: Figures(
            [row.figure(each["seconds"] / row.amount) for each in done],
            [each["cpu"] / row.amount for each in done],
            statistics.median(each["memory"] for each in done),
            statistics.median(each["sent"] for each in done),
        )
        for name, done in runs.items()
    }


def _run(contestant: str, row: Row, url: str, file: str) -> dict[str, float]:
    """Run a piece of work once, through a relay if it is about what is sent."""
    if row.work in SESSIONS:
        shutil.rmtree(output_of(file), ignore_errors=True)
    if row.work == "first":  # of what earlier builds sent, the engine keeps nothing
        ask(Path(url.removeprefix("unix://")), "POST", "/build/prune?all=1")
    if row.work != "rebuild":
        return {**_took(contestant, row, url, file), "sent": 0}
    with relayed(url) as relay:
        return {**_took(contestant, row, relay.url, file), "sent": relay.sent}


def _took(contestant: str, row: Row, url: str, file: str) -> dict[str, float]:
    arguments = ["-m", "benchmarks.workloads", contestant, row.work, url, str(row.amount), file]
    if row.work == "importing":
        arguments = [str(Path(__file__).with_name("importing.py")), *MODULES[contestant].split()]
    if row.work == "starting":
        arguments = [str(Path(__file__).with_name("starting.py")), "-H", url, contestant]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, *arguments], stdout=subprocess.PIPE, check=True, timeout=300, env=environment
    )
    result: dict[str, float] = json.loads(done.stdout)
    return result


def _spread(values: list[float]) -> str:
    """Show the median, the lowest and the highest."""
    return f"{_short(statistics.median(values))} ({_short(min(values))} to {_short(max(values))})"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def judge(target: Target, row: Row, figures: dict[str, Figures]) -> str:
    """Say by which factor a contestant is faster, and whether that was the aim; and the same of CPU time."""
    ours, peer = figures[target.ours], figures[target.peer]
    factor = peer.median / ours.median if row.faster_is_less else ours.median / peer.median
    cpu = statistics.median(ours.cpu) / statistics.median(peer.cpu)
    aim = ""
    if target.factor is not None:
        aim = f" (aim {target.factor:.2g}{'' if factor >= target.factor else ', **missed**'})"
    return (
        f"{target.ours} is {factor:.2f} times as fast as {target.peer}{aim}, with {cpu:.2f} of its CPU time"
    )


def describe(row: Row, figures: dict[str, Figures]) -> Iterator[str]:
    """Yield the lines of a row of the page."""
    yield f"## {row.title[0].upper()}{row.title[1:]}"
    yield ""
    memory = row.work in ("upload", "tar", "download", *CONTEXTS, *SESSIONS, "importing", "starting")
    sent = row.work == "rebuild"
    scale, what = (GIB, "CPU s/GiB") if row.amount % GIB == 0 else (1e6, "CPU us each")
    yield f"| | {row.unit} | {what} |{' memory, MiB |' * memory}{' sent, KiB |' * sent}"
    yield f"|---|---:|---:|{'---:|' * (memory + sent)}"
    for name, each in figures.items():
        more = f" {each.memory / 2**20:.1f} |" * memory + f" {each.sent / 2**10:,.1f} |" * sent
        cpu = _spread([seconds * scale for seconds in each.cpu])
        yield f"| {name} | {_spread(each.values)} | {cpu} |{more}"
    yield ""
    yield from (f"- {judge(each, row, figures)}" for each in row.comparisons if each.peer in figures)
    if "buildx" in row.contestants and "buildx" not in figures:
        yield "- buildx is left out, as it does not run on this machine"
    yield ""


def machine() -> Iterator[str]:
    """Yield what the figures depend on."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    cpu = next((each.partition(": ")[2] for each in lines if "model name" in each), platform.processor())
    peers = ", ".join(f"{name} {version(name)}" for name in ("aiodocker", "docker", "aiohttp", "requests"))
    own = ", ".join(f"{name} {version(name)}" for name in ("h11", "msgspec", "trio", "httpx"))
    system = f"{platform.system()} {platform.release().partition('-')[0]}"
    yield f"- {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} CPUs ({cpu}), {system}"
    yield f"- Python {platform.python_version()}; {own}"
    yield f"- peers: {peers} (`docker` is docker-py)"
    yield f"- load when it began: {os.getloadavg()[0]:.1f}"


@contextmanager
def real_engine() -> Generator[str]:
    """Run a private engine that has an image of the name."""
    from tests.testbed.base_image import busybox_layer
    from tests.testbed.dockerd import Dockerd

    with tempfile.TemporaryDirectory() as directory, Dockerd(Path(directory)) as engine:
        target = "/images/create?fromSrc=-&repo=bench&tag=latest"
        ask(engine.socket, "POST", target, busybox_layer(), {"Content-Type": "application/x-tar"})
        yield engine.url


def run_all(only: str, rounds: int) -> Iterator[str]:
    """Run the rows, and yield the lines of the page."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "file")
        for row in rows():
            if only not in row.title:
                continue
            if row.work in ("upload", "tar") and not file.exists():
                file.write_bytes(os.urandom(2**20) * 1024)
            source = str(trees(Path(directory), row.title)) if row.work in DIRECTORIES else str(file)
            with real_engine() if row.engine == "real" else replaying(dict(row.answers)) as url:
                lines = list(describe(row, measure(row, url, source, rounds)))
            print("\n".join(lines), flush=True)
            yield from lines


INTRODUCTION = """\
# Benchmarks

`make bench` has written this page.
Each figure is the median of several runs, with the lowest and the highest.
Each run is a process of its own, and the contestants take turns.
Before measuring, a run makes one call, or one small build for the rows about contexts.
All files are on a file system in memory, and so is the data of real engines.
The factors compare medians; if other programs run at the same time, trust the CPU time more.

The replay engine is a C program that sends prebuilt responses and discards requests.
So the engine's own cost is not in the figures.
`asyncio`, `trio` and `httpx` are this library.
Memory is the growth of the peak during the work; for a command, it is the whole peak.

Some contestants are not libraries; they show the cost of the work itself:

- `socket` is a blocking socket; `asyncio-bare` and `trio-bare` are the event loops.
  They send and receive the same bytes without parsing them.
  A real engine takes longer for an inspect than any library adds.
  Its work also evicts the library from the CPU's caches, so the same call takes more CPU time.
- `msgspec` decodes the same documents from memory.
  For messages of 64 KiB, decoding and receiving take more than a quarter of the time of the other libraries.
- `buildx` is the Docker CLI's program for builds with BuildKit, from a tree of Debian packages.
  Before each first build, the engine's caches are emptied; an output has files that the engine already has.
- `needed` imports asyncio, msgspec and h11, which is a part of this library's own import.
- `--help`, `--version` and `images` are runs of the command `dockerproto`, including the start of Python.

The rows of chunks of 1 KiB are one curve: the same bytes, as fewer and longer messages.
The cost of a byte should stay the same; docker-py's grows with the length of the message, because it joins
and searches the message again for each chunk.
Its list of images as objects sends a request for each image: 1,000 images would take a second.
"""


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="rows whose title has this in it")
    parser.add_argument("page", nargs="?", type=Path)
    options = parser.parse_args()
    tempfile.tempdir = MEMORY if Path(MEMORY).is_dir() else None
    began = list(machine())
    print("\n".join(began))
    lines = list(run_all(options.only, options.rounds))
    if options.page:
        options.page.write_text("\n".join([INTRODUCTION, *began, "", *lines]).rstrip() + "\n")


if __name__ == "__main__":
    main()
