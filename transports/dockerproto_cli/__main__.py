"""The entry point of the command: ``dockerproto`` and ``python -m dockerproto_cli``."""

import sys

from dockerproto.errors import NotInstalled


def main() -> int:
    """Run the command and return its exit status; 1 if the extra ``cli`` is missing."""
    try:
        from dockerproto_cli import command  # noqa: PLC0415  # its imports may be missing
    except (ModuleNotFoundError, NotInstalled) as error:
        cause = error.__cause__ or error
        sys.stderr.write(
            f"dockerproto: the command needs httpx and rich: pip install 'dockerproto[cli]' ({cause})\n"
        )
        return 1
    return command.main()


if __name__ == "__main__":
    sys.exit(main())
