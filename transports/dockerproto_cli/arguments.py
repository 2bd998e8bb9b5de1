"""Parse the arguments of the command. Parsing help and version loads no other part of the library."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, Final, NoReturn

from dockerproto_cli.commands import COMMANDS, GROUPS
from dockerproto_cli.options import Argument, flag, value

PROGRAM: Final = "dockerproto"
_PLAIN: Final[dict[str, Any]] = {"color": False} if sys.version_info >= (3, 14) else {}
"""Options of parsers: Python 3.14 colours the usage for standard output, and prints it to standard error."""
INVALID_OPTION: Final = 125
"""Exit status for an option that is unknown, or has an invalid value."""
_UNKNOWN_OPTION: Final = "unknown option"
_OPTIONS: Final = ("argument -", _UNKNOWN_OPTION)
_GLOBAL: Final = ("host", "context", "json")
COMMON: Final[tuple[Argument, ...]] = (
    value("-H", "--host", metavar="URL", help="engine, such as unix:///run/docker.sock"),
    value("-c", "--context", metavar="NAME", help="Docker context of the engine"),
    flag("--json", help="print JSON: one document, or one message per line"),
)


class Parser(argparse.ArgumentParser):
    """A parser that exits with the statuses of the Docker CLI."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and an error; exit with 125 for an invalid option, otherwise with 1."""
        self.print_usage(sys.stderr)
        self.exit(INVALID_OPTION if message.startswith(_OPTIONS) else 1, f"{self.prog}: error: {message}\n")


class _Version(argparse.Action):
    """The option ``--version``; only it loads the library to know the version."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,  # noqa: ARG002  # an interface
        values: object,  # noqa: ARG002
        option_string: str | None = None,  # noqa: ARG002
    ) -> None:
        from importlib.metadata import version  # noqa: PLC0415

        sys.stdout.write(f"{PROGRAM} {version('dockerproto')}\n")
        parser.exit()


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the arguments; those of the program by default.

    Exits with status 125 for an invalid option, with 1 for other invalid arguments, after the usage of the
    command and an error that names the arguments at fault.
    """
    top = _parser()
    arguments, unknown = top.parse_known_args(argv)
    if unknown:
        top.error(_at_fault(unknown))
    name, rest = _split(arguments.command or [""])
    if name not in COMMANDS:
        top.error(f"unknown command: {name}; see {PROGRAM} --help" if name else "a command is required")
    return _parse_command(name, rest, arguments)


def _split(words: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Return the name of a command, which may have two words, and its arguments."""
    count = 2 if words[0] in GROUPS else 1
    return " ".join(words[:count]), words[count:]


def command_parser(name: str) -> Parser:
    """Return the parser of the arguments after the name of a command."""
    summary, accepted = COMMANDS[name].summary, COMMANDS[name].arguments
    parser = Parser(
        prog=f"{PROGRAM} {name}",
        description=f"{summary[0].upper()}{summary[1:]}.",
        allow_abbrev=False,
        **_PLAIN,
    )
    taken = {name for names, _ in accepted for name in names}  # "-c" of "import" is "--change"
    common = (([name for name in names if name not in taken], options) for names, options in COMMON)
    for names, options in (*accepted, *common):
        parser.add_argument(*names, **options)
    return parser


def _parse_command(name: str, rest: Sequence[str], arguments: argparse.Namespace) -> argparse.Namespace:
    """Parse the arguments of a command; options may stand between operands, as with the Docker CLI."""
    command = command_parser(name)
    usage = command.format_usage()
    command.set_defaults(command=name, usage=usage, **{each: getattr(arguments, each) for each in _GLOBAL})
    # With "--", what follows must not be parsed twice.
    parse_known = command.parse_known_args if "--" in rest else command.parse_known_intermixed_args
    parsed, unknown = parse_known(rest)
    if unknown:
        command.error(_at_fault(unknown))
    return parsed


def _at_fault(unknown: Sequence[str]) -> str:
    """Describe unknown arguments; after an unknown option, the operands may be innocent."""
    options = [each for each in unknown if each.startswith("-") and each != "-"]
    what = _UNKNOWN_OPTION if options else "unexpected argument"
    return f"{what}: {' '.join(options or unknown)}"


def _parser() -> Parser:
    """Return the parser of the arguments before the command; it leaves the rest alone."""
    width = max(map(len, COMMANDS))
    summaries = (f"  {name:{width}}  {each.summary}" for name, each in COMMANDS.items())
    top = Parser(
        prog=PROGRAM,
        usage=f"{PROGRAM} [-h] [--version] [-H URL] [-c NAME] [--json] COMMAND ...",
        description="Manage the images of a Docker Engine.",
        epilog="\n".join(("commands:", *summaries)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        **_PLAIN,
    )
    top.add_argument("--version", action=_Version, nargs=0, help="show the version of this command")
    for names, options in COMMON:
        top.add_argument(*names, **options)
    top.add_argument("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return top
