"""Unquote strings that Go quoted, as in the error messages of BuildKit.

The escapes are those of https://pkg.go.dev/strconv#Unquote for double quotes. The work is linear.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

LONGEST: Final = 2**19
"""Longest text that is unquoted, in characters.

Linux allows 128 KiB for an argument of a command, and quoting makes a byte at most four characters.
"""
_SIMPLE: Final[Mapping[str, str]] = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    '"': '"',
}
_SURROGATES: Final = range(0xD800, 0xE000)
# Compiled for the first failed command. Bytes are escaped one by one; several may be one character.
_ESCAPE: Final = (
    r"(?P<bytes>(?:\\x[0-9A-Fa-f]{2})++)|\\(?:u(?P<four>[0-9A-Fa-f]{4})|U(?P<eight>00(?:0[0-9A-Fa-f]|10)[0-9A-Fa-f]{4})"
    r"|(?P<octal>[0-3][0-7]{2})|(?P<simple>[abfnrtv\\\"])|)|[\"\n]"
)


def unquote(text: str) -> str:
    r"""Return the text between double quotes of Go; one that is malformed or too long is returned unchanged.

    >>> unquote(r"/bin/sh -c echo \"a\tb\" \u20ac \xe2\x82\xac")
    '/bin/sh -c echo "a\tb" € €'
    """
    if len(text) > LONGEST:
        return text
    try:
        return re.sub(_ESCAPE, _replace, text)
    except ValueError:
        return text


def _replace(match: re.Match[str]) -> str:
    """Return the text of an escape; raise ValueError if it is malformed."""
    kind = match.lastgroup
    if kind is None:
        raise ValueError(match[0])
    value = match[kind]
    if kind == "simple":
        return _SIMPLE[value]
    if kind == "bytes":
        return bytes.fromhex(value.replace("\\x", "")).decode(errors="replace")
    code = int(value, 8 if kind == "octal" else 16)
    if code in _SURROGATES:
        raise ValueError(match[0])
    return chr(code)
