"""The command as a program: ``python -m dockerproto_cli``."""

import sys

from dockerproto_cli.command import main

if __name__ == "__main__":  # pragma: no branch
    sys.exit(main())
