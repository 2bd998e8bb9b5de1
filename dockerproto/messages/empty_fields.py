"""Fields that engines send in three ways while they are empty: as an empty value, as null, or not at all.

Docker sends lists and maps as null up to API 1.51, and leaves them out later, with some texts; so does Podman
from 5.8 on. So that a program for one engine runs on the others, these fields are always there: a list as a
list, a text as a str, and a map as None, which is what most engines send.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct


class EmptyFields(Struct, frozen=True):
    """The fields of a JSON object that may be null or missing while they are empty."""

    lists: tuple[str, ...] = ()
    """Fields that are filled with an empty list."""
    texts: tuple[str, ...] = ()
    """Fields that are filled with an empty str."""
    maps: tuple[str, ...] = ()
    """Fields that are filled with None."""
    within: tuple[tuple[str, EmptyFields], ...] = ()
    """Fields whose object, or each object in their list, has such fields."""


NONE: Final = EmptyFields()
_MANIFESTS: Final = ("Manifests", EmptyFields(within=(("ImageData", EmptyFields(lists=("Containers",))),)))
_CONFIG: Final = EmptyFields(
    lists=("Cmd", "Entrypoint", "Env", "OnBuild", "Shell"),
    texts=("User", "WorkingDir"),
    maps=("ExposedPorts", "Labels", "Volumes"),
)

IMAGE_SUMMARY: Final = EmptyFields(lists=("RepoTags", "RepoDigests"), within=(_MANIFESTS,))
IMAGE_INSPECT: Final = EmptyFields(
    lists=("RepoTags", "RepoDigests"),
    texts=("Author", "Comment", "DockerVersion", "Parent"),
    within=(("Config", _CONFIG), ("RootFS", EmptyFields(lists=("Layers",))), _MANIFESTS),
)
HISTORY_ENTRY: Final = EmptyFields(lists=("Tags",))
IMAGES_PRUNED: Final = EmptyFields(lists=("ImagesDeleted",))
BUILDS_PRUNED: Final = EmptyFields(lists=("CachesDeleted",))
DISTRIBUTION_INSPECT: Final = EmptyFields(lists=("Platforms",))


def fill(documents: Any, fields: EmptyFields) -> None:
    """Add the empty fields to documents that lack them; whatever is not an object is left alone.

    >>> image = {"RepoTags": None, "Config": {"Cmd": ["sh"]}}
    >>> fill([image], EmptyFields(lists=("RepoTags",), within=(("Config", EmptyFields(lists=("Env",))),)))
    >>> image
    {'RepoTags': [], 'Config': {'Cmd': ['sh'], 'Env': []}}
    """
    for document in documents:
        if isinstance(document, dict):
            _fill(document, fields)  # pyright: ignore[reportUnknownArgumentType]  # its keys are str


def _fill(document: dict[str, Any], fields: EmptyFields) -> None:
    for name in fields.lists:
        if document.get(name) is None:
            document[name] = []
    for name in fields.texts:
        if document.get(name) is None:
            document[name] = ""
    for name in fields.maps:
        document.setdefault(name, None)
    for name, inner in fields.within:
        if (value := document.get(name)) is not None:
            fill(value if isinstance(value, list) else (value,), inner)
