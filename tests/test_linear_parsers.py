"""Parsers of foreign text take linear time for the worst texts, up to the 16 MiB that a message may have."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, TypeAlias

import pytest

from dockerproto.buildcontext.dockerfile import images_of
from dockerproto.buildcontext.dockerignore import Patterns, parse_ignore_file
from dockerproto.buildcontext.misuse import check_directory, check_dockerfile
from dockerproto.buildkit.files.follow_paths import name_matcher
from dockerproto.config.config_file import parse_config_file
from dockerproto.endpoint.hosts import parse_host
from dockerproto.errors import DockerError, DockerStreamError
from dockerproto.http.http11 import Exchange, WireRequest
from dockerproto.messages.classification import status_error, stream_error
from dockerproto.messages.command_failure import exit_code, failed_command, failed_instruction
from dockerproto.messages.decoding import ErrorBody, Messages
from dockerproto.messages.models import Message
from dockerproto.messages.results import BuildReducer, build_result, import_result, pull_result, push_result
from dockerproto.messages.text import message_text
from dockerproto.progress import Tracker
from dockerproto.progress.text import printable
from dockerproto.references import parse_reference

Parser: TypeAlias = Callable[[str], object]

BOUND: Final = 4.0
"""A longer text costs at most this many times as much for each character."""
PUMPS: Final = (
    *(
        "a",
        " ",
        "\n",
        "\r",
        "\t a",
        ": ",
        "::",
        ".",
        "/",
        "-",
        "[",
        "[^a",
        "[[:",
        r"\Q\E",
        "\\",
        '"',
        r"\"",
        "'",
    ),
    *(
        "<",
        "<a",
        "@a",
        "http://@",
        "target stage ",
        "conflict: ",
        "tar ",
        "status code [",
        "no a ",
        '"code": ',
    ),
    *(
        "\x1b[",
        "\x1b]0;",
        "\x9b0",
        r"\n",
        r"\x61",
        "${a:-",
        "$a",
        "--a=b ",
        "RUN <<A\n",
        "# a=",
        "a,",
        "{",
        '{"a":',
    ),
    *("Step 1/1 : ", "[Warning] ", "Loaded image: a", "a: digest: sha256:", "naming to ", "é", "\ud800"),
)


def _track(text: str) -> None:
    tracker = Tracker()
    tracker.feed({"stream": text}, 0.0)
    tracker.feed({"status": text, "id": text}, 0.0)
    tracker.finish(1.0, error=text)


def _reduce(text: str) -> None:
    messages: list[Message] = [{"stream": text}, {"status": text}]
    for result in (build_result, import_result, pull_result, push_result):
        result(messages)


def _explain(text: str) -> None:
    reducer = BuildReducer()
    reducer.add({"stream": text})
    error = DockerStreamError(text, error_detail={})
    reducer.explain(error)


def _decode(text: str) -> None:
    with suppress(DockerError):
        list(Messages().feed(text.encode(errors="replace") + b"\n"))


def _head(text: str) -> None:
    exchange = Exchange()
    exchange.start(WireRequest("GET", "/", [("Host", "docker")]))
    exchange.feed(b"HTTP/1.1 200 OK\r\nA: " + text.encode(errors="replace"))
    with suppress(DockerError):
        exchange.head()


def _error_body(text: str) -> None:
    body = ErrorBody(500)
    with suppress(DockerError):  # raised at the limit, or at the end
        body.feed(text.encode(errors="replace"))
        body.feed(b"")


def _refused(parse: Parser) -> Parser:
    def parser(text: str) -> None:
        with suppress(DockerError, ValueError):
            parse(text)

    return parser


PARSERS: Final[Mapping[str, Parser]] = {
    "status error": lambda text: status_error(500, text),
    "stream error": lambda text: stream_error(text, {}),
    "error body": _error_body,
    "exit code": exit_code,
    "command": lambda text: failed_command(f'process "{text}" did not complete successfully: '),
    "instruction": lambda text: failed_instruction(f'building at STEP "{text}'),
    "text of an output": lambda text: message_text({"stream": text}),
    "text of a status": lambda text: message_text({"status": text, "id": text}),
    "results": _reduce,
    "step": _explain,
    "progress": _track,
    "printable": printable,
    "messages": _decode,
    "head": _head,
    "ignore file": lambda text: parse_ignore_file(text.encode(errors="replace")),
    "Dockerfile": lambda text: images_of(text.encode(errors="replace"), {}),
    "one line": _refused(lambda text: check_dockerfile(text.encode(errors="replace"))),
    "URL": _refused(check_directory),
    "reference": _refused(parse_reference),
    "host": _refused(parse_host),
    "config file": lambda text: parse_config_file(text.encode(errors="replace")),
}
"""Parsers that take a text of any length."""
PATTERNS: Final[Mapping[str, Parser]] = {
    "pattern": _refused(lambda text: Patterns([text])),
    "name pattern": _refused(name_matcher),
}
"""Parsers of texts that are short, or whose work is a matcher."""
MESSAGE: Final = (
    *("status error", "stream error", "command", "text of an output", "text of a status", "results", "step"),
    *("progress", "printable", "messages"),
)
"""Parsers of messages, which have up to 16 MiB."""
WORST: Final = (": @a", '\\"', "<[:a", "\x1b[0")
LONGEST: Final = 4_096 - len("x" + "\0")
"""Length of the longest text that a parser of patterns does not refuse at once."""
FLOOR: Final = 20e-6
"""CPU time in seconds below which a measurement says nothing."""


def cost(parse: Parser, text: str) -> float:
    """Return the CPU time of this thread that a text costs."""
    start = time.thread_time()
    parse(text)
    return time.thread_time() - start


def is_linear(parse: Parser, pump: str, size: int, factor: int) -> bool:
    """Return True if at least one of several comparisons is within the bound; the machine may be busy."""
    short, long = (f"x{pump * (count // len(pump))}\0" for count in (size, size * factor))
    return any(cost(parse, long) <= BOUND * factor * max(cost(parse, short), FLOOR) for _ in range(5))


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_takes_linear_time(name: str) -> None:
    assert [pump for pump in PUMPS if not is_linear(PARSERS[name], pump, 2**13, 16)] == []


@pytest.mark.parametrize("name", PATTERNS)
def test_a_parser_of_patterns_takes_linear_time(name: str) -> None:
    assert [pump for pump in PUMPS if not is_linear(PATTERNS[name], pump, LONGEST // 16, 16)] == []


@pytest.mark.parametrize("name", MESSAGE)
def test_the_longest_messages_take_linear_time(name: str) -> None:
    assert [pump for pump in WORST if not is_linear(PARSERS[name], pump, 2**21, 8)] == []
