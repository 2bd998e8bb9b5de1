"""The command ``dockerproto``: parse the arguments, run a subcommand and return its exit status.

As with the Docker CLI, 0: success. 1: failure, or missing, unexpected or contradictory arguments. 125: an
invalid option. 130: interrupted. 141: the reader of standard output has gone. A failure is one line on
standard error. An error about arguments follows the usage of the command.

Nothing is loaded here that help does not need: the library takes longer to load than Python itself.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from dockerproto_cli.arguments import parse
from dockerproto_cli.commands import COMMANDS
from dockerproto_cli.completion import COMPLETE, complete
from dockerproto_cli.options import load


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status; the arguments are `sys.argv` by default."""
    words = [*(sys.argv[1:] if argv is None else argv)]
    if words[:1] == [COMPLETE]:
        return complete(words[1:])
    arguments = parse(words)
    command = COMMANDS[arguments.command]
    status: int = load(command.function if command.local else "running:run")(arguments)
    return status
