"""Run a command on an engine, and return its exit status: see `dockerproto_cli.command`."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from typing import Final

from dockerproto import DockerError
from dockerproto.docker import BlockingDocker
from dockerproto_cli.commands import COMMANDS
from dockerproto_cli.options import load
from dockerproto_cli.printing import Invocation, report_error, report_misuse
from dockerproto_local import configure
from dockerproto_local.blocking import BlockingTransport

FAILED: Final = 1
INTERRUPTED: Final = 128 + 2
BROKEN_PIPE: Final = 128 + 13
_COMPLETION_SECONDS: Final = 2
"""Limit on a list of images for a completion."""


def run(arguments: Namespace) -> int:
    """Run the command and return its exit status."""
    try:
        with connect(arguments) as docker:
            status = load(COMMANDS[arguments.command].function)(Invocation(arguments, docker))
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
        return FAILED
    except OSError as error:
        report_error(f"{error.filename}: {error.strerror}" if error.filename else str(error), arguments)
        return FAILED
    return status or 0


def connect(arguments: Namespace) -> BlockingDocker:
    """Return a client of the engine that the arguments name; it needs no httpx, which takes long to load."""
    configuration = configure(arguments.host, context=arguments.context)
    return BlockingDocker(configuration, BlockingTransport(configuration.ssl_context))


def image_names() -> list[str]:
    """Return the names of the images of the default engine."""
    with connect(Namespace(host=None, context=None)) as docker:
        images = docker.images.list(timeout=_COMPLETION_SECONDS)
    return [tag for image in images for tag in image["RepoTags"] if tag != "<none>:<none>"]
