"""The commands on the engine's own images."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from dockerproto import DeletedImage, DockerError, ImageInspect
from dockerproto.messages.sizes import size
from dockerproto.progress.text import printable
from dockerproto_cli.documents import Change, HistoryStep, ListedImage, Pruned, parse_document
from dockerproto_cli.formats import (
    Rows,
    has_format,
    mentions,
    print_document,
    print_rows,
    rfc3339,
    short_size,
    since,
    timestamp,
)
from dockerproto_cli.formatting import ago
from dockerproto_cli.printing import Invocation, confirm, report_error

NONE: Final = "<none>"
UNKNOWN: Final = "N/A"
_SHORT: Final = 12
_LONGEST: Final = 45
_IMAGES: Final = {
    "ID": "IMAGE ID",
    "Repository": "REPOSITORY",
    "Tag": "TAG",
    "Digest": "DIGEST",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "Size": "SIZE",
    "Containers": "CONTAINERS",
    "SharedSize": "SHARED SIZE",
    "UniqueSize": "UNIQUE SIZE",
}
_HISTORY: Final = {
    "ID": "IMAGE",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "CreatedBy": "CREATED BY",
    "Size": "SIZE",
    "Comment": "COMMENT",
}


def images(invocation: Invocation) -> None:
    """List images, one line per name."""
    arguments = invocation.arguments
    more = [("reference", arguments.repository)] if arguments.repository else []
    found = invocation.docker.images.list(all=arguments.all, filters=invocation.filters(*more))
    if invocation.json:
        invocation.document(found)
        return
    listed = parse_document(found, list[ListedImage])
    digests = arguments.digests or mentions(invocation, "Digest")
    named = [(names, image) for image in listed for names in _names(image, digests=digests)]
    if arguments.quiet:
        for _, image in named:
            invocation.line(_id(image.id, whole=arguments.no_trunc))
        return
    if has_format(invocation):
        whole: bool = arguments.no_trunc
        print_rows(invocation, Rows(_IMAGES, [_image_row(*each, whole=whole) for each in named]))
        return
    digest = ("DIGEST",) if arguments.digests else ()
    rows = [
        (
            *names[: 2 + len(digest)],
            _id(image.id, whole=arguments.no_trunc),
            _age(image.created),
            _size(image.size),
        )
        for names, image in named
    ]
    invocation.table(("REPOSITORY", "TAG", *digest, "IMAGE ID", "CREATED", "SIZE"), rows)


def history(invocation: Invocation) -> None:
    """List the steps in the history of an image."""
    arguments = invocation.arguments
    found = invocation.docker.images.history(arguments.image, platform=arguments.platform)
    if invocation.json:
        invocation.document(found)
        return
    whole: bool = arguments.no_trunc
    steps = parse_document(found, list[HistoryStep])
    if arguments.quiet:
        for step in steps:
            invocation.line(_id(step.id, whole=whole))
        return
    if has_format(invocation):
        print_rows(invocation, Rows(_HISTORY, [_history_row(step, whole=whole) for step in steps]))
        return
    rows = [
        (
            _id(step.id, whole=whole),
            _age(step.created),
            _command(step, whole=whole),
            _size(step.size),
            step.comment or "",
        )
        for step in steps
    ]
    invocation.table(("IMAGE", "CREATED", "CREATED BY", "SIZE", "COMMENT"), rows)


def inspect(invocation: Invocation) -> int:
    """Print the details of images, as a JSON array."""
    found: list[ImageInspect] = []

    def inspect_one(name: str) -> None:
        found.append(invocation.docker.images.inspect(name, platform=invocation.arguments.platform))

    status = _each(invocation, inspect_one)
    if invocation.arguments.format in (None, "json"):
        invocation.document(found)
        return status
    for each in found:
        print_document(invocation, each)
    return status


def tag(invocation: Invocation) -> None:
    """Give an image another name."""
    image, target = invocation.arguments.image, invocation.arguments.target
    invocation.docker.images.tag(image, target)
    if invocation.json:
        invocation.document({"Tagged": target})


def remove(invocation: Invocation) -> int:
    """Remove images, and print the names and layers that were removed."""
    arguments, removed = invocation.arguments, list[DeletedImage]()

    def delete(name: str) -> None:
        changes = invocation.docker.images.delete(
            name, force=arguments.force, noprune=arguments.no_prune, platforms=arguments.platform
        )
        removed.extend(changes)
        if not invocation.json:
            _print_changes(invocation, parse_document(changes, list[Change]))

    status = _each(invocation, delete)
    if invocation.json:
        invocation.document(removed)
    return status


def prune(invocation: Invocation) -> int:
    """Delete unused images, if the user confirms."""
    arguments = invocation.arguments
    which = "all images that no container uses" if arguments.all else "all images without a name"
    if arguments.filter:
        filters = ", ".join(f"{name}={value}" for name, value in arguments.filter)
        which += f" that match {printable(filters)}"
    if not arguments.force and not confirm(f"This deletes {which}."):
        report_error("nothing was deleted", arguments)
        return 1
    dangling = ("dangling", "false" if arguments.all else "true")
    result = invocation.docker.images.prune(filters=invocation.filters(dangling))
    if invocation.json:
        invocation.document(result)
        return 0
    pruned = parse_document(result, Pruned)
    _print_changes(invocation, pruned.changes or ())
    invocation.line(f"Total reclaimed space: {size(pruned.reclaimed)}")
    return 0


def _each(invocation: Invocation, do: Callable[[str], None]) -> int:
    """Call a function for each image, also after a failure, and return the exit status."""
    status = 0
    for name in invocation.arguments.image:
        try:
            do(name)
        except DockerError as error:
            report_error(error, invocation.arguments)
            status = 1
    return status


def _print_changes(invocation: Invocation, changes: Iterable[Change]) -> None:
    for change in changes:
        if change.untagged is not None:
            invocation.line(f"Untagged: {change.untagged}")
        if change.deleted is not None:
            invocation.line(f"Deleted: {change.deleted}")


def _image_row(names: tuple[str, str, str], image: ListedImage, *, whole: bool) -> dict[str, str]:
    repository, tag, digest = names
    return {
        "ID": _id(image.id, whole=whole),
        "Repository": repository,
        "Tag": tag,
        "Digest": digest,
        "CreatedSince": since(image.created),
        "CreatedAt": timestamp(image.created),
        "Size": short_size(image.size),
        **dict.fromkeys(("Containers", "SharedSize", "UniqueSize"), UNKNOWN),
    }


def _history_row(step: HistoryStep, *, whole: bool) -> dict[str, str]:
    return {
        "ID": _id(step.id, whole=whole),
        "CreatedSince": since(step.created),
        "CreatedAt": rfc3339(step.created),
        "CreatedBy": _command(step, whole=whole),
        "Size": short_size(step.size),
        "Comment": step.comment or "",
    }


def _command(step: HistoryStep, *, whole: bool) -> str:
    return truncated(printable(" ".join((step.created_by or "").split())), whole=whole)


def _names(image: ListedImage, *, digests: bool) -> Iterator[tuple[str, str, str]]:
    """Yield the names of an image: repository, tag, digest; a missing part is `NONE`."""
    known: dict[str, list[str]] = {}
    for name in image.digests or ():
        repository, _, digest = name.partition("@")
        known.setdefault(repository, []).append(digest)
    tags = [name.rpartition(":") for name in image.tags or ()] or [
        (repository, ":", NONE) for repository in known
    ]
    for repository, _, tag in tags or [(NONE, ":", NONE)]:
        there = known.get(repository, [NONE])
        yield from ((repository, tag, digest) for digest in (there if digests else there[:1]))


def _age(created: float | None) -> str:
    """Format a time; engines report 0, or a negative time, if an image has none."""
    return UNKNOWN if created is None or created <= 0 else ago(time.time() - created)


def _size(count: float | None) -> str:
    return UNKNOWN if count is None or count < 0 else size(count)


def _id(id: str, *, whole: bool) -> str:
    return id if whole else id.removeprefix("sha256:")[:_SHORT]


def truncated(text: str, *, whole: bool) -> str:
    """Return a text for a column, truncated unless it is wanted whole."""
    return text if whole or len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
