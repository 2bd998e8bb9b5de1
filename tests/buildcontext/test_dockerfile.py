"""The images that a Dockerfile names: each rule of the syntax, and malformed Dockerfiles."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerproto.buildcontext.dockerfile import images_of
from dockerproto.buildcontext.dockerfile_spec import MAX_REGISTRIES, DockerfileSpec
from dockerproto.buildcontext.substitution import ESCAPES, MAX_LENGTH, expand, flags, words

DIGEST = "sha256:" + "0123456789abcdef" * 4


def names(dockerfile: str | bytes, arguments: Mapping[str, str | None]) -> list[str]:
    """Return the names of the images as written."""
    content = dockerfile.encode() if isinstance(dockerfile, str) else dockerfile
    found = images_of(content, arguments)
    return [
        each.name + (f":{each.tag}" if each.tag else "") + (f"@{each.digest}" if each.digest else "")
        for each in found
    ]


CASES: dict[str, tuple[str | bytes, list[str]]] = {
    # FROM
    "one": ("FROM busybox\nRUN true\n", ["busybox"]),
    "without a line end": ("FROM r.example:5000/team/app:1.0", ["r.example:5000/team/app:1.0"]),
    "of a digest": (f"FROM a:1@{DIGEST}\n", [f"a:1@{DIGEST}"]),
    "in any case": ("fRoM a As One\nfrom b aS two\nFrom ONE\nCOPY --from=TWO / /\n", ["a", "b"]),
    "with spaces": (" \t FROM\t  a  \t as  b \n", ["a"]),
    "with a platform": ("FROM --platform=$BUILDPLATFORM a AS b\nFROM --platform=linux/arm64 c", ["a", "c"]),
    "quoted": ("FROM \"a\"\nFROM 'b'\nFROM \"c\"':1'\n", ["a", "b", "c:1"]),
    "each once, in order": ("FROM b\nFROM a\nFROM b\nCOPY --from=a / /\n", ["b", "a"]),
    "scratch": ("FROM scratch\nCOPY --from=scratch / /\nFROM SCRATCH\n", []),
    "a stage of its own name": ("FROM busybox AS busybox\nFROM busybox\n", ["busybox"]),
    "a stage that is not yet there": ("FROM later\nFROM a AS later\n", ["later", "a"]),
    "a stage of what is left out": ("FROM ? AS one\nFROM one\nFROM a\n", ["a"]),
    "a number": ("FROM 0\n", ["0"]),
    # Not an image
    "nothing": ("", []),
    "no Dockerfile": (b"\x00\xff\xfe\x1f\x8b", []),
    "no text": (b"FROM \xff\nFROM a\n", ["a"]),
    "no name": ("FROM\nFROM --platform=x\nFROM a AS\nFROM a as\n", []),
    "too many names": ("FROM a b\nFROM a AS b c\nFROM a IS b\n", []),
    "no reference": ("FROM a/UPPER\nFROM a:b:c\nFROM https://r.example/a\nFROM ../a\n", []),
    "an id": (f"FROM {DIGEST}\nFROM {DIGEST[7:]}\n", []),
    "other instructions": ("MAINTAINER a\nADD --from=b c /\nLABEL from=d\nFROMAGE e\nXFROM f\n", []),
    # Lines
    "continued": ("FROM \\\n  a \\ \t\n AS \\\nb\nFROM b\n", ["a"]),
    "continued in a word": ("FR\\\nOM busy\\\nbox\n", ["busybox"]),
    "continued over comments": ("FROM \\\n# no \\\n  # no\n\n\t\na\nFROM b", ["a", "b"]),
    "continued to the end": ("FROM a\\\n", ["a"]),
    "continued by nothing": ("\\\n\\\nFROM a\n", ["a"]),
    "an escape that is escaped": ("RUN echo \\\\\nFROM a\n", ["a"]),
    "an escape at the end of a comment": ("# no \\\nFROM a\n", ["a"]),
    "an escape within": ("RUN \\ a\nFROM b\n", ["b"]),
    "comments": ("# FROM a\n  #FROM b\nFROM c # d\nFROM e\n", ["e"]),
    "ends of lines of Windows": ("# escape=`\r\nFROM `\r\na:1 AS b\r\nFROM b\r\nFROM c\r\n", ["a:1", "c"]),
    "a byte order mark": (b"\xef\xbb\xbfFROM a\n", ["a"]),
    # Directives
    "another escape": ("# escape=`\nFROM `\na\nRUN dir C:\\\nFROM b\n", ["a", "b"]),
    "another escape, oddly written": ("#ESCAPE = ` \nFROM `\na\n", ["a"]),
    "another escape after a directive": ("# syntax=x/y:1\n#check=skip=all\n# escape=`\nFROM `\na", ["a"]),
    "another escape after a comment": ("# hello\n# escape=`\nFROM \\\na\n", ["a"]),
    "another escape after a line": ("\n# escape=`\nFROM \\\na\n", ["a"]),
    "an invalid escape": ("# escape=x\nFROM \\\na\n", ["a"]),
    "a frontend": ("# syntax=r.example/frontend:1\nFROM a\n", ["a"]),
    # COPY, ADD, RUN, ONBUILD
    "a copy": ("FROM a\nCOPY --from=r.example/b:1 /x /y\n", ["a", "r.example/b:1"]),
    "a copy with other flags": ("FROM a\nCOPY --chown=1:1 --link --from=b --chmod=1 /x /y\n", ["a", "b"]),
    "a copy of a stage": ("FROM a AS b\nFROM c\nCOPY --from=b / /\nCOPY --from=0 / /\n", ["a", "c"]),
    "a copy of words that look like flags": (
        "FROM a\nCOPY x --from=b /\nCOPY -- --from=c /\nCOPY -from=d\n",
        ["a"],
    ),
    "a copy, quoted": ("FROM a\nCOPY --from=\"b\" / /\nCOPY --from='c' / /\nCOPY --from=\\d / /", [*"abcd"]),
    "a copy of a variable": ("ARG B=b\nFROM a\nCOPY --from=$B / /\n", ["a"]),
    "a copy that continues": ("FROM a\nCOPY --from=b \\\n  --chown=1 \\\n / /\n", ["a", "b"]),
    "an addition": ("FROM a\nADD --from=b / /\n", ["a"]),
    "a mount": ("FROM a\nRUN --mount=type=bind,from=b:1,target=/x ls\n", ["a", "b:1"]),
    "mounts": (
        "FROM a AS s\nRUN --mount=type=cache,FROM=b,target=/x --mount=from=c --mount=from=s --mount=from=0 d",
        ["a", "b", "c"],
    ),
    "a mount, quoted": ('FROM a\nRUN --mount="type=bind,from=b,target=/x y" ls\n', ["a", "b"]),
    "a mount of nothing": ("FROM a\nRUN --mount=type=bind,from= ls\nRUN --mount ls\n", ["a"]),
    "flags that are not mounts of images": (
        "FROM a\nRUN --network=none ls --mount=from=d\nRUN --from=b ls\n",
        ["a"],
    ),
    "triggers": ("FROM a\nONBUILD COPY --from=b / /\nonbuild run --mount=from=c ls\n", [*"abc"]),
    "invalid triggers": ("FROM a\nONBUILD FROM b\nONBUILD\nONBUILD ONBUILD COPY --from=c / /\n", ["a"]),
    # Here-documents
    "a here-document": ("FROM a\nRUN <<EOF\nFROM b\nEOF\nFROM c\n", ["a", "c"]),
    "here-documents": ("FROM a\nCOPY <<x <<'y' /\nFROM b\ny\nx\nFROM c\nx\ny\nFROM d\n", ["a", "d"]),
    "a here-document with tabs": ('FROM a\nRUN 3<<-"E F" cat\nFROM b\n\tE F\nFROM c\n', ["a", "c"]),
    "a here-document without tabs": ("FROM a\nRUN <<EOF\n\tEOF\nFROM b\nEOF\n", ["a"]),
    "a here-document of Windows": ("FROM a\r\nRUN <<EOF\r\nFROM b\r\nEOF\r\nFROM c\r\n", ["a", "c"]),
    "a here-document that continues": ("FROM a\nRUN cat \\\n <<EOF\nFROM b \\\nEOF\nFROM c\n", ["a", "c"]),
    "a here-document of a trigger": ("FROM a\nONBUILD RUN <<EOF\nFROM b\nEOF\nFROM c\n", ["a", "c"]),
    "a here-document without end": ("FROM a\nRUN <<EOF\nFROM b\n", ["a"]),
    "words that are not here-documents": (
        "FROM a\nRUN echo '<<x' \"<<y\" $((1<<2)) <<<z <<\nLABEL <<EOF\nENV A=<<EOF\nFROM b\n",
        ["a", "b"],
    ),
    # Arguments
    "a default": ("ARG TAG=1\nFROM a:$TAG\nFROM b:${TAG}\n", ["a:1", "b:1"]),
    "a default of a default": ("ARG A=a\nARG B=$A/b C=${B}\nFROM $C\n", ["a/b"]),
    "a default that is quoted": ("ARG A=\"a b\" B='$A' C=\\c\nFROM ${C}\nFROM $A\nFROM $B", ["c"]),
    "a later default": ("ARG A=a\nARG A=b\nARG A\nFROM $A\n", ["b"]),
    "none": ("ARG TAG\nFROM a$TAG\nFROM ${REPO}b\nFROM $TAG\n", ["a", "b"]),
    "after the first stage": ("FROM a\nARG B=b\nFROM $B\nFROM c$B\n", ["a", "c"]),
    "given": ("ARG GIVEN=1\nARG GIVEN_TOO\nFROM a:$GIVEN\nFROM $GIVEN_TOO\n", ["a:2", "r.example/g"]),
    "given, but nowhere declared": ("FROM $GIVEN_TOO\nFROM a:1$GIVEN\n", ["a:1"]),
    "given as nothing": ("ARG NOTHING=1\nFROM a:$NOTHING\nARG EMPTY=1\n", ["a:1"]),
    "given as empty": ("ARG EMPTY=1\nFROM a$EMPTY\n", ["a"]),
    "given and quoted": ("ARG QUOTED=x\nFROM $QUOTED\nFROM a\n", ["a"]),
}
ARGUMENTS = {"GIVEN": "2", "GIVEN_TOO": "r.example/g", "NOTHING": None, "EMPTY": "", "QUOTED": '"b"'}


@pytest.mark.parametrize(("dockerfile", "expected"), CASES.values(), ids=CASES)
def test_the_images(dockerfile: str | bytes, expected: list[str]) -> None:
    assert names(dockerfile, ARGUMENTS) == expected


VALUES = {"A": "a", "E": "", "AB_1": "x", "U": None}
WORDS: list[tuple[str, str | None]] = [
    ("", ""),
    ("plain:1", "plain:1"),
    ("$A", "a"),
    ("x$A.y", "xa.y"),
    ("$AB_1", "x"),
    ("${A}B", "aB"),
    ("$A$A", "aa"),
    ("$N", ""),
    ("${A:-x}", "a"),
    ("${E:-x}", "x"),
    ("${N:-x}", "x"),
    ("${A-x}", "a"),
    ("${E-x}", ""),
    ("${N-x}", "x"),
    ("${A:+x}", "x"),
    ("${E:+x}", ""),
    ("${N:+x}", ""),
    ("${A+x}", "x"),
    ("${E+x}", "x"),
    ("${N+x}", ""),
    ("${A:?x}", "a"),
    ("${E:?x}", None),
    ("${E?x}", ""),
    ("${N?x}", None),
    ("${N:-}", ""),
    ("${N:-$A}", "a"),
    ("${N:-x${E:-$A}y}z", "xayz"),
    ("${N:-'}'}", "}"),
    ('${N:-"}"}', "}"),
    ("'$A'", "$A"),
    ('"$A\'"', "a'"),
    ("'\"'", '"'),
    ("\\$A", "$A"),
    ('"\\$A"', "$A"),
    ("\\'", "'"),
    ("}", "}"),
    # What cannot be told
    ("$U", None),
    ("x${U}", None),
    ("${U:-x}", None),
    ("${U+x}", None),
    ("${N:-$U}", None),
    ("${A:-$U}", "a"),
    ("${N:+$U}", ""),
    ("$", None),
    ("$1", None),
    ("${", None),
    ("${A", None),
    ("${A:-x", None),
    ("${A:=x}", None),
    ("${A#x}", None),
    ("${A/x/y}", None),
    ("'a", None),
    ('"a', None),
    ('"${A:-x}', None),
    ("a\\", None),
    ("a" * MAX_LENGTH, "a" * MAX_LENGTH),
    ("a" * (MAX_LENGTH + 1), None),
    ("$A" * (MAX_LENGTH + 1), None),
]


@pytest.mark.parametrize(("word", "value"), WORDS, ids=[word[:20] or "empty" for word, _ in WORDS])
@pytest.mark.parametrize("escape", ESCAPES)
def test_the_value_of_a_word(word: str, value: str | None, escape: str) -> None:
    assert expand(word.replace("\\", escape), VALUES, escape) == value


@pytest.mark.parametrize(
    ("line", "expected", "rest"),
    [
        ("a b", [], "a b"),
        ("", [], ""),
        ("--a=1 --b --c= d e", [("a", "1"), ("b", ""), ("c", "")], "d e"),
        ("--a='1 2' \"--b\" c", [("a", "1 2")], '"--b" c'),
        ("--a=\\  b", [("a", " ")], "b"),
        ("--a -- --b", [("a", "")], "--b"),
        ("--a", [("a", "")], ""),
    ],
)
def test_the_flags_of_a_line(line: str, expected: list[tuple[str, str]], rest: str) -> None:
    assert flags(line, "\\") == (expected, rest)


def test_the_default_recipe() -> None:
    assert (DockerfileSpec().path, dict(DockerfileSpec().arguments)) == ("Dockerfile", {})


PIECES = [
    *("FROM ", "ARG ", "COPY --from=", "RUN --mount=from=", "ONBUILD ", "RUN <<", "# escape=`", " AS "),
    *(
        "a",
        "A",
        "=",
        "$A",
        "${A",
        ":-",
        ":+",
        "}",
        "'",
        '"',
        "\\",
        "`",
        "<<-",
        "EOF",
        ",",
        " ",
        "\t",
        "\n",
        "\r",
    ),
    *("0", "#", "scratch", "\ufeff", "\u00e9", "--", "--platform=", "r.example/"),
]


@given(st.one_of(st.binary(), st.lists(st.sampled_from(PIECES)).map("".join).map(str.encode)))
def test_no_text_is_an_error(dockerfile: bytes) -> None:
    for each in images_of(dockerfile, {"A": "a"}):
        assert each.registry


@given(st.lists(st.sampled_from(PIECES)).map("".join), st.sampled_from(ESCAPES))
def test_words_are_the_line_but_for_space(line: str, escape: str) -> None:
    found = list(words(line, escape))
    assert all(found)
    left = line
    for word in found:
        before, word_, left = left.partition(word)
        assert (before.strip(), word_) == ("", word)
    assert not left.strip()


LARGE: dict[str, Callable[[int], str]] = {
    "continued lines": lambda n: "FROM a\\\n" * n,
    "comments in a continued line": lambda n: "FROM \\\n" + "# a\n" * n + "a\n",
    "escapes": lambda n: "FROM a" + "\\ " * n,
    "spaces": lambda n: "RUN" + " " * n + "x\nFROM" + " " * n + "a",
    "unmatched quotes": lambda n: "RUN " + "\"'" * n + '\nARG A="' + "\\\"'" * n + "\nFROM $A",
    "single quotes": lambda n: "ARG A=" + "'a' " * n + "'",
    "nested variables": lambda n: "FROM " + "${A:-" * n + "a" + "}" * n,
    "open variables": lambda n: "FROM " + "${A:-$" * n,
    "variables in variables": lambda n: (
        "ARG A0=aaaaaaaaaaaaaaaa\n"
        + "".join(f"ARG A{i + 1}=$A{i}$A{i}\n" for i in range(n // 9))
        + "FROM $A9"
    ),
    "here-documents": lambda n: "RUN " + "<<a " * n + "\n" + "a\n" * n,
    "here-documents without end": lambda n: "RUN <<b\n" * n,
    "stages": lambda n: "".join(f"FROM a AS s{i}\nCOPY --from=s{i} / /\n" for i in range(n // 9)),
    "flags": lambda n: "COPY " + "--from=a " * n,
    "options of a mount": lambda n: "RUN --mount=" + "from=a," * n,
    "dashes": lambda n: "FROM a" + "-" * n,
    "triggers": lambda n: "ONBUILD " * n + "RUN <<a",
    "directives": lambda n: "# a=b\n" * n,
    "directives that are spaces": lambda n: "#" + " " * n + "\n#a" + " " * n,
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE)
def test_a_large_text_takes_no_time(text: Callable[[int], str]) -> None:
    """Anything slower than linear time would take minutes here."""
    dockerfile = text(50_000).encode()
    assert len(images_of(dockerfile, {})) <= 1


def arguments(first: str, count: int, value: str) -> str:
    """Return many ARG instructions; `%d` in the value is the number of the one before."""
    lines = (f"ARG A{each}={value.replace('%d', str(each - 1))}\n" for each in range(1, count))
    return f"ARG A0={first}\n" + "".join(lines)


EXPANDING: dict[str, Callable[[int], str]] = {
    "doubled": lambda n: arguments("ab", n, "${A%d}${A%d}"),
    "grown": lambda n: arguments("ab", n, "${A%d}c"),
    "long": lambda n: arguments("a" * 2000, n, "b$A0"),
    "defaults": lambda n: arguments("a" * 2000, n, "${X:-b$A0}"),
}


@pytest.mark.parametrize("text", EXPANDING.values(), ids=EXPANDING)
def test_variables_that_expand_take_linear_memory(text: Callable[[int], str]) -> None:
    dockerfiles = [text(count).encode() for count in (2500, 10_000)]
    tracemalloc.start()
    try:
        peaks: list[int] = []
        for dockerfile in dockerfiles:
            tracemalloc.reset_peak()
            images_of(dockerfile, {})
            peaks.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
    # 1 MiB for all values, and what lines and names take: 16 bytes for each of the text.
    assert [peak <= 2**21 + 16 * len(each) for peak, each in zip(peaks, dockerfiles, strict=True)] == [
        True,
        True,
    ]


def test_variables_beyond_the_limit_are_unknown() -> None:
    long = "".join(f"ARG A{each}={'a' * 4000}\n" for each in range(300))
    assert names(f"ARG B=b\n{long}ARG C=c\nFROM $B\nFROM $C\nFROM d", {}) == ["b", "d"]


def test_the_number_of_registries_is_limited() -> None:
    dockerfile = "".join(f"FROM r{each}.example/a\n" for each in range(1000)).encode()
    assert DockerfileSpec().registries(dockerfile) == [f"r{each}.example" for each in range(MAX_REGISTRIES)]
