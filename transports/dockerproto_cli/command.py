"""The command ``dockerproto``: run a subcommand and return its exit status.

0: success. 1: failure. 2: invalid arguments. 130: interrupted. 141: the reader of standard output has gone.
A failure is one line on standard error. An error about arguments follows the usage of the command.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

from dockerproto import DockerError
from dockerproto_cli.arguments import parse
from dockerproto_cli.printing import Invocation, report_error, report_misuse
from dockerproto_httpx import Docker

FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 128 + 2
BROKEN_PIPE: Final = 128 + 13


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status; the arguments are `sys.argv` by default."""
    arguments = parse(argv)
    try:
        with Docker(arguments.host, context=arguments.context) as docker:
            status = arguments.run(Invocation(arguments, docker))
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The rest of the buffer would fail again when Python exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except DockerError as error:
        report_error(error, arguments)
        return FAILED
    except (ValueError, TypeError) as error:
        report_misuse(str(error), arguments)
        return USAGE
    except OSError as error:
        report_error(f"{error.filename}: {error.strerror}" if error.filename else str(error), arguments)
        return FAILED
    return status or 0
