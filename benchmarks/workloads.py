"""The work that is measured, as each library does it: one run of it in a process of its own.

    python -m benchmarks.workloads CONTESTANT WORK URL AMOUNT [FILE]

It warms up, does the work once, and prints what it took, as JSON.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

Work: TypeAlias = Callable[[Any, int, str], Awaitable[None]]

IMAGE = "bench"
CONTEXTS = ("context", "contexts")
"""Builds of a directory: one, and several."""
SESSIONS = ("first", "again", "output")
"""Builds of a directory with BuildKit: of new files, of known files, and written to a directory."""
EMPTY = b"FROM scratch\n"
"""The Dockerfile of a build that is only to load what builds need."""
INSPECT = b"GET /v1.41/images/bench/json HTTP/1.1\r\nHost: docker\r\n\r\n"
EXPORT = b"GET /v1.41/images/bench/get HTTP/1.1\r\nHost: docker\r\n\r\n"


class Dockerproto:
    """This library, on an event loop."""

    async def warm_up(self, docker: Any, work: str) -> None:
        await docker.images.inspect(IMAGE)
        if work in CONTEXTS:
            await docker.images.build(dockerfile=EMPTY, tag="bench")
        if work in SESSIONS:
            await docker.images.build(dockerfile=EMPTY, tag="bench", builder="buildkit")

    async def inspect(self, docker: Any, amount: int, _file: str) -> None:
        for _ in range(amount):
            await docker.images.inspect(IMAGE)

    async def list(self, docker: Any, amount: int, _file: str) -> None:
        for _ in range(amount):
            await docker.images.list()

    async def objects(self, docker: Any, amount: int, _file: str) -> None:
        for _ in range(amount):
            await docker.images.list()

    async def download(self, docker: Any, amount: int, _file: str) -> None:
        size = 0
        async with docker.images.export_image(IMAGE) as download:
            async for data in download:
                size += len(data)
        assert size == amount

    async def upload(self, docker: Any, _amount: int, file: str) -> None:
        await docker.images.import_image(file)

    async def tar(self, docker: Any, _amount: int, file: str) -> None:
        await docker.images.build(fileobj=file, tag="bench", builder="classic")

    async def context(self, docker: Any, _amount: int, file: str) -> None:
        await docker.images.build(path=file, tag="bench")

    async def contexts(self, docker: Any, amount: int, file: str) -> None:
        for _ in range(amount):
            await docker.images.build(path=file, tag="bench")

    async def rebuild(self, docker: Any, _amount: int, file: str) -> None:
        change(file)
        await docker.images.build(path=file, tag="bench", builder="buildkit")

    async def first(self, docker: Any, _amount: int, file: str) -> None:
        await docker.images.build(path=file, tag="bench", builder="buildkit")

    again = first

    async def output(self, docker: Any, _amount: int, file: str) -> None:
        await docker.images.build(path=file, builder="buildkit", output=output_of(file))

    async def progress(self, docker: Any, amount: int, _file: str) -> None:
        count = 0
        async with docker.images.pull(IMAGE, stream=True) as stream:
            async for _ in stream:
                count += 1
        assert count == amount


class Asyncio(Dockerproto):
    """On asyncio."""

    def run(self, url: str, work: str, amount: int, file: str) -> dict[str, float]:
        return asyncio.run(self.main(url, work, amount, file))

    async def main(self, url: str, work: str, amount: int, file: str) -> dict[str, float]:
        from dockerproto_asyncio import Docker

        async with Docker(url) as docker:
            return await measured(
                partial(getattr(self, work), docker, amount, file), self.warm_up(docker, work)
            )

    async def concurrent(self, docker: Any, amount: int, _file: str) -> None:
        for _ in range(amount // 200):
            await asyncio.gather(*(docker.images.inspect(IMAGE) for _ in range(200)))


class Classic(Asyncio):
    """The same with the classic builder, which is sent a tar."""

    async def rebuild(self, docker: Any, _amount: int, file: str) -> None:
        change(file)
        await docker.images.build(path=file, tag="bench", builder="classic")


class Trio(Dockerproto):
    """On trio."""

    def run(self, url: str, work: str, amount: int, file: str) -> dict[str, float]:
        import trio

        return trio.run(self.main, url, work, amount, file)

    async def main(self, url: str, work: str, amount: int, file: str) -> dict[str, float]:
        from dockerproto_trio import Docker

        async with Docker(url) as docker:
            return await measured(
                partial(getattr(self, work), docker, amount, file), self.warm_up(docker, work)
            )

    async def concurrent(self, docker: Any, amount: int, _file: str) -> None:
        import trio

        for _ in range(amount // 200):
            async with trio.open_nursery() as nursery:
                for _ in range(200):
                    nursery.start_soon(docker.images.inspect, IMAGE)


class Aiodocker:
    """aiodocker."""

    def run(self, url: str, work: str, amount: int, file: str) -> dict[str, float]:
        return asyncio.run(self.main(url, work, amount, file))

    async def main(self, url: str, work: str, amount: int, file: str) -> dict[str, float]:
        import aiodocker

        async with aiodocker.Docker(url) as docker:
            return await measured(
                partial(getattr(self, work), docker, amount, file), self.warm_up(docker, work)
            )

    inspect = Dockerproto.inspect
    list = Dockerproto.list
    concurrent = Asyncio.concurrent

    async def warm_up(self, docker: Any, _work: str) -> None:
        await docker.images.inspect(IMAGE)

    async def download(self, docker: Any, amount: int, _file: str) -> None:
        size = 0
        async with docker.images.export_image(IMAGE) as content:
            async for data in content.iter_any():
                size += len(data)
        assert size == amount

    async def upload(self, docker: Any, _amount: int, file: str) -> None:
        with Path(file).open("rb") as data:
            await docker.images.import_image(data)

    async def tar(self, docker: Any, _amount: int, file: str) -> None:
        with Path(file).open("rb") as data:
            await docker.images.build(fileobj=data, encoding="identity", tag="bench")

    async def progress(self, docker: Any, amount: int, _file: str) -> None:
        count = 0
        async for _ in docker.images.pull(IMAGE, stream=True):
            count += 1
        assert count == amount


class Httpx:
    """This library, blocking."""

    def run(self, url: str, work: str, amount: int, file: str) -> dict[str, float]:
        from dockerproto_httpx import Docker

        with Docker(url) as docker:
            docker.images.inspect(IMAGE)
            if work in CONTEXTS:
                docker.images.build(dockerfile=EMPTY, tag="bench")
            if work in SESSIONS:
                docker.images.build(dockerfile=EMPTY, tag="bench", builder="buildkit")
            return timed(partial(getattr(self, work), docker, amount, file))

    def inspect(self, docker: Any, amount: int, _file: str) -> None:
        for _ in range(amount):
            docker.images.inspect(IMAGE)

    def list(self, docker: Any, amount: int, _file: str) -> None:
        for _ in range(amount):
            docker.images.list()

    def download(self, docker: Any, amount: int, _file: str) -> None:
        with docker.images.export_image(IMAGE) as download:
            assert sum(map(len, download)) == amount

    def upload(self, docker: Any, _amount: int, file: str) -> None:
        docker.images.import_image(file)

    def tar(self, docker: Any, _amount: int, file: str) -> None:
        docker.images.build(fileobj=file, tag="bench", builder="classic")

    def context(self, docker: Any, _amount: int, file: str) -> None:
        docker.images.build(path=file, tag="bench")

    def contexts(self, docker: Any, amount: int, file: str) -> None:
        for _ in range(amount):
            docker.images.build(path=file, tag="bench")

    def rebuild(self, docker: Any, _amount: int, file: str) -> None:
        change(file)
        docker.images.build(path=file, tag="bench", builder="buildkit")

    def first(self, docker: Any, _amount: int, file: str) -> None:
        docker.images.build(path=file, tag="bench", builder="buildkit")

    again = first

    def output(self, docker: Any, _amount: int, file: str) -> None:
        docker.images.build(path=file, builder="buildkit", output=output_of(file))

    def progress(self, docker: Any, amount: int, _file: str) -> None:
        with docker.images.pull(IMAGE, stream=True) as stream:
            assert sum(1 for _ in stream) == amount


class DockerPy:
    """docker-py."""

    def run(self, url: str, work: str, amount: int, file: str) -> dict[str, float]:
        import docker  # type: ignore[import-untyped]  # it has no types

        client = docker.DockerClient(url, version="auto")
        self.inspect(client, 1, file)
        if work in CONTEXTS:
            any(client.api.build(fileobj=io.BytesIO(EMPTY), tag="bench"))
        return timed(partial(getattr(self, work), client, amount, file))

    def inspect(self, docker: Any, amount: int, _file: str) -> None:
        for _ in range(amount):
            docker.api.inspect_image(IMAGE)

    def list(self, docker: Any, amount: int, _file: str) -> None:
        for _ in range(amount):
            docker.api.images()

    def objects(self, docker: Any, amount: int, _file: str) -> None:
        for _ in range(amount):
            docker.images.list()

    def download(self, docker: Any, amount: int, _file: str) -> None:
        assert sum(map(len, docker.api.get_image(IMAGE))) == amount

    def upload(self, docker: Any, _amount: int, file: str) -> None:
        with Path(file).open("rb") as data:
            for _ in docker.api.load_image(data):
                pass

    def tar(self, docker: Any, _amount: int, file: str) -> None:
        with Path(file).open("rb") as data:
            for _ in docker.api.build(fileobj=data, custom_context=True, tag="bench"):
                pass

    def context(self, docker: Any, _amount: int, file: str) -> None:
        for _ in docker.api.build(path=file, tag="bench"):
            pass

    def contexts(self, docker: Any, amount: int, file: str) -> None:
        for _ in range(amount):
            self.context(docker, 1, file)

    def rebuild(self, docker: Any, amount: int, file: str) -> None:
        change(file)
        self.context(docker, amount, file)

    def progress(self, docker: Any, amount: int, _file: str) -> None:
        stream = docker.api.pull(IMAGE, tag="latest", stream=True, decode=True)
        assert sum(1 for _ in stream) == amount


class Socket:
    """A socket that blocks, without any library."""

    def run(self, url: str, work: str, amount: int, _file: str) -> dict[str, float]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(url.removeprefix("unix://"))
            return timed(partial(getattr(self, work), connection, amount))

    def inspect(self, connection: socket.socket, amount: int) -> None:
        for _ in range(amount):
            connection.sendall(INSPECT)
            connection.recv(65536)

    def download(self, connection: socket.socket, amount: int) -> None:
        buffer, size = bytearray(131072), 0
        connection.sendall(EXPORT)
        while size < amount:
            size += connection.recv_into(buffer)


class AsyncioBare:
    """The same bytes on a bare event loop, without any library."""

    def run(self, url: str, _work: str, amount: int, _file: str) -> dict[str, float]:
        return asyncio.run(self.main(url.removeprefix("unix://"), amount))

    async def main(self, path: str, amount: int) -> dict[str, float]:
        reader, writer = await asyncio.open_unix_connection(path)

        async def work() -> None:
            for _ in range(amount):
                writer.write(INSPECT)
                await reader.read(65536)

        begin = Meter()
        await work()
        writer.close()
        return begin.read()


class TrioBare:
    """The same on trio."""

    def run(self, url: str, _work: str, amount: int, _file: str) -> dict[str, float]:
        import trio

        return trio.run(self.main, url.removeprefix("unix://"), amount)

    async def main(self, path: str, amount: int) -> dict[str, float]:
        import trio

        async with await trio.open_unix_socket(path) as stream:
            begin = Meter()
            for _ in range(amount):
                await stream.send_all(INSPECT)
                await stream.receive_some(65536)
            return begin.read()


class Msgspec:
    """The decoding of the answer alone: of a list again and again, of messages each once."""

    def run(self, url: str, work: str, amount: int, _file: str) -> dict[str, float]:
        import httpx
        import msgspec

        with httpx.Client(transport=httpx.HTTPTransport(uds=url.removeprefix("unix://"))) as client:
            if work == "list":
                documents = [client.get("http://docker/images/json").content] * amount
            else:
                documents = client.post("http://docker/images/create", timeout=60).content.splitlines()
        assert len(documents) == amount
        decode = msgspec.json.Decoder().decode

        def decoding() -> None:
            for each in documents:
                decode(each)

        return timed(decoding)


class Command:
    """A program that does the same work."""

    def run(self, url: str, work: str, amount: int, file: str) -> dict[str, float]:
        path = url.removeprefix("unix://")
        curl = ["curl", "--silent", "--fail", "--output", "/dev/null", "--unix-socket", path]
        build = ["docker", "--host", url, "build", "--quiet", "--tag", "bench", file]
        commands = {
            "download": [*curl, "http://docker/v1.41/images/bench/get"],
            "upload": [*curl, "-X", "POST", "-H", "Expect:", "-T", file, "http://docker/v1.41/images/load"],
            "context": build,
            "contexts": build,
        }
        environment = {**os.environ, "DOCKER_BUILDKIT": "0", "DOCKER_API_VERSION": "1.41"}
        return timed_command(commands[work], environment, amount if work == "contexts" else 1)


class Buildx:
    """buildx, with its configuration in a directory of its own."""

    def run(self, url: str, work: str, _amount: int, file: str) -> dict[str, float]:
        from tests.testbed.buildx import buildx

        destination = ("--output", f"type=local,dest={output_of(file)}")
        result = destination if work == "output" else ("--tag", "bench")
        command = [*buildx(), "build", "--builder", "default", "--progress", "plain", *result, file]
        environment = {**os.environ, "DOCKER_HOST": url, "DOCKER_CONFIG": f"{file}-config"}
        return timed_command(command, environment)


def timed_command(command: list[str], environment: dict[str, str], times: int = 1) -> dict[str, float]:
    """Run a program, and return what it took."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    for _ in range(times):
        subprocess.run(
            command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "cpu": cpu, "memory": after.ru_maxrss * 1024}


def output_of(directory: str) -> str:
    """Return where the output of a build of a directory is written."""
    return f"{directory}-output"


def change(directory: str) -> None:
    """Return one file of a directory another content."""
    Path(directory, "folder-0", "file-0").write_bytes(os.urandom(1024))


async def measured(work: Callable[[], Awaitable[None]], warm_up: Awaitable[None]) -> dict[str, float]:
    """Warm up, do the work, and return what it took."""
    await warm_up
    begin = Meter()
    await work()
    return begin.read()


def timed(work: Callable[[], None]) -> dict[str, float]:
    """Do the work, and return what it took."""
    begin = Meter()
    work()
    return begin.read()


class Meter:
    """A meter of a piece of work: seconds, CPU seconds, growth of memory in bytes."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
        self._memory = resident("VmRSS")
        self._seconds, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        seconds, cpu = time.perf_counter() - self._seconds, time.process_time() - self._cpu
        return {"seconds": seconds, "cpu": cpu, "memory": resident("VmHWM") - self._memory}


def resident(what: str) -> int:
    """Return VmRSS or VmHWM of this process, in bytes."""
    found = re.search(rf"{what}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found[1]) * 1024


CONTESTANTS: dict[str, Any] = {
    "asyncio": Asyncio,
    "classic": Classic,
    "trio": Trio,
    "httpx": Httpx,
    "aiodocker": Aiodocker,
    "docker-py": DockerPy,
    "socket": Socket,
    "asyncio-bare": AsyncioBare,
    "trio-bare": TrioBare,
    "msgspec": Msgspec,
    "curl": Command,
    "docker": Command,
    "buildx": Buildx,
}

if __name__ == "__main__":
    contestant, work, url, amount, file = sys.argv[1:]
    print(json.dumps(CONTESTANTS[contestant]().run(url, work, int(amount), file)))
