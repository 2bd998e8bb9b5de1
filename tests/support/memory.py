"""A program that moves large archives, and prints by how many bytes its memory grew meanwhile.

Run as ``python -m tests.support.memory TRANSPORT URL ARCHIVE IMAGE...``: it exports the images, then loads
the archive.
"""

from __future__ import annotations

import json
import re
import sys
from functools import partial
from pathlib import Path
from typing import Any, cast

import anyio

from tests.support.facade import Transport, client


def resident(what: str) -> int:
    """Return VmRSS or VmHWM of this process in bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(rf"{what}:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


def forget_peak() -> None:
    """Let VmHWM begin anew."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


async def main(transport: Transport, url: str, archive: str, *images: str) -> None:
    """Move the data, and print what it took."""
    async with client(transport, url) as docker:
        await docker.images.export_image("busybox").read(65536)
        before = resident("VmRSS")
        forget_peak()
        exported = 0
        async with docker.images.export_image(images) as download:
            async for data in download:
                exported += len(data)
        peaks: dict[str, Any] = {"exported": exported, "export": resident("VmHWM") - before}
        await docker.images.import_image(archive)
        peaks["import"] = resident("VmHWM") - before
    print(json.dumps(peaks))  # noqa: T201  # its caller reads it


if __name__ == "__main__":
    chosen = cast("Transport", sys.argv[1])  # the tests know the three
    anyio.run(partial(main, chosen, *sys.argv[2:]), backend="trio" if chosen == "trio" else "asyncio")
