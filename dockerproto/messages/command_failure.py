"""The wording of a failed command in the error message of a build: the only place that knows it.

The classic builder, BuildKit, BuildKit of Engine 20.10 and Podman word it in their own ways; all quote the
command.
"""

from __future__ import annotations

import ast
import re
from contextlib import suppress
from typing import Final

_CLASSIC: Final = "returned a non-zero code"
_BUILDKIT: Final = "did not complete successfully"
_BUILDKIT_OF_20_10: Final = "executor failed running"
_PODMAN: Final = "while running runtime"

_PHRASES: Final = (_CLASSIC, _BUILDKIT, _BUILDKIT_OF_20_10, f"{_PODMAN}: exit status")
_EXIT_CODE: Final = re.compile(
    rf"(?:{_BUILDKIT}: exit code:|{_BUILDKIT_OF_20_10} \[.*\]: exit code:|{_PODMAN}: exit status) (\d+)\s*\Z",
    re.DOTALL,
)
_COMMAND: Final = re.compile(
    rf"\AThe command '(?P<classic>.*)' {_CLASSIC}: \d+\Z"
    rf'|process (?P<quoted>".*") {_BUILDKIT}: '
    rf"|{_BUILDKIT_OF_20_10} \[(?P<plain>.*)\]: "
    rf'|building at STEP "RUN (?P<podman>.*)": {_PODMAN}: ',
    re.DOTALL,
)
_INSTRUCTION: Final = re.compile(r'\A(?:error )?building at STEP "(.*)": ', re.DOTALL)


def is_command_failure(message: str) -> bool:
    """Return True if the message says that a command of the build failed."""
    lowered = message.lower()
    return any(phrase in lowered for phrase in _PHRASES)


def exit_code(message: str) -> int | None:
    """Return the exit code of the command; None on the classic builder, which sends it as a number.

    >>> exit_code('process "/bin/sh -c exit 3" did not complete successfully: exit code: 3')
    3
    """
    match = _EXIT_CODE.search(message)
    return int(match[1]) if match else None


def failed_command(message: str) -> str | None:
    """Return the command that failed; None if the message quotes none.

    >>> failed_command("The command '/bin/sh -c make' returned a non-zero code: 2")
    '/bin/sh -c make'
    """
    match = _COMMAND.search(message)
    if match is None:
        return None
    quoted = match["quoted"]
    if quoted is None:
        return match["classic"] or match["plain"] or match["podman"]
    with suppress(SyntaxError, ValueError):
        return str(ast.literal_eval(quoted))  # Go quotes as Python does
    return quoted[1:-1]


def failed_instruction(message: str) -> str | None:
    """Return the instruction that failed, with or without a command; None unless the builder is Podman."""
    match = _INSTRUCTION.match(message)
    return match[1] if match else None
