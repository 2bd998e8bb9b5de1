"""The wording of a failed command in the error message of a build: the only place that knows it.

The classic builder, BuildKit, BuildKit of Engine 20.10 and Podman word it in their own ways; all quote the
command.
"""

from __future__ import annotations

import re
from typing import Final

from dockerproto.messages.goquote import unquote

_CLASSIC: Final = "returned a non-zero code: "
_BUILDKIT: Final = "did not complete successfully: "
_BUILDKIT_OF_20_10: Final = "executor failed running ["
_PODMAN: Final = "while running runtime: "

_PHRASES: Final = (_CLASSIC, _BUILDKIT, _BUILDKIT_OF_20_10, f"{_PODMAN}exit status")
_EXIT_CODE: Final = re.compile(r"(?:exit code:|exit status) (\d{1,9})\Z")
_BEFORE_EXIT_CODE: Final = (_BUILDKIT, _PODMAN)
_COMMANDS: Final = (
    ("The command '", f"' {_CLASSIC}"),
    ('process "', f'" {_BUILDKIT}'),
    (_BUILDKIT_OF_20_10, "]: "),
    ('building at STEP "RUN ', f'": {_PODMAN}'),
)
"""Texts before and after the command, by builder."""
_GO_QUOTED: Final = 'process "'
_INSTRUCTIONS: Final = ('building at STEP "', 'error building at STEP "')


def is_command_failure(message: str) -> bool:
    """Return True if the message says that a command of the build failed.

    Args:
        message: Text in lower case, without the content of double quotes.
    """
    return any(phrase in message for phrase in _PHRASES)


def exit_code(message: str) -> int | None:
    """Return the exit code of the command; None on the classic builder, which sends it as a number.

    >>> exit_code('process "/bin/sh -c exit 3" did not complete successfully: exit code: 3')
    3
    """
    message = message.rstrip()
    match = _EXIT_CODE.search(message, max(0, len(message) - 40))
    if match is None:
        return None
    before = message[: match.start()]
    if before.endswith(_BEFORE_EXIT_CODE) or (before.endswith("]: ") and _BUILDKIT_OF_20_10 in before):
        return int(match[1])
    return None


def failed_command(message: str) -> str | None:
    """Return the command that failed; None if the message quotes none.

    >>> failed_command("The command '/bin/sh -c make' returned a non-zero code: 2")
    '/bin/sh -c make'
    """
    for before, after in _COMMANDS:
        command = _between(message, before, after)
        if command is not None:
            return unquote(command) if before == _GO_QUOTED else command
    return None


def failed_instruction(message: str) -> str | None:
    """Return the instruction that failed, with or without a command; None unless the builder is Podman."""
    if not message.startswith(_INSTRUCTIONS):
        return None
    return _between(message, _INSTRUCTIONS[0], '": ')


def _between(message: str, before: str, after: str) -> str | None:
    """Return the text between the first `before` and the last `after`; in linear time, unlike a pattern."""
    start = message.find(before) + len(before)
    end = message.rfind(after)
    return message[start:end] if len(before) <= start <= end else None
