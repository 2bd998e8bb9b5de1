"""Let all clients work for a long time, cancel calls and break connections, and tell what is left of it.

    python -m benchmarks.soak [--minutes N] [--engine NAME] [--seed N]

A private engine and a private registry serve three processes, one for each client. A relay between them and
the engine breaks all connections at random. The exit status is 1 if a process has kept a descriptor, a thread
or a task, if its memory has grown by more than `GROWTH`, or if the engine still runs a step.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

import dockerproto_httpx
from benchmarks.relay import Relay, relayed
from benchmarks.soak_client import SLEEP
from tests.testbed.base_image import busybox_layer, import_layer
from tests.testbed.engines import DEFAULT, ENGINES
from tests.testbed.private import PrivateEngine
from tests.testbed.processes import NotInTimeError, wait_until
from tests.testbed.registry import Registry

CLIENTS: Final = ("asyncio", "trio", "httpx")
GROWTH: Final = 16 * 2**20
"""Bytes by which the memory of a process may grow: allocators keep what once was needed."""
THREADS: Final = 1 + min(32, (os.cpu_count() or 1) + 4)
"""Threads that a process may have: asyncio keeps as many worker threads, once they were needed."""
PAUSE: Final = 2.0
"""Seconds between two cuts, on average."""


def main(arguments: list[str] | None = None) -> int:
    """Run the soak, print its figures, and return the exit status."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory() as directory:
        private = ENGINES[options.engine](Path(directory, "engine"))
        with private as engine, Registry(Path(directory, "registry")) as registry:
            image = _prepare(engine, registry)
            with relayed(engine.url) as relay:
                reports = _soak(relay, engine.url, image, options)
            faults = [fault for client, report in reports.items() for fault in faults_of(client, report)]
            faults += steps_of(engine)
    print(json.dumps(reports, indent=1))
    print("\n".join(faults) or "nothing is left")
    return bool(faults)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--engine", choices=list(ENGINES), default=DEFAULT)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


def _prepare(engine: PrivateEngine, registry: Registry) -> str:
    """Import the base image, and push it; return its reference in the registry."""
    import_layer(engine.socket, "busybox", busybox_layer())
    image = f"{registry.host}/soak:latest"
    with dockerproto_httpx.Docker(engine.url) as docker:
        docker.images.tag("busybox:latest", repo=f"{registry.host}/soak", tag="latest")
        docker.images.push(image)
    return image


def _soak(relay: Relay, url: str, image: str, options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Let the clients work, and return the report of each."""
    ended = Event()
    cutter = Thread(target=_cut, args=(relay, random.Random(options.seed), ended))
    cutter.start()
    try:
        processes = {
            client: subprocess.Popen(
                (
                    *(sys.executable, "-m", "benchmarks.soak_client", client, url, relay.url, image),
                    *(str(options.minutes * 60), str(options.seed)),
                ),
                stdout=subprocess.PIPE,
            )
            for client in CLIENTS
        }
        return {client: json.loads(each.communicate()[0]) for client, each in processes.items()}
    finally:
        ended.set()
        cutter.join()


def _cut(relay: Relay, generator: random.Random, ended: Event) -> None:
    while not ended.wait(generator.expovariate(1 / PAUSE)):
        relay.cut()


def faults_of(client: str, report: dict[str, Any]) -> list[str]:
    """Return what a process has kept, a line each."""
    begin, end = report["begin"], report["end"]
    allowed = {**begin, "threads": max(begin["threads"], THREADS)}
    kept = [
        f"{client}: {end[name] - allowed[name]} {name} are left"
        for name in ("descriptors", "threads", "tasks")
        if end[name] > allowed[name]
    ]
    if end["memory"] - begin["memory"] > GROWTH:
        kept.append(f"{client}: memory has grown by {end['memory'] - begin['memory']} bytes")
    return kept


def steps_of(engine: PrivateEngine) -> list[str]:
    """Return a line if the engine still runs steps of builds that were left."""
    with suppress(NotInTimeError):
        wait_until(lambda: not engine.processes(SLEEP), 10)
        return []
    return ["the engine still runs steps"]


if __name__ == "__main__":
    sys.exit(main())
