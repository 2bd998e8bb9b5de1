"""Complete commands in shells: a script for each shell, which asks this command for the words.

What can follow is read from the table of commands, so that it is never out of date. Names of images come from
the engine.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Final

from dockerproto_cli.arguments import COMMON, PROGRAM
from dockerproto_cli.commands import COMMANDS, GROUPS
from dockerproto_cli.options import Argument, load

COMPLETE: Final = "__complete"
"""First argument of a call by a script; the words of the command line follow, the last one unfinished."""
FILES: Final = ":files"
"""Output that makes the script complete names of files."""

_FILES: Final = ("FILE", "PATH", "DIR")
_IMAGES: Final = ("IMAGE", "NAME[:TAG]")
_TOP: Final[tuple[Argument, ...]] = (*COMMON, (("--version",), {"action": "store_true"}))

_BASH: Final = f"""\
_{PROGRAM}() {{
    local words found cut current
    read -ra words <<< "${{COMP_LINE:0:COMP_POINT}}"
    [[ ${{COMP_LINE:0:COMP_POINT}} == *[[:space:]] ]] && words+=("")
    current=${{words[-1]}}
    found=$({PROGRAM} {COMPLETE} "${{words[@]:1}}" 2> /dev/null)
    COMPREPLY=()
    if [[ $found == {FILES} ]]; then
        compopt -o default 2> /dev/null
        return
    fi
    mapfile -t COMPREPLY <<< "$found"
    [[ -n $found ]] || COMPREPLY=()
    if [[ $current == *[:=]* ]]; then  # bash completes only what follows the last of these
        cut=${{current%"${{current##*[:=]}}"}}
        COMPREPLY=("${{COMPREPLY[@]#"$cut"}}")
    fi
}}
complete -F _{PROGRAM} {PROGRAM}
"""
_ZSH: Final = f"""\
#compdef {PROGRAM}
_{PROGRAM}() {{
    local -a found
    found=("${{(@f)$({PROGRAM} {COMPLETE} "${{(@)words[2,CURRENT]}}" 2> /dev/null)}}")
    if [[ $found[1] == {FILES} ]]; then
        _files
    else
        compadd -a found
    fi
}}
compdef _{PROGRAM} {PROGRAM}
"""
_FISH: Final = f"""\
function __{PROGRAM}_words
    set -l words (commandline -opc) (commandline -ct)
    set -l found ({PROGRAM} {COMPLETE} $words[2..] 2> /dev/null)
    if test "$found" = {FILES}
        __fish_complete_path (commandline -ct)
    else
        printf '%s\\n' $found
    end
end
complete -c {PROGRAM} -f -a '(__{PROGRAM}_words)'
"""
_SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def completion(arguments: Namespace) -> int:
    """Print the script for a shell."""
    sys.stdout.write(_SCRIPTS[arguments.shell])
    return 0


def complete(words: Sequence[str]) -> int:
    """Print the words that may stand in place of the last one."""
    *before, current = words or [""]
    for each in candidates(before, current):
        if each == FILES or each.startswith(current):
            sys.stdout.write(f"{each}\n")
    return 0


def candidates(before: Sequence[str], current: str) -> Iterable[str]:
    """Return the words that may follow others, or `FILES`; they need not begin as the current one."""
    words = iter(before)
    name, last = _command(words)
    if last is not None:
        return _values(last)
    if name in COMMANDS:
        return _of_command(COMMANDS[name].arguments, [*words], current)
    if current.startswith("-"):
        return _options(_TOP)
    following = (each.split() for each in COMMANDS)
    if name in GROUPS:
        return [second for first, *rest in following if first == name for second in rest]
    return [] if name else dict.fromkeys(each[0] for each in following)


def _command(words: Iterator[str]) -> tuple[str, Argument | None]:
    """Take the words up to the command; return its name, or an option whose value is missing."""
    for word in words:
        option = _find(_TOP, word)
        if option is not None and _takes_value(option):
            if next(words, None) is None:
                return "", option
        elif not word.startswith("-"):
            second = next(words, None) if word in GROUPS else None
            return (word if second is None else f"{word} {second}"), None
    return "", None


def _of_command(accepted: Sequence[Argument], before: Sequence[str], current: str) -> Iterable[str]:
    """Return what may follow the words after a command."""
    arguments = (*accepted, *COMMON)
    option = _find(arguments, before[-1]) if before else None
    if option is not None and _takes_value(option):
        return _values(option)
    if current.startswith("-"):
        return _options(arguments)
    operands = [each for each in accepted if not each[0][0].startswith("-")]
    return _values(operands[-1]) if operands else ()


def _find(arguments: Iterable[Argument], word: str) -> Argument | None:
    return next((each for each in arguments if word in each[0] and word.startswith("-")), None)


def _takes_value(option: Argument) -> bool:
    return option[1].get("action") != "store_true" and option[1].get("nargs") != 0


def _options(arguments: Iterable[Argument]) -> list[str]:
    return ["--help", *(name for names, _ in arguments for name in names if name.startswith("--"))]


def _values(argument: Argument) -> Iterable[str]:
    """Return the known values of an option or operand."""
    options = argument[1]
    if "choices" in options:
        return [*options["choices"]]
    metavar = options["metavar"] or ""
    if metavar.startswith(_IMAGES):
        return _images()
    if metavar.startswith(_FILES):
        return [FILES]
    return [each for each in metavar.split("|") if each.islower()] if "|" in metavar else []


def _images() -> list[str]:
    """Return the names of the engine's images; none if it cannot be reached."""
    names = list[str]()
    with suppress(Exception):  # nobody reads an error here
        names.extend(load("running:image_names")())
    return names
