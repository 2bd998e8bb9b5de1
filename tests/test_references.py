"""References: what is one, its parts, its registry; and that no name leaves its place in a path."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dockerproto.errors import InvalidReference
from dockerproto.references import Reference, parse_reference, path_of, registry_of, repository

ID = "0123456789abcdef" * 4
DIGEST = f"sha256:{ID}"
SHA384 = "sha384:" + "ab" * 48
SHA512 = "sha512:" + "cd" * 64

VALID: list[tuple[str, Reference]] = [
    ("busybox", Reference("busybox")),
    ("busybox:latest", Reference("busybox", "latest")),
    ("busybox:1.36-musl_x.Y", Reference("busybox", "1.36-musl_x.Y")),
    ("busybox:_x", Reference("busybox", "_x")),
    ("busybox:" + "t" * 128, Reference("busybox", "t" * 128)),
    (f"busybox@{DIGEST}", Reference("busybox", None, DIGEST)),
    (f"busybox@{SHA384}", Reference("busybox", None, SHA384)),
    (f"busybox@{SHA512}", Reference("busybox", None, SHA512)),
    (f"busybox:1@{DIGEST}", Reference("busybox", "1", DIGEST)),
    ("team/app", Reference("team/app")),
    ("a/b/c/d:e", Reference("a/b/c/d", "e")),
    ("localhost/app", Reference("localhost/app")),
    ("localhost:5000/app:2", Reference("localhost:5000/app", "2")),
    ("127.0.0.1:5000/team/app:2", Reference("127.0.0.1:5000/team/app", "2")),
    ("[2001:db8::1]:5000/app", Reference("[2001:db8::1]:5000/app")),
    ("[::1]/app", Reference("[::1]/app")),
    ("Registry.Example/app", Reference("Registry.Example/app")),
    ("r-1.example.com/app_x/y__z", Reference("r-1.example.com/app_x/y__z")),
    ("a.b-c--d_e__f/x", Reference("a.b-c--d_e__f/x")),
    ("xn--n3h.com/app", Reference("xn--n3h.com/app")),
    ("0", Reference("0")),
    ("abc:123", Reference("abc", "123")),
    ("sha256:abc", Reference("sha256", "abc")),
    ("r.example/" + "a" * 255, Reference("r.example/" + "a" * 255)),
    (ID[:63], Reference(ID[:63])),
    (ID[:12], Reference(ID[:12])),
]

NO_NAMES = [
    "",
    " ",
    "\n",
    "\0",
    "/",
    "//",
    ":",
    "@",
    ".",
    "..",
    "../containers/x",
    "../containers/x?x=",
    "a/../b",
    "a/./b",
    "a/..",
    "./a",
    "/a",
    "a/",
    "a//b",
    "busybox\n",
    "\nbusybox",
    " busybox",
    "busybox ",
    "busy box",
    "busybox\0",
    "busybox\r\nX-Evil: 1",
    "%2e%2e/containers/x",
    "%2e",
    "busybox%00",
    "busybox?force=1",
    "busybox#x",
    "busybox;x",
    "busybox&x=1",
    "a\\b",
    "..\\containers",
    "http://r.example/app",
    "https:",
    "-busybox",
    "busybox-",
    "_busybox",
    "busy..box",
    "busy___box",
    "busy._box",
    "-r.example/app",
    "r.example:port/app",
    "r.example:/app",
    "r..example/app",
    "[::1/app",
    "[::g]/app",
    "::1/app",
    "me@r.example/app",
    "busybox:",
    "busybox:a:b",
    "busybox:-x",
    "busybox:.x",
    "busybox:ta/g",
    "busybox:..",
    "busybox:" + "t" * 129,
    "busybox@",
    "busybox@latest",
    f"busybox@{DIGEST[:-1]}",
    f"busybox@{DIGEST}0",
    f"busybox@{DIGEST.upper()}",
    f"busybox@md5:{ID}",
    f"busybox@{SHA512[:-2]}",
    f"busybox@{DIGEST}:tag",
    f"@{DIGEST}",
    "b\u00fcsybox",
    "busybox\u2024",
    "bu\u0455ybox",
    "busybox:\uff11",
    "r.example/" + "a" * 256,
    "a" * 5000,
    "a/" * 2500 + "a",
]
IDS = [ID, DIGEST]
NOT_LOWERCASE = [
    "BusyBox",
    "UPPER",
    "team/Upper",
    "r.example/Team/app",
    "r.example:5000/team/App",
    "Registry.Example/App:Latest",
    "BusyBox:latest",
    f"BusyBox:1@{DIGEST}",
    "docker.io/library/BusyBox",
]
HUB_PREFIX = "docker.io/library/"
LONGEST = [
    "a" * (255 - len(HUB_PREFIX)),
    HUB_PREFIX + "a" * (255 - len(HUB_PREFIX)),
    "docker.io/" + "a" * (255 - len(HUB_PREFIX)),
    "index.docker.io/" + "a" * (255 - len(HUB_PREFIX)),
    "me/" + "a" * (255 - len("docker.io/me/")),
    "docker.io/me/" + "a" * (255 - len("docker.io/me/")),
    "r.example/" + "a" * 255,
    "localhost/" + "a" * 255,
    "r.example:5000/me/" + "a" * 252,
]


@pytest.mark.parametrize(("text", "reference"), VALID, ids=[text[:40] for text, _ in VALID])
def test_what_is_a_reference(text: str, reference: Reference) -> None:
    assert parse_reference(text) == reference


@pytest.mark.parametrize("text", NO_NAMES, ids=lambda text: repr(text[:30]))
def test_what_is_none(text: str) -> None:
    for parse in (parse_reference, path_of):
        with pytest.raises(InvalidReference) as caught:
            parse(text)
        assert caught.value.status == 0
        assert caught.value.message == f"invalid image name or id: {text[:255]!r}"


@pytest.mark.parametrize("text", NOT_LOWERCASE)
def test_a_name_that_is_not_lowercase_says_so(text: str) -> None:
    for parse in (parse_reference, path_of):
        with pytest.raises(InvalidReference) as caught:
            parse(text)
        reason = "repository name must be lowercase"
        assert caught.value.message == f"invalid image name or id: {text!r}: {reason}"


@pytest.mark.parametrize(
    "text", ["Busy Box", "BUSY..BOX", f"busybox@{DIGEST.upper()}", "A" * 5000, "BusyBox:a/b"]
)
def test_a_name_with_another_fault_does_not_blame_its_capitals(text: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        parse_reference(text)
    assert caught.value.message == f"invalid image name or id: {text[:255]!r}"


@pytest.mark.parametrize("text", LONGEST, ids=lambda text: text[:24])
@pytest.mark.parametrize("end", ["", ":" + "t" * 128, f"@{DIGEST}"])
def test_the_longest_names(text: str, end: str) -> None:
    """Engines count the prefix that a short name does not show; newer ones do not count other hosts."""
    assert parse_reference(text + end).name == text
    for parse in (parse_reference, path_of):
        with pytest.raises(InvalidReference) as caught:
            parse(f"{text}a{end}")
        assert caught.value.__notes__ == [
            "a repository name has at most 255 characters, docker.io/library/ included"
        ]


@pytest.mark.parametrize("text", IDS)
def test_an_id_is_no_reference_but_a_name(text: str) -> None:
    assert path_of(text) == text
    with pytest.raises(InvalidReference, match="expected the name of a repository, not an image id"):
        parse_reference(text)


@pytest.mark.parametrize("text", [None, 5, b"busybox", ["busybox"], Reference("busybox")], ids=repr)
def test_what_is_no_text(text: Any) -> None:
    for parse in (parse_reference, path_of):
        with pytest.raises(TypeError, match=f"image name must be a str, not {type(text).__name__}"):
            parse(text)


@pytest.mark.parametrize(
    ("name", "registry"),
    [
        ("busybox", "docker.io"),
        ("library/busybox", "docker.io"),
        ("docker.io/busybox", "docker.io"),
        ("docker.io/library/busybox", "docker.io"),
        ("index.docker.io/library/busybox", "docker.io"),
        ("registry/app", "docker.io"),
        ("localhost/app", "localhost"),
        ("localhost:5000/app", "localhost:5000"),
        ("127.0.0.1:5000/team/app", "127.0.0.1:5000"),
        ("r.example/app", "r.example"),
        ("Registry/app", "Registry"),
        ("[::1]:5000/app", "[::1]:5000"),
        ("r.example", "docker.io"),
        ("a search term", "docker.io"),
        ("r.example/a search term", "r.example"),
        ("", "docker.io"),
        ("/", "docker.io"),
    ],
)
def test_registries(name: str, registry: str) -> None:
    assert registry_of(name) == registry
    assert Reference(name, "1").registry == registry


@pytest.mark.parametrize(
    ("text", "tag", "reference"),
    [
        ("busybox", None, Reference("busybox")),
        ("busybox", "", Reference("busybox")),
        ("busybox", "1", Reference("busybox", "1")),
        ("busybox:1", None, Reference("busybox", "1")),
        ("busybox:1", "", Reference("busybox", "1")),
        ("busybox:1", "1", Reference("busybox", "1")),
        (f"busybox@{DIGEST}", None, Reference("busybox", None, DIGEST)),
        (f"busybox:1@{DIGEST}", "", Reference("busybox", "1", DIGEST)),
        ("r.example:5000/app", "T_1.x", Reference("r.example:5000/app", "T_1.x")),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_name_and_a_tag_beside_it(text: str, tag: str | None, reference: Reference) -> None:
    assert repository(text, tag, "repo") == reference


@pytest.mark.parametrize(
    "tag", ["-x", ".x", "a b", "a/b", "a:b", "x\n", "\u00fc", "t" * 129, "..", "a@b", "%41"]
)
def test_a_tag_that_is_none(tag: str) -> None:
    with pytest.raises(InvalidReference, match=r"^invalid tag: ") as caught:
        repository("busybox", tag, "repo")
    assert caught.value.message == f"invalid tag: {tag!r}"


@pytest.mark.parametrize("text", ["busybox:1", f"busybox@{DIGEST}", f"busybox:2@{DIGEST}"])
def test_a_tag_that_contradicts_the_name(text: str) -> None:
    with pytest.raises(ValueError, match=f"^repo '{text}' and tag '2' contradict each other$") as caught:
        repository(text, "2", "repo")
    assert not isinstance(caught.value, InvalidReference)


@pytest.mark.parametrize("text", [*NO_NAMES[:12], *IDS], ids=lambda text: repr(text[:30]))
def test_a_name_with_a_tag_beside_it_is_checked(text: str) -> None:
    with pytest.raises(InvalidReference):
        repository(text, "1", "repo")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("busybox", "busybox"),
        ("r.example:5000/team/app:1", "r.example:5000/team/app:1"),
        (f"app@{DIGEST}", f"app@{DIGEST}"),
        ("[::1]:5000/app", "%5B::1%5D:5000/app"),
        ("a_b-c.d/e__f", "a_b-c.d/e__f"),
        (DIGEST, DIGEST),
        (ID[:12], ID[:12]),
    ],
)
def test_a_name_as_part_of_a_path(name: str, path: str) -> None:
    assert path_of(name) == path


SNIPPETS = [
    "..",
    ".",
    "/",
    "//",
    ":",
    "@",
    "%2e",
    "?",
    "#",
    "\\",
    "-",
    "_",
    "[::1]",
    "a",
    "1",
    DIGEST,
    "\n",
    " ",
]
NEARLY_NAMES = st.lists(st.sampled_from([*SNIPPETS, "busybox", "r.example"]), max_size=8).map("".join)
NAMES = st.from_regex(r"\A[a-zA-Z0-9._\-/:@%\[\]]{1,40}\Z")
FORBIDDEN = re.compile(r"//|[?#\\\s\x00-\x1f\x7f-\x9f]|%(?!5B|5D)")


@settings(deadline=None, max_examples=400)
@given(st.one_of(st.text(max_size=40), NEARLY_NAMES, NAMES))
@example("../containers/x")
@example("a/../b")
@example("busybox")
@example("[::1]/a")
def test_whatever_is_accepted_stays_in_its_place(text: str) -> None:
    try:
        path = path_of(text)
    except InvalidReference as error:
        assert error.message.startswith("invalid image name or id: ")  # noqa: PT017
        return
    assert FORBIDDEN.search(path) is None
    assert not {"", ".", ".."} & set(path.split("/"))
    assert path.isascii()
    assert unquote(path) == text


COMPONENTS = st.from_regex(r"\A[a-z0-9]{1,6}(?:(?:[._]|__|-{1,3})[a-z0-9]{1,4}){0,2}\Z")
HOSTS = st.from_regex(r"\A[a-zA-Z0-9]{1,5}(?:[.-][a-z0-9]{1,5}){0,2}(?::[0-9]{1,5})?\Z")
TAGS = st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9_.\-]{0,10}\Z")
DIGESTS = st.from_regex(r"\Asha256:[0-9a-f]{64}\Z")


@settings(deadline=None, max_examples=200)
@given(
    host=st.none() | HOSTS,
    components=st.lists(COMPONENTS, min_size=1, max_size=4),
    tag=st.none() | TAGS,
    digest=st.none() | DIGESTS,
)
def test_what_is_made_of_parts_is_taken_apart_into_them(
    host: str | None, components: list[str], tag: str | None, digest: str | None
) -> None:
    name = "/".join([*([host] if host else []), *components])
    text = name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    assert parse_reference(text) == Reference(name, tag, digest)
    assert unquote(path_of(text)) == text


def test_a_refusal_quotes_no_more_than_the_beginning() -> None:
    with pytest.raises(InvalidReference) as caught:
        path_of("\n" * 10**6)
    assert len(caught.value.message) < 600
