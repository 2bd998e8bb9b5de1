"""``python -m dockerproto_cli``."""

import sys

from dockerproto_cli.command import main

sys.exit(main())
