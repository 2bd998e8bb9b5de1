"""The command ``dockerproto``: what it is asked for, and what its exit status says.

0: it was done. 1: it failed. 2: it was asked for in a way that it does not know. 130: it was interrupted.
141: nobody reads what it writes. An error is one line on standard error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

from dockerproto import DockerError
from dockerproto_cli.arguments import parser
from dockerproto_cli.printing import Invocation, complain
from dockerproto_httpx import Docker

FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 128 + 2
BROKEN_PIPE: Final = 128 + 13


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the arguments say, and return the exit status; those of the program by default."""
    arguments = parser().parse_args(argv)
    try:
        with Docker(arguments.host, context=arguments.context) as docker:
            status = arguments.run(Invocation(arguments, docker))
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # What is left in the buffer would fail again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except DockerError as error:
        complain(error, arguments)
        return FAILED
    except (ValueError, TypeError) as error:
        complain(str(error), arguments)
        return USAGE
    except OSError as error:
        complain(f"{error.filename}: {error.strerror}" if error.filename else str(error), arguments)
        return FAILED
    return status or 0
