"""Let the clients do hundreds of builds on four BuildKit daemons that die at random, and tell what is left.

    python -m benchmarks.soak_daemons [--builds N] [--seed N]

The daemons are relays before the BuildKit of a private engine. One process for each client builds on all four
at once. The exit status is 1 if a process has kept what `benchmarks.soak` looks for, if a relay has a
connection, if the engine still runs a step, or if not both happened: builds that succeeded, and builds whose
daemon died.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final, cast

import anyio

from benchmarks.soak import CLIENTS, faults_of, steps_of
from benchmarks.soak_client import SLEEP, holdings
from dockerproto import CacheOnly, DockerError
from tests.support.facade import Transport, daemon_client
from tests.testbed.base_image import busybox_layer, import_layer
from tests.testbed.daemon_relay import DaemonRelay
from tests.testbed.engines import Docker28Containerd

DAEMONS: Final = 4
WORKERS: Final = 8
"""Builds at once."""
PAUSE: Final = 1.5
"""Seconds between two deaths, on average."""
WARM_UP: Final = 0.3
"""Part of the builds after which the process holds what it needs, such as worker threads."""


def main(arguments: list[str] | None = None) -> int:
    """Run the soak, print its figures, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak_daemons")
    parser.add_argument("--builds", type=int, default=170, help="builds of each client")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--client", choices=CLIENTS, help=argparse.SUPPRESS)
    parser.add_argument("addresses", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    return _be_client(options) if options.client else _run(options)


def _run(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        engine = stack.enter_context(Docker28Containerd(Path(directory)))
        import_layer(engine.socket, "busybox", busybox_layer())
        relays = [stack.enter_context(DaemonRelay(engine.socket)) for _ in range(DAEMONS)]
        reports = {client: _soak(client, relays, options) for client in CLIENTS}
        faults = [fault for client, report in reports.items() for fault in faults_of(client, report)]
        faults += [f"{client}: not every outcome" for client in reports if not _varied(reports[client])]
        faults += [f"relay {number}: connections are left" for number, each in enumerate(relays) if each.open]
        faults += steps_of(engine)
    print(json.dumps(reports, indent=1))
    print("\n".join(faults) or "nothing is left")
    return bool(faults)


def _varied(report: dict[str, Any]) -> bool:
    """Return True if builds succeeded, and daemons died."""
    return {"done", "ConnectionFailed"} <= set(report["outcomes"])


def _soak(client: str, relays: list[DaemonRelay], options: argparse.Namespace) -> dict[str, Any]:
    """Let a client build while daemons die, and return its report."""
    ended = Event()
    killer = Thread(target=_kill, args=(relays, random.Random(options.seed), ended))
    killer.start()
    try:
        command = [sys.executable, "-m", "benchmarks.soak_daemons", f"--client={client}"]
        command += [f"--builds={options.builds}", f"--seed={options.seed}", *(each.url for each in relays)]
        output = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    finally:
        ended.set()
        killer.join()
    report: dict[str, Any] = json.loads(output)
    return report


def _kill(relays: list[DaemonRelay], generator: random.Random, ended: Event) -> None:
    while not ended.wait(generator.expovariate(1 / PAUSE)):
        generator.choice(relays).cut()


def _be_client(options: argparse.Namespace) -> int:
    random.seed(f"{options.client} {options.seed}")
    backend = "trio" if options.client == "trio" else "asyncio"
    run = partial(_builds, cast(Transport, options.client), options.addresses, options.builds)
    print(json.dumps(anyio.run(run, backend=backend)))
    return 0


async def _builds(name: Transport, addresses: list[str], count: int) -> dict[str, Any]:
    """Build on all daemons, and return the outcomes, and what the process holds before and after."""
    outcomes = Counter[str]()
    await _work(name, addresses, int(count * WARM_UP), outcomes)
    begin = holdings()
    await _work(name, addresses, count - int(count * WARM_UP), outcomes)
    return {"begin": begin, "end": holdings(), "outcomes": dict(sorted(outcomes.items()))}


async def _work(name: Transport, addresses: list[str], count: int, outcomes: Counter[str]) -> None:
    clients = [daemon_client(name, each) for each in addresses]
    numbers = iter(range(count))
    async with anyio.create_task_group() as tasks:
        for _ in range(WORKERS):
            tasks.start_soon(_work_on, numbers, clients, outcomes)
    for each in clients:
        await each.close()
    await anyio.sleep(2)  # connections close, and threads end


async def _work_on(numbers: Any, clients: list[Any], outcomes: Counter[str]) -> None:
    for number in numbers:
        outcomes[await _build(clients[number % len(clients)])] += 1


async def _build(buildkit: Any) -> str:
    """Do a random build, and return its outcome."""
    step = f"RUN {SLEEP}" if random.random() < 0.1 else f"LABEL n={random.random()}"
    options: dict[str, Any] = {"timeout": 2} if SLEEP in step else {}
    dockerfile = f"FROM busybox\n{step} # {random.random()}\n" if options else f"FROM busybox\n{step}\n"
    with tempfile.TemporaryDirectory() as directory:
        outputs = CacheOnly() if options or random.random() < 0.5 else Path(directory, "out")
        try:
            await buildkit.build(dockerfile=dockerfile, outputs=outputs, network_mode="none", **options)
        except DockerError as error:
            return type(error).__name__
    return "done"


if __name__ == "__main__":
    sys.exit(main())
