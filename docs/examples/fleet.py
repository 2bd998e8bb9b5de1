"""Pull an image on several engines at once, and print the outcome for each.

Run as ``python fleet.py IMAGE URL...``, with ``--trio`` for trio. The exit code is 1 if any engine failed.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable

import trio

import dockerproto_asyncio
import dockerproto_trio
from dockerproto import DockerError, message_text

CONCURRENT_PULLS = 3

Report = Callable[[str, str], None]


async def pull_with_asyncio(image: str, urls: list[str], report: Report) -> None:
    """Pull on every engine, on asyncio."""
    limit = asyncio.Semaphore(CONCURRENT_PULLS)

    async def pull(url: str) -> None:
        try:
            async with limit, dockerproto_asyncio.Docker(url) as docker:
                messages = await docker.images.pull(image)
                report(url, message_text(messages[-1]).rstrip())
        except DockerError as error:
            report(url, f"failed: {error}")

    async with asyncio.TaskGroup() as tasks:
        for url in urls:
            tasks.create_task(pull(url))


async def pull_with_trio(image: str, urls: list[str], report: Report) -> None:
    """Pull on every engine, on trio."""
    limit = trio.CapacityLimiter(CONCURRENT_PULLS)

    async def pull(url: str) -> None:
        try:
            async with limit, dockerproto_trio.Docker(url) as docker:
                messages = await docker.images.pull(image)
                report(url, message_text(messages[-1]).rstrip())
        except DockerError as error:
            report(url, f"failed: {error}")

    async with trio.open_nursery() as nursery:
        for url in urls:
            nursery.start_soon(pull, url)


def main(arguments: list[str]) -> int:
    """Pull, print the outcome for each engine, and return the exit code."""
    parser = argparse.ArgumentParser(description="Pull an image on several engines at once.")
    parser.add_argument("--trio", action="store_true", help="run on trio instead of asyncio")
    parser.add_argument("image")
    parser.add_argument("urls", nargs="+", metavar="url")
    options = parser.parse_args(arguments)
    failed: list[str] = []

    def report(url: str, text: str) -> None:
        print(f"{url}: {text}")
        if text.startswith("failed"):
            failed.append(url)

    if options.trio:
        trio.run(pull_with_trio, options.image, options.urls, report)
    else:
        asyncio.run(pull_with_asyncio(options.image, options.urls, report))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
