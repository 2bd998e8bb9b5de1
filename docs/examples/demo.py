"""The main job on asyncio, on trio and on blocking httpx: build, push, pull, export and load an image.

Run it with ``make demo``. It uses this machine's engine if one responds; otherwise it starts a private one.
The registry is private, on a loopback port. The demo removes all images that it creates.
"""

import asyncio
import os
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO
from uuid import uuid4

import trio

import dockerproto_asyncio
import dockerproto_httpx
import dockerproto_trio
from dockerproto import AsyncImages, DeletedImage, DockerError, Images, ImageSummary, Message, message_text

sys.path.insert(0, str(Path(__file__).parents[2]))  # the package does not contain the tests

from tests.testbed import registry
from tests.testbed.base_image import busybox_layer, context
from tests.testbed.dockerd import Dockerd
from tests.testbed.registry import Registry

DOCKERFILE = """\
FROM {base}
COPY poem.txt /poem.txt
RUN cat /poem.txt
RUN dd if=/dev/urandom of=/noise bs=64k count=16 2>/dev/null
CMD ["cat", "/poem.txt"]
"""
POEM = b"One core decides what to say,\nthree transports carry the bytes away.\n"


@dataclass(frozen=True)
class Names:
    """Names of the images of one run; each run has its own."""

    base: str
    built: str
    pushed: str


@dataclass
class Layer:
    """State of a layer during a pull."""

    status: str = ""
    messages: int = 0
    bytes: int = 0


async def on_event_loop(images: AsyncImages, names: Names, file: IO[bytes]) -> None:
    """Do the job with an async client, on asyncio or trio."""
    with step("import", "a root file system") as notes:
        layer = busybox_layer()
        messages = await images.import_filesystem(layer, repo=names.base)
        notes += [names.base, size(len(layer)), count(messages)]

    with step("build", "from a tar") as notes:
        tar = context(DOCKERFILE.format(base=names.base), **{"poem.txt": POEM})
        progress = Progress()
        async with images.build(
            fileobj=tar, tag=names.built, network_mode="none", forcerm=True, stream=True
        ) as building:
            async for message in building:
                progress.show(message)
        notes += [names.built, size(len(tar)), count(progress.messages)]

    with step("tag", "for the registry") as notes:
        await images.tag(names.built, names.pushed)
        notes.append(names.pushed)

    with step("push", "to the registry") as notes:
        messages = await images.push(names.pushed)
        notes += [f"digest {messages.result.digest}"[:26], count(messages)]

    with step("delete", "from the engine") as notes:
        deleted: list[DeletedImage] = []
        for name in (names.pushed, names.built, names.base):
            deleted += await images.delete(name)
        notes.append(f"{len(deleted)} names and layers")

    with step("pull", "from the registry") as notes:
        progress = Progress()
        async with images.pull(names.pushed, stream=True) as pulling:
            async for message in pulling:
                progress.show(message)
        progress.show_layers()
        notes += [names.pushed, count(progress.messages)]

    with step("list", "images") as notes:
        found = await images.list(filters={"reference": names.pushed})
        notes += [summary(image) for image in found]

    with step("history", "of the image") as notes:
        notes.append(f"{len(await images.history(names.pushed))} steps")

    with step("export", "to a file") as notes:
        async with images.export_image(names.pushed) as archive:
            async for chunk in archive:
                file.write(chunk)
        notes.append(size(file.tell()))

    with step("delete", "from the engine") as notes:
        notes.append(f"{len(await images.delete(names.pushed))} names and layers")

    with step("load", "from the file") as notes:
        file.seek(0)
        messages = await images.import_image(file)
        notes.extend(messages.result.references)

    with step("inspect", "the loaded image") as notes:
        notes.append((await images.inspect(names.pushed))["Id"][:19])


def blocking(images: Images, names: Names, file: IO[bytes]) -> None:
    """Do the same with the blocking client: the same calls, without async and await."""
    with step("import", "a root file system") as notes:
        layer = busybox_layer()
        messages = images.import_filesystem(layer, repo=names.base)
        notes += [names.base, size(len(layer)), count(messages)]

    with step("build", "from a tar") as notes:
        tar = context(DOCKERFILE.format(base=names.base), **{"poem.txt": POEM})
        progress = Progress()
        with images.build(
            fileobj=tar, tag=names.built, network_mode="none", forcerm=True, stream=True
        ) as building:
            for message in building:
                progress.show(message)
        notes += [names.built, size(len(tar)), count(progress.messages)]

    with step("tag", "for the registry") as notes:
        images.tag(names.built, names.pushed)
        notes.append(names.pushed)

    with step("push", "to the registry") as notes:
        messages = images.push(names.pushed)
        notes += [f"digest {messages.result.digest}"[:26], count(messages)]

    with step("delete", "from the engine") as notes:
        deleted: list[DeletedImage] = []
        for name in (names.pushed, names.built, names.base):
            deleted += images.delete(name)
        notes.append(f"{len(deleted)} names and layers")

    with step("pull", "from the registry") as notes:
        progress = Progress()
        with images.pull(names.pushed, stream=True) as pulling:
            for message in pulling:
                progress.show(message)
        progress.show_layers()
        notes += [names.pushed, count(progress.messages)]

    with step("list", "images") as notes:
        found = images.list(filters={"reference": names.pushed})
        notes += [summary(image) for image in found]

    with step("history", "of the image") as notes:
        notes.append(f"{len(images.history(names.pushed))} steps")

    with step("export", "to a file") as notes:
        with images.export_image(names.pushed) as archive:
            for chunk in archive:
                file.write(chunk)
        notes.append(size(file.tell()))

    with step("delete", "from the engine") as notes:
        notes.append(f"{len(images.delete(names.pushed))} names and layers")

    with step("load", "from the file") as notes:
        file.seek(0)
        messages = images.import_image(file)
        notes.extend(messages.result.references)

    with step("inspect", "the loaded image") as notes:
        notes.append(images.inspect(names.pushed)["Id"][:19])


def with_asyncio(url: str, names: Names, file: IO[bytes]) -> None:
    """Do the job on asyncio."""

    async def job() -> None:
        async with dockerproto_asyncio.Docker(url) as docker:
            await on_event_loop(docker.images, names, file)

    asyncio.run(job())


def with_trio(url: str, names: Names, file: IO[bytes]) -> None:
    """Do the job on trio."""

    async def job() -> None:
        async with dockerproto_trio.Docker(url) as docker:
            await on_event_loop(docker.images, names, file)

    trio.run(job)


def with_httpx(url: str, names: Names, file: IO[bytes]) -> None:
    """Do the job without an event loop."""
    with dockerproto_httpx.Docker(url) as docker:
        blocking(docker.images, names, file)


JOBS = {"asyncio": with_asyncio, "trio": with_trio, "httpx": with_httpx}


class Progress:
    """Prints the progress of an operation in few lines."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._layers: dict[str, Layer] = {}

    def show(self, message: Message) -> None:
        """Print the steps and the output of a build; collect the progress of a pull by layer."""
        self.messages.append(message)
        text = message_text(message).strip() if "stream" in message or "trace" in message else ""
        if text and not text.startswith(("--->", "Removing", "Successfully")):
            tell(text)
        if "id" in message and "progressDetail" in message:
            layer = self._layers.setdefault(message["id"], Layer())
            layer.status = message.get("status", "")
            layer.messages += 1
            layer.bytes = max(layer.bytes, message["progressDetail"].get("total", 0))

    def show_layers(self) -> None:
        """Print the last state of each layer."""
        for name, layer in self._layers.items():
            tell(f"{name}: {layer.status}, {size(layer.bytes)}, {layer.messages} messages")


@contextmanager
def step(verb: str, what: str) -> Generator[list[str]]:
    """Print a line when a step is done: its duration, its description, and its notes."""
    notes: list[str] = []
    start = time.monotonic()
    yield notes
    print(f"  {time.monotonic() - start:5.2f} s  {verb:<8} {what:<20}  {', '.join(notes)}")


def tell(text: str) -> None:
    """Print output of a step."""
    for line in text.splitlines():
        print(f"           | {line}")


def size(number: int) -> str:
    """Format a number of bytes."""
    return f"{number / 1000:,.0f} kB"


def count(messages: Sequence[Message]) -> str:
    """Format the number of messages."""
    return f"{len(messages)} message{'s' if len(messages) != 1 else ''}"


def summary(image: ImageSummary) -> str:
    """Describe an image of a list."""
    return f"{' '.join(image['RepoTags'])} {image['Id'][:19]}, {size(image['Size'])}"


def engine_of_this_machine() -> str | None:
    """Return the address of this machine's engine; None if none responds."""
    try:
        with dockerproto_httpx.Docker(timeout=5) as docker:
            docker.ping()
            return str(docker.endpoint.address)
    except DockerError as error:
        print(f"This machine has no engine: {error}")
        return None


def start(resources: ExitStack) -> tuple[str, str]:
    """Start a registry, and an engine if this machine has none; return their addresses."""
    directory = Path(resources.enter_context(TemporaryDirectory(prefix="dockerproto-demo-")))
    url = engine_of_this_machine()
    for missing in (registry.available(), None if url else Dockerd.available()):
        if missing:
            sys.exit(f"The demo cannot run: {missing}")
    if url is None:
        print("Starting a private one.")
        url = resources.enter_context(Dockerd(directory / "engine")).url
    return url, resources.enter_context(Registry(directory / "registry")).host


def clean_up(url: str, names: Names) -> None:
    """Remove the remaining images of a run."""
    with step("delete", "the rest") as notes, dockerproto_httpx.Docker(url) as docker:
        for name in (names.pushed, names.built, names.base):
            if docker.images.exists(name):
                docker.images.delete(name)
                notes.append(name)


def heading(text: str) -> str:
    """Return a heading, bold on a terminal unless NO_COLOR is set."""
    bold = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    return f"\n\x1b[1m{text}\x1b[0m" if bold else f"\n{text}"


def main() -> None:
    """Run the job on each transport; the first error ends it."""
    with ExitStack() as resources:
        url, host = start(resources)
        with dockerproto_httpx.Docker(url) as docker:
            print(
                f"Engine {docker.version()['Version']}, API {docker.api_version}, at {url}; registry {host}"
            )
        for transport, run in JOBS.items():
            print(heading(f"dockerproto_{transport}"))
            unique = f"dockerproto-demo-{uuid4().hex[:8]}"
            names = Names(f"{unique}:base", f"{unique}:built", f"{host}/{unique}:1")
            with TemporaryFile() as file:
                try:
                    run(url, names, file)
                except BaseException:
                    with suppress(DockerError):  # the error of the job matters more
                        clean_up(url, names)
                    raise
                clean_up(url, names)
    print(heading("All done."))


if __name__ == "__main__":
    try:
        main()
    except DockerError as error:
        for message in error.messages[-3:]:
            print(message_text(message), end="", file=sys.stderr)
        sys.exit(f"The demo failed: {type(error).__name__}: {error}")
