"""The engine's own words in the text of an error, and the chain of its causes.

Engines, registries and the programs between them wrap one cause in another, ``context: context: cause``, and
put in what is not theirs: quoted commands and bodies of responses, references, URLs. An image called
``toomanyrequests`` must not look like a refusal, so all of that is taken out before a text is classified.

A text may be long and hostile. Only its head and its tail are looked at, and each pattern takes linear time:
its quantifiers are possessive or bounded.
"""

from __future__ import annotations

import re
from typing import Final

NAME: Final = "~"
"""Stands for a reference or a URL."""
_KEPT: Final = 4096
"""Number of characters kept of each end of a text."""

# Compiled for the first error.
_QUOTED: Final = r'(?s:(?<!\\)"[^"\\]*+(?:\\.[^"\\]*+)*")'
_QUOTED_ONCE: Final = r"(?<![\w'])'[^'\n]*+'(?!\w)"
_MARKUP: Final = r"<[^<>]*+>"
_BRACKETS: Final = r"status code \[[^\[\]\n]*+\]"
_WORD: Final = r"[^\s\"'()\[\]{},;<>]++"
_PLAIN_WORDS: Final = frozenset({"i/o", "username/password"})
# BuildKit begins with the name in the Dockerfile: "busybox: failed to resolve source metadata for ..."
_BASE_IMAGE: Final = r"(?:^|(?<=: ))[^\s:]{1,300}: (?=failed to resolve source metadata for )"
_SEPARATOR: Final = r": |\n| desc = "  # the last is that of gRPC: "rpc error: code = Unknown desc = "
_REGISTRY_CODE: Final = r'"code":\s{0,9}"([a-z_]{1,40})"'


def shorten(text: str) -> str:
    """Return a text with a long middle left out, in lower case."""
    if len(text) > 2 * _KEPT:
        text = f"{text[:_KEPT]}\n{text[-_KEPT:]}"
    return text.lower()


def without_quotes(text: str) -> str:
    r"""Return a text without the content of double quotes; Go escapes quotes in them.

    >>> without_quotes('process "echo \\"x\\"" failed')
    'process "" failed'
    """
    return re.sub(_QUOTED, '""', text)


def without_names(text: str) -> str:
    """Return a text without quoted text, markup, references and URLs.

    >>> without_names("reading manifest 1 in r.example/denied: it's 'denied': denied")
    "reading manifest 1 in ~: it's '': denied"
    """
    text = re.sub(_QUOTED_ONCE, "''", without_quotes(text))
    text = re.sub(_BRACKETS, "status code", re.sub(_MARKUP, " ", text))
    return re.sub(_WORD, _mask_name, re.sub(_BASE_IMAGE, "", text))


def causes(text: str) -> list[str]:
    """Return the causes that a text without names names, the last one, which is the cause of all, first.

    >>> causes("reading manifest 1 in ~: unauthorized: authentication required")
    ['authentication required', 'unauthorized', 'reading manifest 1 in ~']
    """
    parts = (part.strip(" \t\r.:*") for part in re.split(_SEPARATOR, text))
    return [part for part in parts if part][::-1]


def registry_codes(text: str) -> list[str]:
    """Return the codes in an error document of a registry that a shortened text contains, in words.

    >>> registry_codes('fetching: {"errors":[{"code":"manifest_unknown","message":"x"}]}')
    ['manifest unknown']
    """
    return [code.replace("_", " ") for code in re.findall(_REGISTRY_CODE, text)]


def _mask_name(match: re.Match[str]) -> str:
    word = match[0]
    name = word.rstrip(":.!")
    is_name = any(character in name for character in ":/@") and not name.startswith("/")  # paths stay
    return f"{NAME}{word[len(name) :]}" if is_name and name not in _PLAIN_WORDS else word
