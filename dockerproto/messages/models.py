"""The shapes of what engines answer: plain dicts and lists, described.

Keys that an engine may leave out are not required; engines from API 1.52 on leave out what is empty.
Fields may be added by any engine and are passed through. Lists that an engine gives as null are
empty lists here. Documented at https://docs.docker.com/reference/api/engine/.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NotRequired, TypedDict

from dockerproto.messages.trace import StatusResponse


class ProgressDetail(TypedDict, total=False):
    """How far a step is: bytes, unless ``units`` says otherwise; every key is left out when it is 0."""

    current: int
    total: int
    start: int
    units: str
    hidecounts: bool


class Message(TypedDict, total=False):
    """One message of an operation with progress."""

    status: str
    """The text of a step."""
    id: str
    """What the message is about: a layer, a tag, ``moby.buildkit.trace``."""
    progressDetail: ProgressDetail
    """How far the step is."""
    progress: str
    """A bar drawn by the engine; engines from 29.0 on draw none."""
    stream: str
    """Output of a build or an import, with its own line ends."""
    aux: Any
    """What the step produced: an object, or for a BuildKit trace a str."""
    trace: StatusResponse
    """What a BuildKit trace says, decoded; it is ours, the engine sends it as `aux`."""


Platform = TypedDict(
    "Platform",
    {
        "architecture": str,
        "os": str,
        "variant": NotRequired[str],
        "os.version": NotRequired[str],
        "os.features": NotRequired[list[str]],
    },
)
"""A platform, in the words of the OCI."""


class Descriptor(TypedDict):
    """A content descriptor of the OCI."""

    mediaType: str
    digest: str
    size: int
    urls: NotRequired[list[str]]
    annotations: NotRequired[dict[str, str]]
    platform: NotRequired[Platform]
    artifactType: NotRequired[str]
    data: NotRequired[str]


class ManifestSummary(TypedDict):
    """One manifest of an image with several; since API 1.47."""

    ID: str
    Descriptor: Descriptor
    Available: bool
    Size: dict[str, int]
    Kind: str
    ImageData: NotRequired[dict[str, Any]]
    AttestationData: NotRequired[dict[str, Any]]


class ImageSummary(TypedDict):
    """An image in a list."""

    Id: str
    ParentId: str
    RepoTags: list[str]
    RepoDigests: list[str]
    Created: int
    """Seconds since 1970."""
    Size: int
    """Bytes."""
    SharedSize: int
    """Bytes; -1 unless asked for."""
    Containers: int
    """How many containers use it; -1 up to API 1.50."""
    Labels: dict[str, str] | None
    VirtualSize: NotRequired[int]
    """Bytes; up to API 1.43."""
    Descriptor: NotRequired[Descriptor]
    Manifests: NotRequired[list[ManifestSummary]]


class ImageConfig(TypedDict, total=False):
    """How containers of an image are run."""

    Cmd: list[str]
    Entrypoint: list[str]
    Env: list[str]
    ExposedPorts: dict[str, dict[str, Any]] | None
    Healthcheck: dict[str, Any]
    Labels: dict[str, str] | None
    OnBuild: list[str]
    Shell: list[str]
    StopSignal: str
    User: str
    Volumes: dict[str, dict[str, Any]] | None
    WorkingDir: str
    ArgsEscaped: bool


class ImageInspect(TypedDict):
    """All that an engine knows of an image."""

    Id: str
    RepoTags: list[str]
    RepoDigests: list[str]
    Architecture: str
    Os: str
    Size: int
    """Bytes."""
    RootFS: dict[str, Any]
    Metadata: dict[str, Any]
    Created: NotRequired[str]
    """RFC 3339."""
    Config: NotRequired[ImageConfig]
    Parent: NotRequired[str]
    Comment: NotRequired[str]
    Author: NotRequired[str]
    DockerVersion: NotRequired[str]
    Variant: NotRequired[str]
    OsVersion: NotRequired[str]
    GraphDriver: NotRequired[dict[str, Any]]
    VirtualSize: NotRequired[int]
    """Bytes; up to API 1.43."""
    Container: NotRequired[str]
    ContainerConfig: NotRequired[dict[str, Any]]
    Descriptor: NotRequired[Descriptor]
    Manifests: NotRequired[list[ManifestSummary]]
    Identity: NotRequired[dict[str, Any]]


class HistoryEntry(TypedDict):
    """One step in the history of an image, the newest first."""

    Id: str
    """``<missing>`` for a layer that is no image here."""
    Created: int
    """Seconds since 1970."""
    CreatedBy: str
    Size: int
    """Bytes."""
    Comment: str
    Tags: list[str]


class DeletedImage(TypedDict, total=False):
    """One thing that a deletion did: exactly one of the two."""

    Untagged: str
    Deleted: str


class ImagesPruned(TypedDict):
    """What a prune of images did."""

    ImagesDeleted: list[DeletedImage]
    SpaceReclaimed: int
    """Bytes."""


class BuildsPruned(TypedDict):
    """What a prune of the build cache did."""

    CachesDeleted: list[str]
    SpaceReclaimed: int
    """Bytes."""


class SearchResult(TypedDict):
    """A repository that a search found; Podman answers with other keys."""

    name: str
    description: str
    star_count: int
    is_official: bool
    is_automated: NotRequired[bool]


class DistributionInspect(TypedDict):
    """What a registry says of an image."""

    Descriptor: Descriptor
    Platforms: list[Platform]


class EngineVersion(TypedDict):
    """What an engine says of itself."""

    Version: str
    ApiVersion: str
    MinAPIVersion: str
    Os: str
    Arch: str
    KernelVersion: NotRequired[str]
    GitCommit: NotRequired[str]
    GoVersion: NotRequired[str]
    BuildTime: NotRequired[str]
    Experimental: NotRequired[bool]
    Platform: NotRequired[dict[str, str]]
    Components: NotRequired[list[dict[str, Any]]]


LISTS: Final[Mapping[str, frozenset[str]]] = {
    "": frozenset({"RepoTags", "RepoDigests", "Tags", "ImagesDeleted", "CachesDeleted", "Platforms"}),
    "Config": frozenset({"Cmd", "Entrypoint", "Env", "OnBuild", "Shell"}),
}
"""The lists that engines may give as null, by the object that they are in."""


def fill_lists(documents: Sequence[dict[str, Any]]) -> None:
    """Put empty lists where an engine gave null.

    >>> image = {"RepoTags": None, "Labels": None, "Config": {"Cmd": None}}
    >>> fill_lists([image])
    >>> image
    {'RepoTags': [], 'Labels': None, 'Config': {'Cmd': []}}
    """
    for inside, names in LISTS.items():
        parts: Iterable[Any] = (each.get(inside) for each in documents) if inside else documents
        for part in parts:
            if isinstance(part, dict):
                for name, value in part.items():  # pyright: ignore[reportUnknownVariableType]
                    if value is None and name in names:
                        part[name] = []
