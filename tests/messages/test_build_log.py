"""The parser of the classic builders' text: each line of a builder as an event, and all else as output."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dockerproto.messages.build_log import (
    BuildLog,
    Built,
    ImageId,
    LogEvent,
    StepCached,
    StepNotice,
    StepStarted,
    Tagged,
    Warned,
    without_red,
)
from tests.support.feeding import recorded

HEX = "0123456789ab"
ID = "ab" * 32


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("Step 1/2 : FROM busybox", StepStarted(1, 2, "FROM busybox", "")),
        ("Step 1/10000 : RUN a &&     b", StepStarted(1, 10000, "RUN a &&     b", "")),
        ("Step 1/1 : RUN a\nb", StepStarted(1, 1, "RUN a\nb", "")),
        ("Step 1/1 : ", StepStarted(1, 1, "", "")),
        ("STEP 1/2: FROM busybox\n", StepStarted(1, 2, "FROM busybox", "")),
        ("[2/3] STEP 1/2: FROM a AS b\n", StepStarted(1, 2, "FROM a AS b", "[2/3]")),
        ("[11/12] STEP 1/2: RUN x\n", StepStarted(1, 2, "RUN x", "[11/12]")),
        (" ---> Using cache\n", StepCached()),
        ("---> Using cache\n", StepCached()),
        (f"--> Using cache {ID}\n", StepCached()),
        ("\n", StepNotice()),
        (f" ---> {HEX}\n", StepNotice()),
        (f"--> {HEX[:11]}\n", StepNotice()),
        (f" ---> Running in {HEX}\n", StepNotice()),
        (f" ---> Removed intermediate container {HEX}\n", StepNotice()),
        (f"Removing intermediate container {HEX}\n", StepNotice()),
        (
            "[Warning] One or more build-args [A] were not consumed\n",
            Warned("One or more build-args [A] were not consumed"),
        ),
        (" ---> [Warning] Some options\n", Warned("Some options")),
        ("[Warning] no line end", Warned("no line end")),
        (f"Successfully built {HEX}\n", Built()),
        ("Successfully tagged r.example:5000/a/b:1\n", Tagged("r.example:5000/a/b:1")),
        (f"sha256:{ID}", ImageId(f"sha256:{ID}")),
        (f"sha256:{ID}\n", ImageId(f"sha256:{ID}")),
        (f"{ID}\n", ImageId(f"sha256:{ID}")),
    ],
)
def test_a_line_of_a_builder_is_an_event(text: str, event: LogEvent) -> None:
    assert BuildLog().parse(text) == event


@pytest.mark.parametrize(
    "text",
    [
        "",
        "make: Nothing to be done\n",
        "\n\n",
        "Step 1/2 : printed\n",
        "Step 1/2: printed",
        "STEP 1/2: printed",
        "STEP 1/2 : printed\n",
        "[1/2] Step 1/2 : printed",
        "Step 2/2 : printed",
        "Step 0/2 : printed",
        "Step 100000/100000 : printed",
        "STEP",
        "Setting up\n",
        " ---> Using cache",
        " ---> Using caches\n",
        f" ---> {HEX}",
        f" ---> {HEX} {HEX}\n",
        " ---> 01\n",
        f" ---> Running in {HEX}\nand more\n",
        f"Removed intermediate container {HEX}\n",
        "Removing intermediate files\n",
        "[Warning]\n",
        "[Info] x\n",
        f"Successfully built {HEX}",
        "Successfully built app-1.0\n",
        f"Successfully built {HEX}\nSuccessfully tagged a\n",
        "Successfully tagged\n",
        "Successfully tagged a b\n",
        "sha256:",
        f"sha256:{ID[1:]}\n",
        f"{ID}0\n",
        "COMMIT app\n",
        f"\x1b[91mSuccessfully built {HEX}\n\x1b[0m",
    ],
)
def test_anything_else_is_output(text: str) -> None:
    assert BuildLog().parse(text) is None


@pytest.mark.parametrize(
    ("headers", "numbers"),
    [
        (["1/3", "2/3", "3/3"], [1, 2, 3]),
        (["1/3", "3/3", "2/3"], [1, None, 2]),
        (["1/3", "2/4", "2/3"], [1, None, 2]),
        (["1/3", "2/3", "2/3", "3/3"], [1, 2, None, 3]),
        (["2/3", "3/3"], [None, None]),
        (["1/2", "2/2", "1/3", "2/2", "2/3"], [1, 2, 1, None, 2]),  # the next stage of Podman
    ],
)
@pytest.mark.parametrize("form", ["Step {} : RUN x", "STEP {}: RUN x\n", "[1/2] STEP {}: RUN x\n"])
def test_a_header_counts_only_if_its_number_follows(
    headers: list[str], numbers: list[int | None], form: str
) -> None:
    log = BuildLog()
    events = [log.parse(form.format(numbers)) for numbers in headers]
    assert [event.number if isinstance(event, StepStarted) else None for event in events] == numbers


@pytest.mark.parametrize(
    ("output", "plain"),
    [
        ("\x1b[91mfailed\n\x1b[0m", "failed\n"),
        ("\x1b[91m\x1b[0m", ""),
        ("\x1b[91ma\x1b[0m b", "\x1b[91ma\x1b[0m b"),
        ("a \x1b[91mb\x1b[0m", "a \x1b[91mb\x1b[0m"),
        ("\x1b[31mfailed\x1b[0m", "\x1b[31mfailed\x1b[0m"),
        ("\x1b[91m\x1b[91ma\x1b[0m\x1b[0m", "\x1b[91ma\x1b[0m"),
        ("plain\n", "plain\n"),
    ],
)
def test_the_red_of_the_builder_is_removed_once_and_no_other_colour(output: str, plain: str) -> None:
    assert without_red(output) == plain


def events_of(engine: str, operation: str) -> list[str]:
    log = BuildLog()
    documents: list[dict[str, Any]] = [
        json.loads(line) for line in recorded(engine, operation).body.splitlines()
    ]
    texts: list[str] = [each["stream"] for each in documents if "stream" in each]
    return [type(event).__name__ for event in map(log.parse, texts) if event is not None]


DOCKER = [
    *("StepStarted", "StepNotice", "StepNotice"),  # header, line end, id of the base image
    *("StepStarted", "StepNotice", "StepNotice"),  # header, line end, container
]


@pytest.mark.parametrize("engine", ["docker-20.10", "docker-26.1"])
def test_a_recorded_build_of_docker(engine: str) -> None:
    assert events_of(engine, "build-classic-failing-step") == DOCKER


def test_a_recorded_build_of_podman() -> None:
    assert events_of("podman-4.3", "build-classic-failing-step") == ["StepStarted", "StepStarted"]
