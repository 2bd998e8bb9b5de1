"""Generated trees and ignore files: the same in each run, with every feature of patterns and files."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Final

NAMES: Final = [
    *(b"a", b"b", b"c", b"ab", b"abc", b"A", b"a.txt", b"b.py", b".x", b"..y", b"a b", b"-", b"a-b"),
    *(
        "é".encode(),
        b"\xff",
        b"x\xfey",
        b"[a]",
        b"a*",
        b"back\\slash",
        b"?",
        b"#c",
        b"!n",
        b"1",
        b"a]",
        b"n\nl",
    ),
    *(b"l" * 99, b"m" * 120, "é".encode() * 60),
]
LONGEST: Final = 900
DEEPEST: Final = 4
COMMON: Final = 13
"""Number of common names."""
WILD: Final = [
    *(
        "*",
        "**",
        "***",
        "?",
        "*.txt",
        "*.py",
        "[a-c]",
        "[^a]",
        "[!a]",
        "[a-c]*",
        "[^a-c]?",
        "a?",
        "?b",
        "a*c",
    ),
    *("[[]a]", "\\[a\\]", "a\\*", "\\a", "\\b*", "\\w*", "[\\w-z]*", "[[:alpha:]]*", "[*]", "*[]]", "\\\\*"),
    *(
        "[^/]*",
        "back\\\\slash",
        "\\x61",
        "a**",
        "**b",
        "**/a",
        "**/*.txt",
        "a/**",
        "**/?",
        "**a**",
        "[\\]a]*",
    ),
]
WRAPPED: Final = ["{}", "/{}", "./{}", "{}/", "{}/.", "x/../{}", "//{}", " {} ", "{}\r", "../{}", "\t{}"]
NOTHING: Final = ["", "#comment", " #a", "  ", "!", "\u00a0", "/", ".", "!.", "!/", "..", "!!a"]
REFUSED: Final = ["[", "[a-", "[]", "a\\", "!", "[z-a]", "\\y", "[a", "[-]", "a[^]b"]


@dataclass(frozen=True)
class Case:
    """A tree, and how it is built."""

    seed: int
    dockerfile: str | None
    """Argument for the path of the Dockerfile."""


def make_case(root: Path, seed: int) -> Case:
    """Make a tree in a new directory, with an ignore file."""
    dice = random.Random(seed)
    root.mkdir()
    paths = _fill(root, dice)
    dockerfile = _dockerfile(root, dice, paths)
    if dice.random() < 0.95:
        data = "\n".join(_lines(dice, paths)).encode("utf-8", "surrogateescape")
        (root / ".dockerignore").write_bytes(b"\xef\xbb\xbf" * (dice.random() < 0.1) + data)
    return Case(seed, dockerfile)


def _fill(root: Path, dice: random.Random) -> list[str]:
    """Make files of all kinds; return their paths."""
    directories, files, paths = [root], list[Path](), list[str]()
    for _ in range(dice.randint(3, 28)):
        name = os.fsdecode(dice.choice(NAMES[:COMMON] if dice.random() < 0.8 else NAMES))
        path = dice.choice(directories) / name
        relative = str(path.relative_to(root))
        if os.path.lexists(path) or len(relative) > LONGEST:
            continue
        kind = dice.random()
        if kind < 0.4 and relative.count("/") < DEEPEST:
            path.mkdir(dice.choice([0o755, 0o700, 0o777]))
            directories.append(path)
        elif kind < 0.5:
            path.symlink_to(
                os.fsdecode(dice.choice([b"a", b"../b", b"/etc", b"none/x", b"\xff", b"t" * 150]))
            )
        elif kind < 0.6 and files:
            path.hardlink_to(dice.choice(files))
        elif kind < 0.63:
            os.mkfifo(path)
        else:
            path.write_bytes(dice.randbytes(dice.choice([0, 1, 511, 512, 513, 3000])))
            path.chmod(dice.choice([0o644, 0o755, 0o600, 0o4755, 0o1666]))
            os.utime(path, ns=(0, dice.randint(0, 2 * 10**18)))
            files.append(path)
        paths.append(relative)
    return paths


def _dockerfile(root: Path, dice: random.Random, paths: list[str]) -> str | None:
    """Make a Dockerfile somewhere; return how its path is given."""
    choice = dice.random()
    name = "Dockerfile"
    if choice < 0.1:
        name = "dockerfile"
    elif choice < 0.2:
        name = "../outside"
    elif choice < 0.35:
        directories = [path for path in paths if (root / path).is_dir() and not (root / path).is_symlink()]
        name = f"{dice.choice(directories)}/My.Dockerfile" if directories else "My.Dockerfile"
    path = root / name if name != "../outside" else root.with_suffix(".outside")
    path.write_text("FROM scratch\n")
    if choice < 0.1 or choice >= 0.35:
        return None
    return os.path.relpath(path, root)


def _lines(dice: random.Random, paths: list[str]) -> list[str]:
    """Return lines of an ignore file: about what there is, and about what there is not."""
    return [_line(dice, paths) for _ in range(dice.randint(0, 7))]


def _line(dice: random.Random, paths: list[str]) -> str:
    if dice.random() < 0.05:
        return dice.choice([each for each in NOTHING if each not in ("!", "!/")])
    names = dice.choice(paths).split("/") if paths and dice.random() < 0.8 else ["a", "b", "c"]
    names = names[: dice.randint(1, len(names))]
    names = [dice.choice(WILD) if dice.random() < 0.35 else _escaped(name, dice) for name in names]
    if dice.random() < 0.2:
        names.insert(dice.randint(0, len(names)), "**")
    wrapped = dice.choice(WRAPPED) if dice.random() < 0.25 else "{}"
    return ("!" if dice.random() < 0.35 else "") + wrapped.format("/".join(names))


def _escaped(name: str, dice: random.Random) -> str:
    """Escape what a pattern takes for its own, and some more."""
    text = "".join(f"\\{char}" if char in "*?[]\\" else char for char in name.replace("\n", "?"))
    return text if dice.random() < 0.95 or not name[0].isascii() or name[0].isalnum() else f"\\{text}"
