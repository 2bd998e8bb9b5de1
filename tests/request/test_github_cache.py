"""The cache of GitHub Actions: the attributes of its arguments, and of the variables of a job."""

from __future__ import annotations

from typing import Any

import pytest

from dockerproto import GitHubCache
from dockerproto.request.caches import CacheEntry, read_cache_from, read_cache_to
from dockerproto.request.github_cache import github_attributes, of_job
from tests.support.tracebacks import leaks

URL = "https://cache.example/"
RESULTS = "https://results.example/"
JOB = {"ACTIONS_CACHE_URL": URL, "ACTIONS_RESULTS_URL": RESULTS, "ACTIONS_RUNTIME_TOKEN": "hush"}
SECOND = {**JOB, "ACTIONS_CACHE_SERVICE_V2": "true"}


@pytest.mark.parametrize(
    ("cache", "attributes"),
    [
        (GitHubCache(), {}),
        (GitHubCache("main", url=URL, token="t"), {"scope": "main", "url": URL, "token": "t"}),
        (GitHubCache(url=URL, version=1, timeout=90), {"url": URL, "version": "1", "timeout": "90000ms"}),
        (GitHubCache(url=URL, version=2, timeout=0.5), {"url_v2": URL, "version": "2", "timeout": "500ms"}),
        (GitHubCache(timeout=0.0001), {"timeout": "1ms"}),
    ],
)  # fmt: skip
def test_attributes(cache: GitHubCache, attributes: dict[str, str]) -> None:
    assert github_attributes(cache) == attributes


def test_entries() -> None:
    cache = GitHubCache("main", mode="max", ignore_error=True)
    attributes = {"scope": "main", "mode": "max", "ignore-error": "true"}
    assert read_cache_to([cache]) == (CacheEntry("gha", attributes, of_job=True),)
    assert read_cache_from(GitHubCache("main")) == ((), (CacheEntry("gha", {"scope": "main"}, of_job=True),))


@pytest.mark.parametrize(
    ("attributes", "variables", "filled"),
    [
        ({}, {}, None),
        ({"scope": "a"}, {}, None),
        ({"token": "t"}, {}, None),
        ({"url": URL}, {}, None),
        ({}, {"ACTIONS_CACHE_URL": URL}, None),
        ({}, {**JOB, "ACTIONS_RUNTIME_TOKEN": ""}, None),
        ({"url": URL, "token": "t"}, {}, {"url": URL, "token": "t"}),
        ({"url_v2": URL, "token": "t"}, JOB, {"url_v2": URL, "token": "t"}),
        ({"url": URL, "token": "t"}, SECOND, {"url": URL, "token": "t"}),
        ({"scope": "a"}, JOB, {"scope": "a", "url": URL, "token": "hush"}),
        ({"url": "https://other/"}, JOB, {"url": "https://other/", "token": "hush"}),
        ({}, {**JOB, "ACTIONS_CACHE_URL": ""}, {"url": RESULTS, "token": "hush"}),
        ({}, SECOND, {"url": URL, "url_v2": RESULTS, "token": "hush"}),
        ({}, {**JOB, "ACTIONS_CACHE_SERVICE_V2": "false"}, {"url": URL, "token": "hush"}),
        ({"version": "2"}, JOB, {"version": "2", "url": URL, "url_v2": RESULTS, "token": "hush"}),
        ({"version": "1"}, SECOND, {"version": "1", "url": URL, "token": "hush"}),
    ],
)
def test_a_job(attributes: dict[str, str], variables: dict[str, str], filled: dict[str, str] | None) -> None:
    assert of_job(attributes, variables.get) == filled


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"scope": 5}, TypeError, "scope of a GitHubCache must be a str, not int"),
        ({"url": 5}, TypeError, "url of a GitHubCache must be a str, not int"),
        ({"version": 3}, ValueError, "version of a GitHubCache must be 1 or 2, not 3"),
        ({"timeout": "5m"}, TypeError, "timeout of a GitHubCache must be a number of seconds, not str"),
        ({"timeout": True}, TypeError, "timeout of a GitHubCache must be a number of seconds, not bool"),
        ({"timeout": 0}, ValueError, "timeout of a GitHubCache must be a positive number of seconds, not 0"),
        ({"timeout": float("nan")}, ValueError, "timeout of a GitHubCache must be a positive number"),
        ({"timeout": float("inf")}, ValueError, "timeout of a GitHubCache must be a positive number"),
        ({"mode": "all"}, ValueError, "mode of a cache must be 'min' or 'max', not 'all'"),
    ],
)
def test_other_arguments(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{message}") as raised:
        read_cache_to(GitHubCache(token="hush", **arguments))
    assert leaks(raised.value, ["hush"]) == []


@pytest.mark.parametrize("arguments", [{"mode": "max"}, {"ignore_error": True}])
def test_arguments_of_an_export(arguments: Any) -> None:
    with pytest.raises(ValueError, match=r"^mode and ignore_error of a cache are for cache_to") as raised:
        read_cache_from(GitHubCache(token="hush", **arguments))
    assert leaks(raised.value, ["hush"]) == []


def test_the_token_is_in_no_repr() -> None:
    cache = GitHubCache("main", token="hush")
    assert "hush" not in repr(cache)
    assert "hush" not in repr(read_cache_to(cache))
