"""Calls of the clients that send the requests of recordings, made from these requests."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import parse_qs, unquote

import msgspec

TAR: Final = bytes(1024)
"""Upload of every call that has one; those of the recordings are not kept."""
_TARGET: Final = re.compile(r"(GET|POST|DELETE) (?:/v([\d.]+))?(/[^?]*)\??(.*)")

Query: TypeAlias = Mapping[str, str]


class Target(NamedTuple):
    """A request without its headers and body."""

    method: str
    version: str | None
    path: str
    query: dict[str, list[str]]

    @property
    def known(self) -> tuple[str, str, dict[str, list[str]]]:
        """Return what two spellings of one request have in common."""
        query = {name: [*map(_plain_json, values)] for name, values in self.query.items()}
        if self.path == "/images/create":
            for name in {"fromImage", "repo"} & query.keys():
                query[name] = [_reference(*query[name], *query.pop("tag", []), latest=name == "repo")]
        elif self.path.endswith("/tag"):
            query.setdefault("tag", ["latest"])
        elif self.path == "/build":
            query.pop("buildid", None)
            query = {name: values for name, values in query.items() if (name, values) != ("version", ["1"])}
        return self.method, self.path, query


class Call(NamedTuple):
    """A method of a client, of its `images` if its name begins so, and the arguments."""

    method: str
    arguments: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = {}


def target_of(request: str) -> Target:
    """Return the parts of a request: ``GET /v1.41/images/json?all=1``."""
    match = _TARGET.fullmatch(request)
    assert match is not None, request
    method, version, path, query = match.groups()
    return Target(method, version, unquote(path), parse_qs(query, keep_blank_values=True))


def call_of(target: Target) -> Call:
    """Return the call that sends a request."""
    request = f"{target.method} {target.path}"
    query = {name: values[0] for name, values in target.query.items()}
    for pattern, make in _CALLS.items():
        if match := re.fullmatch(pattern, request):
            return make(target, query, *match.groups())
    raise AssertionError(f"no call sends {request}")


def _ping(_: Target, __: Query) -> Call:
    return Call("ping")


def _version(_: Target, __: Query) -> Call:
    return Call("version")


def _login(_: Target, __: Query) -> Call:
    return Call("login", ("127.0.0.1:5001", "user", "password"))


def _list(_: Target, query: Query) -> Call:
    keywords = {**_flags(query, "all", "shared-size", "manifests", "identity"), **_filters(query)}
    more = {"query": {"filter": query["filter"]}} if "filter" in query else {}
    return Call("images.list", (), {**keywords, **more})


def _inspect(_: Target, query: Query, name: str) -> Call:
    return Call("images.inspect", (name,), {**_platform(query), **_flags(query, "manifests")})


def _history(_: Target, query: Query, name: str) -> Call:
    return Call("images.history", (name,), _platform(query))


def _export(target: Target, query: Query, name: str | None = None) -> Call:
    names = [name] if name else target.query.get("names", [])
    return Call("images.export_image", (names,), _platform(query))


def _push(_: Target, query: Query, name: str) -> Call:
    return Call("images.push", (name,), {"tag": query.get("tag", ""), **_platform(query)})


def _tag(_: Target, query: Query, name: str) -> Call:
    return Call("images.tag", (name, query["repo"]), {"tag": query.get("tag")})


def _delete(target: Target, query: Query, name: str) -> Call:
    platforms = [_slashes(each) for each in target.query.get("platforms", [])]
    return Call("images.delete", (name,), {**_flags(query, "force"), "platforms": platforms})


def _create(target: Target, query: Query) -> Call:
    platform = {"platform": query["platform"]} if "platform" in query else {}
    if "fromImage" in query:
        name = query["fromImage"]
        tag = query.get("tag", None if _is_tagged(name) else "")
        return Call("images.pull", (name,), {"tag": tag, **platform})
    source = TAR if query["fromSrc"] == "-" else query["fromSrc"]
    keywords = {name: query[name] for name in ("repo", "tag", "message") if name in query}
    changes = target.query.get("changes", [])
    return Call("images.import_filesystem", (source,), {**keywords, "changes": changes, **platform})


def _load(_: Target, query: Query) -> Call:
    return Call("images.import_image", (TAR,), {"quiet": query.get("quiet") != "0", **_platform(query)})


def _prune(_: Target, query: Query) -> Call:
    return Call("images.prune", (), _filters(query))


def _distribution(_: Target, __: Query, name: str) -> Call:
    return Call("images.distribution", (name,))


def _prune_builds(_: Target, query: Query) -> Call:
    every = {"all_builds": True} if "all" in query else {}
    return Call("images.prune_builds", (), {**every, **_filters(query)})


def _search(_: Target, query: Query) -> Call:
    limit = {"limit": int(query["limit"])} if "limit" in query else {}
    return Call("images.search", (query["term"],), {**limit, **_filters(query)})


_BUILD: Final[Mapping[str, tuple[str, Callable[[str], Any]]]] = {
    "networkmode": ("network_mode", str),
    "nocache": ("nocache", lambda _: True),
    "q": ("quiet", lambda _: True),
    "pull": ("pull", lambda _: True),
    "squash": ("squash", lambda _: True),
    "buildargs": ("buildargs", json.loads),
    "labels": ("labels", json.loads),
    "platform": ("platform", str),
    "target": ("target", str),
    "dockerfile": ("path_dockerfile", str),
    "cachefrom": ("cache_from", json.loads),
    "version": ("builder", {"1": "classic", "2": "buildkit"}.__getitem__),
}
"""Keywords of a build by its parameters, and how their values are read."""


def _build(target: Target, query: Query) -> Call:
    keywords: dict[str, Any] = {"builder": "classic", "tag": target.query.get("t", [])}
    for name, value in query.items():
        if name in _BUILD:
            keyword, read = _BUILD[name]
            keywords[keyword] = read(value)
    return Call("images.build", (), {"fileobj": TAR, **keywords})


_CALLS: Final[Mapping[str, Callable[..., Call]]] = {
    r"GET /_ping": _ping,
    r"GET /version": _version,
    r"POST /auth": _login,
    r"GET /images/json": _list,
    r"GET /images/search": _search,
    r"GET /images/get": _export,
    r"GET /images/(.+)/get": _export,
    r"GET /images/(.+)/json": _inspect,
    r"GET /images/(.+)/history": _history,
    r"POST /images/create": _create,
    r"POST /images/load": _load,
    r"POST /images/prune": _prune,
    r"POST /images/(.+)/push": _push,
    r"POST /images/(.+)/tag": _tag,
    r"DELETE /images/(.+)": _delete,
    r"GET /distribution/(.+)/json": _distribution,
    r"POST /build/prune": _prune_builds,
    r"POST /build": _build,
}
"""Calls by the requests that they send; the first that matches."""


def _is_tagged(name: str) -> bool:
    return ":" in name.rpartition("/")[2]


def _reference(name: str, tag: str = "", *, latest: bool) -> str:
    """Return a name with its tag or digest, or with the default tag if it has none and there is one."""
    tag = tag or ("latest" if latest and not _is_tagged(name) else "")
    return f"{name}{'@' if ':' in tag else ':'}{tag}" if tag else name


def _flags(query: Query, *names: str) -> dict[str, bool]:
    return {name.replace("-", "_"): True for name in names if name in query}


def _filters(query: Query) -> dict[str, Any]:
    if "filters" not in query:
        return {}
    try:
        return {"filters": msgspec.json.decode(query["filters"], type=dict[str, list[str]])}
    except msgspec.DecodeError:
        return {"filters": query["filters"]}


def _platform(query: Query) -> dict[str, str]:
    return {"platform": _slashes(query["platform"])} if "platform" in query else {}


def _slashes(platform: str) -> str:
    """Return a platform, as JSON, in the form of the clients' arguments."""
    fields = json.loads(platform)
    return "/".join(fields[name] for name in ("os", "architecture", "variant") if name in fields)


def _plain_json(text: str) -> str:
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except ValueError:
        return text
