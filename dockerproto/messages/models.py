"""Types of the JSON in responses: plain dicts and lists, typed.

Keys that an engine may leave out are not required. Lists, maps and texts that only some engines leave out, or
send as null, while they are empty are always there: see `empty_fields`. Unknown keys are passed through.
Documented at https://docs.docker.com/reference/api/engine/.
"""

from typing import Any, NotRequired, TypedDict

from dockerproto.messages.trace import StatusResponse


class ProgressDetail(TypedDict, total=False):
    """The progress of a step, in bytes unless ``units`` says otherwise; a key is left out when it is 0."""

    current: int
    total: int
    start: int
    units: str
    hidecounts: bool


class Message(TypedDict, total=False):
    """One message of an operation with progress."""

    status: str
    """Description of the step."""
    id: str
    """Subject of the message: a layer, a tag, ``moby.buildkit.trace``."""
    progressDetail: ProgressDetail
    """Progress of the step."""
    progress: str
    """A progress bar as text; engines from 29.0 on send none."""
    stream: str
    """Output of a build or an import, with its own line ends."""
    aux: Any
    """Product of the step: an object, or for a BuildKit trace a str."""
    trace: StatusResponse
    """Decoded BuildKit trace, added by this library; the engine sends it as `aux`."""


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
"""A platform, as defined by the OCI."""


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
    """One manifest of an image that has several. Since API 1.47."""

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
    """Bytes; -1 unless requested."""
    Containers: int
    """Number of containers that use it; -1 up to API 1.50."""
    Labels: dict[str, str] | None
    VirtualSize: NotRequired[int]
    """Bytes; up to API 1.43."""
    Descriptor: NotRequired[Descriptor]
    Manifests: NotRequired[list[ManifestSummary]]


class ImageConfig(TypedDict):
    """The default configuration of containers of an image."""

    Cmd: list[str]
    Entrypoint: list[str]
    Env: list[str]
    ExposedPorts: dict[str, dict[str, Any]] | None
    Labels: dict[str, str] | None
    OnBuild: list[str]
    Shell: list[str]
    User: str
    Volumes: dict[str, dict[str, Any]] | None
    WorkingDir: str
    Healthcheck: NotRequired[dict[str, Any]]
    StopSignal: NotRequired[str]
    ArgsEscaped: NotRequired[bool]


class RootFS(TypedDict):
    """The layers of an image."""

    Type: str
    """``layers``."""
    Layers: list[str]
    """Digests of the uncompressed layers, lowest first."""


class ImageInspect(TypedDict):
    """All details of an image."""

    Id: str
    RepoTags: list[str]
    RepoDigests: list[str]
    Architecture: str
    Os: str
    Size: int
    """Bytes."""
    RootFS: RootFS
    Metadata: dict[str, Any]
    Parent: str
    Comment: str
    Author: str
    DockerVersion: str
    Created: NotRequired[str]
    """RFC 3339."""
    Config: NotRequired[ImageConfig]
    Variant: NotRequired[str]
    OsVersion: NotRequired[str]
    GraphDriver: NotRequired[dict[str, Any]]
    VirtualSize: NotRequired[int]
    """Bytes; up to API 1.43."""
    Container: NotRequired[str]
    ContainerConfig: NotRequired[dict[str, Any] | None]
    """Configuration of the container that the image was made from; up to API 1.44."""
    Descriptor: NotRequired[Descriptor]
    Manifests: NotRequired[list[ManifestSummary]]
    Identity: NotRequired[dict[str, Any]]


class HistoryEntry(TypedDict):
    """One step in the history of an image; the newest step comes first."""

    Id: str
    """The id of the image; ``<missing>`` if this step has no image on the engine."""
    Created: int
    """Seconds since 1970."""
    CreatedBy: str
    Size: int
    """Bytes."""
    Comment: str
    Tags: list[str]


class DeletedImage(TypedDict, total=False):
    """One effect of a deletion: exactly one of the two keys."""

    Untagged: str
    Deleted: str


class ImagesPruned(TypedDict):
    """The result of a prune of images."""

    ImagesDeleted: list[DeletedImage]
    SpaceReclaimed: int
    """Bytes."""


class BuildsPruned(TypedDict):
    """The result of a prune of the build cache."""

    CachesDeleted: list[str]
    SpaceReclaimed: int
    """Bytes."""


class SearchResult(TypedDict):
    """A repository found by a search; Podman sends other keys."""

    name: str
    description: str
    star_count: int
    is_official: bool
    is_automated: NotRequired[bool]


class DistributionInspect(TypedDict):
    """A registry's description of an image."""

    Descriptor: Descriptor
    Platforms: list[Platform]


class EngineVersion(TypedDict):
    """Versions of an engine and its platform."""

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


class EngineInfo(TypedDict, total=False):
    """An engine's description of itself and its machine: the keys that concern images, and some more."""

    ID: str
    Name: str
    """Name of the machine."""
    ServerVersion: str
    Images: int
    """Number of images."""
    Containers: int
    """Number of containers."""
    Driver: str
    """Storage driver or, with the containerd image store, the snapshotter."""
    DriverStatus: list[list[str]] | None
    """Facts about the driver: pairs of name and value."""
    OperatingSystem: str
    OSType: str
    """``linux`` or ``windows``."""
    Architecture: str
    """Architecture as the kernel names it, such as ``x86_64``."""
    KernelVersion: str
    NCPU: int
    """Number of CPUs."""
    MemTotal: int
    """Bytes."""
    DockerRootDir: str
    Labels: list[str] | None
    RegistryConfig: dict[str, Any] | None
    HttpProxy: str
    HttpsProxy: str
    NoProxy: str
    Warnings: list[str] | None


class EventActor(TypedDict):
    """The object of an event."""

    ID: str
    """Name or id of the image, as it was in the request."""
    Attributes: dict[str, str]
    """Labels of the image, and ``name``."""


class ImageEvent(TypedDict):
    """An event of an image."""

    Type: str
    """``image``."""
    Action: str
    """Action, such as ``pull``, ``push``, ``tag``, ``untag``, ``delete``, ``load``, ``save``, ``import``."""
    Actor: EventActor
    time: int
    """Seconds since 1970."""
    timeNano: int
    """Nanoseconds since 1970."""
    scope: NotRequired[str]
    """``local``."""
    status: NotRequired[str]
    """Same as `Action`; up to API 1.51."""
    id: NotRequired[str]
    """Same as the actor's ``ID``; up to API 1.51."""
