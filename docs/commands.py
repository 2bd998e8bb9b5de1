"""The tables of the page about the command, made of the parsers of its arguments.

The options of the Docker CLI are listed here; tests/cli/test_command_page.py compares them with the real one,
and requires a reason for each that the command lacks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dockerproto_cli import arguments, build_command, commands, options
from dockerproto_cli.commands import COMMANDS
from dockerproto_cli.options import Argument

SOURCES: Final = (__file__, *(str(each.__file__) for each in (arguments, build_command, commands, options)))
"""Files that the texts depend on."""

DOCKER: Final = {
    "build": (
        "--add-host --allow --annotation --attest --build-arg --build-context --builder --cache-from "
        "--cache-to --call --cgroup-parent --check --compress --cpu-period --cpu-quota --cpu-shares "
        "--cpuset-cpus --cpuset-mems --debug --disable-content-trust --file --force-rm --iidfile --isolation "
        "--label --load --memory --memory-swap --metadata-file --network --no-cache --no-cache-filter "
        "--output --platform --progress --provenance --pull --push --quiet --rm --sbom --secret "
        "--security-opt --shm-size --squash --ssh --tag --target --ulimit"
    ),
    "builder prune": "--all --filter --force --keep-storage",
    "completion": "--no-descriptions",
    "df": "--format --verbose",
    "history": "--format --human --no-trunc --platform --quiet",
    "images": "--all --digests --filter --format --no-trunc --quiet --tree",
    "import": "--change --message --platform",
    "info": "--format",
    "inspect": "--format --size --type",
    "load": "--input --platform --quiet",
    "login": "--password --password-stdin --username",
    "logout": "",
    "prune": "--all --filter --force",
    "pull": "--all-tags --disable-content-trust --platform --quiet",
    "push": "--all-tags --disable-content-trust --platform --quiet",
    "rmi": "--force --no-prune --platform",
    "save": "--output --platform",
    "search": "--filter --format --limit --no-trunc",
    "tag": "",
    "version": "--format",
}
"""Options of Docker CLI 28.2 and buildx 0.29, by the name of the command here."""
NAMES: Final = {"df": "system df", "prune": "image prune"}
"""Names of commands in the Docker CLI, where they differ."""

_CPU: Final = "rarely used; `build()` of the library has it"
LEFT_OUT: Final = {
    "build": {
        "--attest": "`--provenance` and `--sbom` are the attestations that BuildKit makes",
        "--cgroup-parent": "not an option of the library",
        "--compress": "sockets of the same machine are faster than compression; `build()` has it",
        "--cpu-period": _CPU,
        "--cpu-quota": _CPU,
        "--cpu-shares": _CPU,
        "--cpuset-cpus": _CPU,
        "--cpuset-mems": "not an option of the library",
        "--debug": "no debugger",
        "--disable-content-trust": "content trust is not supported",
        "--isolation": "Windows only",
        "--memory-swap": _CPU,
        "--rm": "always on, as by default; `build()` has it",
        "--security-opt": "not an option of the library",
        "--squash": "experimental in engines; `build()` has it",
    },
    "completion": {"--no-descriptions": "completion shows no descriptions"},
    "history": {"--human": "`--format` prints other forms"},
    "images": {"--tree": "experimental in the Docker CLI"},
    "inspect": {"--size": "for containers", "--type": "only images are inspected"},
    "pull": {"--disable-content-trust": "content trust is not supported"},
    "push": {"--disable-content-trust": "content trust is not supported"},
}
"""Options of the Docker CLI that the command lacks, with the reason."""
DIFFERENT: Final = {
    ("build", "--builder"): "`classic` or `buildkit` of the engine, or the address of a BuildKit daemon; not "
    "the name of a buildx builder",
    ("build", "--cache-from"): "also `type=gha` and others of buildx",
    ("build", "--force-rm"): "classic builder only, as in engines",
    ("build", "--memory"): "classic builder only, as in engines",
    ("build", "--progress"): "`rawjson` writes the engine's messages",
    ("login", "--username"): "Docker Hub too asks for a password; a login by a browser is not supported",
}
"""Options whose meaning is not quite the same."""
OTHERS: Final = (
    "Other commands of the Docker CLI concern containers, volumes, networks, swarms and plugins, or manage "
    "Docker contexts and buildx builders. `docker commit`, `docker manifest` and `docker trust` are left out "
    "as well: they concern a container, several registry requests, and Notary."
)


def overview() -> str:
    """Return a table of all commands, in Markdown."""
    rows = [
        f"| `{name}` | `docker {NAMES.get(name, name)}` | {command.summary} |"
        for name, command in COMMANDS.items()
    ]
    return "\n".join(("| command | Docker CLI | it can |", "|--|--|--|", *rows, "", OTHERS))


def options_by_command() -> str:
    """Return a table of the options of each command beside those of the Docker CLI, in Markdown."""
    return "\n".join(line for name in COMMANDS for line in _section(name))


def help_texts() -> str:
    """Return the help of each command, in Markdown."""
    return "\n".join(line for name in COMMANDS for line in ("```text", *_help(name), "```", ""))


def names_of(name: str) -> dict[str, Argument]:
    """Return the options of a command by their long names."""
    found = ((names[-1], (names, more)) for names, more in COMMANDS[name].arguments)
    return {long: argument for long, argument in found if long.startswith("--")}


def _section(name: str) -> Iterator[str]:
    yield from (f"### {name}", "", "| Docker CLI | here | |", "|--|--|--|")
    ours = names_of(name)
    theirs = DOCKER[name].split()
    for option in theirs:
        if option in ours:
            yield f"| `{option}` | `{_shown(ours[option])}` | {DIFFERENT.get((name, option), '')} |"
        else:
            yield f"| `{option}` | | left out: {LEFT_OUT[name][option]} |"
    for option, argument in ours.items():
        if option not in theirs:
            yield f"| | `{_shown(argument)}` | {argument[1]['help']} |"
    for names, more in COMMANDS[name].arguments:
        if not names[0].startswith("-"):
            forms = " or ".join(f"`{each}`" for each in more["metavar"].split("|"))
            yield f"| operand | {forms} | {more['help']} |"
    yield ""


def _shown(argument: Argument) -> str:
    return ", ".join(argument[0])


def _help(name: str) -> list[str]:
    return arguments.command_parser(name).format_help().rstrip().splitlines()
