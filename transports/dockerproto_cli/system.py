"""The commands on the engine as a whole: its version, its facts, its disk, its build cache."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any, Final, cast

from dockerproto import DiskUsage, Usage, __version__
from dockerproto.messages.sizes import size
from dockerproto.versions import NEWEST
from dockerproto_cli.daemons import prune_daemon
from dockerproto_cli.documents import CacheRecord, PrunedBuilds, UsedImage, parse_document
from dockerproto_cli.formats import Rows, has_format, print_document, print_rows, short_size
from dockerproto_cli.printing import Invocation, confirm, report_error

_USAGE: Final = {
    "Type": "TYPE",
    "TotalCount": "TOTAL",
    "Active": "ACTIVE",
    "Size": "SIZE",
    "Reclaimable": "RECLAIMABLE",
}
_TYPES: Final = (
    ("images", "Images"),
    ("containers", "Containers"),
    ("volumes", "Local Volumes"),
    ("build_cache", "Build Cache"),
)
"""Fields of a `DiskUsage`, and their names in the table of the Docker CLI."""
_FACTS: Final[Mapping[str, str]] = {
    "Name": "Name",
    "ServerVersion": "Server Version",
    "OperatingSystem": "Operating System",
    "KernelVersion": "Kernel Version",
    "OSType": "OSType",
    "Architecture": "Architecture",
    "NCPU": "CPUs",
    "MemTotal": "Total Memory",
    "DockerRootDir": "Docker Root Dir",
    "Driver": "Storage Driver",
    "Images": "Images",
    "Containers": "Containers",
}
"""Facts that ``info`` prints, by key of the engine's document."""
_MEMORY: Final = "MemTotal"


def version(invocation: Invocation) -> None:
    """Print the versions of this command and of the engine."""
    client = {
        "Version": __version__,
        "ApiVersion": str(NEWEST),
        "PythonVersion": platform.python_version(),
        "Os": platform.system().lower(),
        "Arch": platform.machine(),
    }
    as_document = invocation.json or invocation.arguments.format is not None
    if not as_document:
        _print_facts(invocation, "Client: dockerproto", client)
    server = {**invocation.docker.version()}
    if not as_document:
        _print_facts(invocation, "Server", {name: server[name] for name in client if name in server})
        return
    document = {"Client": _with_go_names(client), "Server": _with_go_names(server)}
    if invocation.arguments.format is None:
        invocation.document(document)
    else:
        print_document(invocation, document)


def info(invocation: Invocation) -> None:
    """Print facts about the engine."""
    facts = cast("dict[str, Any]", invocation.docker.info())  # an engine has more keys than are typed
    if invocation.arguments.format is not None:
        print_document(invocation, facts)
    elif invocation.json:
        invocation.document(facts)
    else:
        shown = {
            title: short_size(facts[key]) if key == _MEMORY else facts[key]
            for key, title in _FACTS.items()
            if isinstance(facts.get(key), str | int)
        }
        _print_facts(invocation, f"Engine at {invocation.docker.endpoint.address}", shown)


def df(invocation: Invocation) -> None:
    """Print how much space the objects of the engine occupy."""
    usage = invocation.docker.disk_usage()
    if invocation.json:
        invocation.document(_document(usage))
        return
    rows = [_row(title, getattr(usage, name)) for name, title in _TYPES]
    if has_format(invocation):
        print_rows(invocation, Rows(_USAGE, rows))
        return
    invocation.table([*_USAGE.values()], [[*row.values()] for row in rows])
    if invocation.arguments.verbose:
        _print_items(invocation, usage)


def prune_builds(invocation: Invocation) -> int:
    """Delete build cache, if the user confirms."""
    arguments = invocation.arguments
    which = "all unused build cache" if arguments.all else "all dangling build cache"
    if not arguments.force and not confirm(f"This deletes {which}."):
        report_error("nothing was deleted", arguments)
        return 1
    deleted, reclaimed = _prune_engine(invocation) if arguments.builder is None else prune_daemon(invocation)
    if invocation.json:
        invocation.document({"CachesDeleted": deleted, "SpaceReclaimed": reclaimed})
        return 0
    for each in deleted:
        invocation.line(f"Deleted: {each}")
    invocation.line(f"Total reclaimed space: {size(reclaimed)}")
    return 0


def _prune_engine(invocation: Invocation) -> tuple[list[str], int]:
    """Delete build cache of the engine, and return the ids and the size in bytes of what was deleted."""
    arguments = invocation.arguments
    result = invocation.docker.images.prune_builds(
        all_builds=arguments.all, filters=invocation.filters(), reserved_space=arguments.keep_storage
    )
    pruned = parse_document(result, PrunedBuilds)
    return [*(pruned.caches or ())], int(pruned.reclaimed)


def _print_facts(invocation: Invocation, title: str, facts: Mapping[str, object]) -> None:
    invocation.line(title)
    width = max(map(len, facts), default=0) + 1
    for name, value in facts.items():
        invocation.line(f"  {f'{name}:':{width}} {value}")


def _with_go_names(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document also with the names that fields have in templates of the Docker CLI."""
    renamed = {"APIVersion": "ApiVersion", "MinAPIVersion": "MinAPIVersion"}
    return {**document, **{new: document[old] for new, old in renamed.items() if old in document}}


def _row(title: str, usage: Usage[Any]) -> dict[str, str]:
    share = f" ({usage.reclaimable * 100 // usage.size}%)" if usage.size > 0 else ""
    return {
        "Type": title,
        "TotalCount": str(usage.total),
        "Active": str(usage.active),
        "Size": short_size(usage.size, 4),
        "Reclaimable": f"{short_size(usage.reclaimable, 4)}{share}",
    }


def _document(usage: DiskUsage) -> dict[str, Any]:
    return {
        title: {
            "TotalCount": found.total,
            "Active": found.active,
            "Size": found.size,
            "Reclaimable": found.reclaimable,
            "Items": [*found.items],
        }
        for name, title in _TYPES
        if (found := getattr(usage, name)) is not None
    }


def _print_items(invocation: Invocation, usage: DiskUsage) -> None:
    images = parse_document(_items(usage.images), list[UsedImage])
    rows = [
        (
            ", ".join(each.tags or ()) or each.id.removeprefix("sha256:")[:12],
            short_size(each.size),
            short_size(each.shared_size),
            "N/A" if each.containers is None else str(each.containers),
        )
        for each in images
    ]
    invocation.line("")
    invocation.table(("IMAGE", "SIZE", "SHARED SIZE", "CONTAINERS"), rows)
    records = parse_document(_items(usage.build_cache), list[CacheRecord])
    invocation.line("")
    invocation.table(
        ("BUILD CACHE", "TYPE", "SIZE", "USE"),
        [(each.id, each.type, short_size(each.size), _use(each)) for each in records],
    )


def _items(usage: Usage[Any] | None) -> list[Any]:
    return [] if usage is None else [*usage.items]


def _use(record: CacheRecord) -> str:
    words = (("in use", record.in_use), ("shared", record.shared))
    return ", ".join(word for word, applies in words if applies)
