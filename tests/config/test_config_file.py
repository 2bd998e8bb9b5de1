"""config.json as the Docker CLI reads it; tests/engines compares the same table with the CLI itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerproto.config.config_file import ConfigFile, invalid_config_file, parse_config_file
from tests.support.config_files import CASES, content_of, reading_of

SECRET = "hunter2/+?"


@pytest.mark.parametrize("case", CASES)
def test_what_is_read(case: str) -> None:
    assert reading_of(content_of(case)) == CASES[case][1]


PROBLEMS: dict[str, tuple[str, dict[tuple[str, ...], str]]] = {
    "nothing": ("", {}),
    "unknown keys": ('{"psFormat": 5}', {}),
    "cut": ('{"auths": {"r": {"password": "hunter2/+?', {(): "it is not valid JSON: Unterminated string"}),
    "not JSON": ('{"auths": hunter2/+?}', {(): "it is not valid JSON: Expecting value: line 1 column 11"}),
    "byte order mark": ("\ufeff{}", {(): "it is not valid JSON: Expecting value"}),
    "NaN": ('{"a": NaN}', {(): "it is not valid JSON: NaN is not JSON"}),
    "nested": ("[" * 100_000, {(): "it is not valid JSON: it is nested too deeply"}),
    "array": ('["hunter2/+?"]', {(): "it must be an object, not an array"}),
    "string": ('"hunter2/+?"', {(): "it must be an object, not a string"}),
    "false": ("false", {(): "it must be an object, not a boolean"}),
    "text": (
        '{"CURRENTcontext": 1.5}',
        {("currentContext",): "currentContext must be a string, not a number"},
    ),
    "object for text": (
        '{"credsStore": {}}',
        {("credsStore",): "credsStore must be a string, not an object"},
    ),
    "map": (
        '{"httpHeaders": "hunter2/+?"}',
        {("HttpHeaders",): "HttpHeaders must be an object, not a string"},
    ),
    "entry": (
        '{"credHelpers": {"b": ["hunter2/+?"], "a": "pass"}}',
        {("credHelpers", "b"): "an entry of credHelpers must be a string, not an array"},
    ),
    "entry of an entry": (
        '{"auths": {"https://u:hunter2/+?@r/": {"Auth": 5}}}',
        {("auths", "https://u:hunter2/+?@r/", "auth"): "auth must be a string, not a number"},
    ),
    "several": (
        '{"auths": 5, "proxies": {"default": {"noProxy": []}}}',
        {
            ("auths",): "auths must be an object, not a number",
            ("proxies", "default", "noProxy"): "noProxy must be a string, not an array",
        },
    ),
}


@pytest.mark.parametrize(("text", "problems"), PROBLEMS.values(), ids=PROBLEMS)
def test_problems_have_a_place_and_quote_nothing(text: str, problems: dict[tuple[str, ...], str]) -> None:
    config = parse_config_file(text.encode(), "/c.json")
    assert config.problems.keys() == problems.keys()
    for place, problem in problems.items():
        assert config.problems[place].startswith(problem)
        assert "hunter2" not in config.problems[place]
    assert (config.where, "hunter2" in repr(config)) == ("/c.json", False)


def test_a_problem_concerns_its_place_and_those_around_and_in_it() -> None:
    config = parse_config_file(b'{"auths": {"a": {"auth": 5}}, "proxies": 5}')
    assert (
        config.problem("auths", "a", "auth") == config.problem("auths", "a") == config.problem("auths") != ""
    )
    assert config.problem("proxies", "default") == "proxies must be an object, not a number"
    assert config.problem("auths", "b") == config.problem("currentContext") == ""
    assert config.problem() == config.problem("auths")
    assert invalid_config_file("it is lost").problem("auths", "b") == "it is lost"


def test_a_representation_shows_no_secret() -> None:
    entry = {"auth": SECRET, "username": SECRET, "password": SECRET, "identitytoken": SECRET}
    document: Any = {"auths": {SECRET: {**entry, "registrytoken": SECRET}}, "HttpHeaders": {"A": SECRET}}
    document["proxies"] = {
        "default": {f"{name}Proxy": SECRET for name in ("http", "https", "no", "ftp", "all")}
    }
    config = parse_config_file(json.dumps({**document, "currentContext": "x", "other": SECRET}).encode())
    assert config.auths[SECRET].registrytoken == config.proxies["default"].all_proxy == SECRET
    assert SECRET not in f"{config!r} {config.auths[SECRET]!r} {config.proxies['default']!r}"
    assert "current_context='x'" in repr(config)


MERGED: dict[str, tuple[str, Any]] = {
    "nothing": ("", {}),
    "an array": ("[]", {}),
    "order": ('{"b": 1, "a": [{"x": null}, "y"]}', {"b": 1, "a": [{"x": None}, "y"]}),
    "the first spelling stays": (
        '{"Auths": {"a": {}}, "x": 1, "auths": {"b": {}}}',
        {"Auths": {"a": {}, "b": {}}, "x": 1},
    ),
    "null after a map": ('{"auths": {"a": {}}, "auths": null}', {"auths": {}}),
    "null after a text": ('{"x": "y", "x": null}', {"x": "y"}),
    "null before": ('{"x": null, "x": {"a": 1}}', {"x": {"a": 1}}),
    "another type": ('{"x": {"a": 1}, "x": [5]}', {"x": [5]}),
    "not UTF-8": ('{"x\\ud800": "\\udfff"}', {"x\ufffd": "\ufffd"}),
}


@pytest.mark.parametrize(("text", "document"), MERGED.values(), ids=MERGED)
def test_the_whole_document_can_be_written_back(text: str, document: Any) -> None:
    merged = parse_config_file(text.encode()).merged()
    assert (merged, [*merged]) == (document, [*document])


NAMES = [
    "auths",
    "AUTHS",
    "r",
    "auth",
    "password",
    "credsStore",
    "credHelpers",
    "HttpHeaders",
    "proxies",
    "noProxy",
]


@given(
    st.binary()
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.just(SECRET),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(NAMES), inner),
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_file_is_parsed(content: bytes) -> None:
    config = parse_config_file(content)
    assert isinstance(config, ConfigFile)
    assert all(SECRET not in problem for problem in config.problems.values())
    json.dumps(config.merged()).encode()
