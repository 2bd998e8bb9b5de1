"""Metadata of a build by BuildKit's Control API: the engine's facts about what it exported."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, cast

import msgspec

from dockerproto.messages.models import Descriptor
from dockerproto.messages.values import object_of

EXPORTED: Final = "dockerproto.exported"
"""The ``id`` of a message whose ``aux`` has the exporters' response, texts by name."""
_DESCRIPTOR: Final = "containerimage.descriptor"


def metadata_of(aux: object) -> dict[str, Any]:
    """Return the exporters' response with the JSON in it decoded, as the Docker CLI writes it to a file.

    >>> metadata_of({"image.name": "app", "cache.manifest": '{"size": 5}'})
    {'image.name': 'app', 'cache.manifest': {'size': 5}}
    """
    texts = {name: value for name, value in object_of(aux).items() if isinstance(value, str)}
    return {name: _decoded(value) for name, value in texts.items()}


def descriptor_of(metadata: Mapping[str, Any]) -> Descriptor | None:
    """Return the descriptor of the image in metadata, None without one that has a digest."""
    descriptor: object = metadata.get(_DESCRIPTOR)
    match descriptor:
        case {"digest": str()}:
            return cast("Descriptor", descriptor)  # its other values are the engine's: described, not checked
        case _:
            return None


def push_messages(names: Iterable[str], metadata: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Return messages about an image that BuildKit pushed, as the engine's own push reports each name.

    >>> metadata = {"containerimage.descriptor": {"digest": "sha256:ab", "size": 5}}
    >>> [*push_messages(["r.example/app:1"], metadata)][1]
    {'progressDetail': {}, 'aux': {'Tag': '1', 'Digest': 'sha256:ab', 'Size': 5}}
    """
    descriptor = descriptor_of(metadata)
    for name in names:
        repository, _, tag = name.rpartition(":")
        yield {"status": f"The push refers to repository [{repository}]"}
        if descriptor is not None:
            pushed = {"Tag": tag, "Digest": descriptor["digest"], "Size": descriptor.get("size")}
            yield {"progressDetail": {}, "aux": pushed}


def built_note(image: str, tags: Iterable[str]) -> str:
    """Return a note for an exception that came after the image was built.

    >>> built_note("sha256:ab", ["app:1", "app:2"])
    'the image was built before: sha256:ab (app:1, app:2)'
    """
    names = ", ".join(tags)
    return f"the image was built before: {image}" + (f" ({names})" if names else "")


def _decoded(text: str) -> Any:
    """Return the JSON object that a text is, also in base64; otherwise the text."""
    for data in (text.encode(errors="replace"), _from_base64(text)):
        if data.startswith(b"{"):
            try:
                return msgspec.json.decode(data)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
    return text


def _from_base64(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return b""
