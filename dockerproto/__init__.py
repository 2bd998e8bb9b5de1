"""Docker image operations on a sans-IO core.

Import ``Docker`` from dockerproto_asyncio, dockerproto_trio or dockerproto_httpx; the types and exceptions
that the three share are here. `__all__` is the public interface, together with `dockerproto.progress`,
`dockerproto.messages.trace` and what the reference documents for authors of transports.
"""

from typing import TYPE_CHECKING

from dockerproto.agent import __version__ as __version__
from dockerproto.buildcontext.plan import Compression
from dockerproto.credentials.credentials import ANONYMOUS, AuthLike, AuthsLike, Credentials, read_auth
from dockerproto.credentials.source import CredentialsLike, CredentialsSource, CredentialsStore
from dockerproto.endpoint.addresses import (
    SSH,
    TCP,
    TLS,
    Address,
    Command,
    Endpoint,
    NamedPipe,
    Proxied,
    Proxy,
    UnixSocket,
)
from dockerproto.endpoint.hosts import parse_host
from dockerproto.errors import (
    BadRequest,
    ClientClosed,
    Conflict,
    ConnectionFailed,
    ContextError,
    CredentialsError,
    DockerError,
    DockerStreamError,
    FailedStep,
    InvalidHeader,
    InvalidHost,
    InvalidPattern,
    InvalidReference,
    NotFinished,
    NotFound,
    NotFoundOrUnauthorized,
    NotInstalled,
    OutputFailed,
    ProtocolViolated,
    ServerError,
    StepFailed,
    TimedOut,
    TooManyRequests,
    Unauthorized,
    UnsupportedEngine,
    UnsupportedTransport,
    UnsupportedVersion,
    UploadFailed,
)
from dockerproto.images import AsyncImages, Images
from dockerproto.images.build_parameters import Ulimits
from dockerproto.images.builders import Builder
from dockerproto.images.loading import LoadTarget
from dockerproto.images.local import ListParameters
from dockerproto.images.solve_arguments import Provenance
from dockerproto.messages.buildkit_results import (
    BuildKitVersion,
    BuildKitWorker,
    BuildRecord,
    CachePolicy,
    CachePruned,
    CacheRecord,
)
from dockerproto.messages.check_results import (
    CheckFailure,
    CheckResult,
    CheckWarning,
    Outline,
    OutlineArg,
    OutlineMount,
    SourceFile,
    SourceLines,
    TargetSummary,
)
from dockerproto.messages.disk_usage import BuildCacheRecord, DiskUsage, Usage, UsageType
from dockerproto.messages.encoding import to_json
from dockerproto.messages.models import (
    BuildsPruned,
    DeletedImage,
    Descriptor,
    DistributionInspect,
    EngineInfo,
    EngineVersion,
    EventActor,
    HistoryEntry,
    ImageConfig,
    ImageEvent,
    ImageInspect,
    ImagesPruned,
    ImageSummary,
    ManifestSummary,
    Message,
    Platform,
    ProgressDetail,
    RootFS,
    SearchResult,
)
from dockerproto.messages.results import (
    BuildResult,
    BuildWarning,
    ImportResult,
    MessageList,
    PulledTag,
    PullResult,
    PushedTag,
    PushResult,
    build_result,
    import_result,
    pull_result,
    push_result,
)
from dockerproto.messages.text import message_text
from dockerproto.operations.buildkit import AsyncEngineBuildKit, EngineBuildKit
from dockerproto.operations.events import EventTime
from dockerproto.operations.streams import (
    AsyncDownload,
    AsyncProgress,
    AsyncStream,
    Download,
    Progress,
    Stream,
)
from dockerproto.references import Reference, parse_reference
from dockerproto.request.attachments import Output, Secret, SecretLike, Tar
from dockerproto.request.caches import (
    Cache,
    CacheMode,
    CacheSource,
    CacheTarget,
    InlineCache,
    LocalCache,
    RegistryCache,
)
from dockerproto.request.compression import ImageCompression
from dockerproto.request.filters import Filters, FilterValue
from dockerproto.request.github_cache import GitHubCache
from dockerproto.request.layouts import Layout
from dockerproto.request.named_contexts import NamedContext
from dockerproto.request.outputs import (
    OCI,
    BuildOutput,
    CacheOnly,
    DockerTar,
    Image,
    ImageOutput,
)
from dockerproto.request.ping import Ping
from dockerproto.sources import AsyncSource, Readable, Source
from dockerproto.timeouts import DEFAULT, Default, Timeout, TimeoutLike
from dockerproto.versions import Version

if TYPE_CHECKING:
    from dockerproto.docker import AsyncBuildKit, AsyncDocker
    from dockerproto.registry.building import JoinedBuild
    from dockerproto.registry.manifests import Manifest

__all__ = [
    "ANONYMOUS",
    "DEFAULT",
    "OCI",
    "SSH",
    "TCP",
    "TLS",
    "Address",
    "AsyncBuildKit",
    "AsyncDocker",
    "AsyncDownload",
    "AsyncEngineBuildKit",
    "AsyncImages",
    "AsyncProgress",
    "AsyncSource",
    "AsyncStream",
    "AuthLike",
    "AuthsLike",
    "BadRequest",
    "BuildCacheRecord",
    "BuildKitVersion",
    "BuildKitWorker",
    "BuildOutput",
    "BuildRecord",
    "BuildResult",
    "BuildWarning",
    "Builder",
    "BuildsPruned",
    "Cache",
    "CacheMode",
    "CacheOnly",
    "CachePolicy",
    "CachePruned",
    "CacheRecord",
    "CacheSource",
    "CacheTarget",
    "CheckFailure",
    "CheckResult",
    "CheckWarning",
    "ClientClosed",
    "Command",
    "Compression",
    "Conflict",
    "ConnectionFailed",
    "ContextError",
    "Credentials",
    "CredentialsError",
    "CredentialsLike",
    "CredentialsSource",
    "CredentialsStore",
    "Default",
    "DeletedImage",
    "Descriptor",
    "DiskUsage",
    "DistributionInspect",
    "DockerError",
    "DockerStreamError",
    "DockerTar",
    "Download",
    "Endpoint",
    "EngineBuildKit",
    "EngineInfo",
    "EngineVersion",
    "EventActor",
    "EventTime",
    "FailedStep",
    "FilterValue",
    "Filters",
    "GitHubCache",
    "HistoryEntry",
    "Image",
    "ImageCompression",
    "ImageConfig",
    "ImageEvent",
    "ImageInspect",
    "ImageOutput",
    "ImageSummary",
    "Images",
    "ImagesPruned",
    "ImportResult",
    "InlineCache",
    "InvalidHeader",
    "InvalidHost",
    "InvalidPattern",
    "InvalidReference",
    "JoinedBuild",
    "Layout",
    "ListParameters",
    "LoadTarget",
    "LocalCache",
    "Manifest",
    "ManifestSummary",
    "Message",
    "MessageList",
    "NamedContext",
    "NamedPipe",
    "NotFinished",
    "NotFound",
    "NotFoundOrUnauthorized",
    "NotInstalled",
    "Outline",
    "OutlineArg",
    "OutlineMount",
    "Output",
    "OutputFailed",
    "Ping",
    "Platform",
    "Progress",
    "ProgressDetail",
    "ProtocolViolated",
    "Provenance",
    "Proxied",
    "Proxy",
    "PullResult",
    "PulledTag",
    "PushResult",
    "PushedTag",
    "Readable",
    "Reference",
    "RegistryCache",
    "RootFS",
    "SearchResult",
    "Secret",
    "SecretLike",
    "ServerError",
    "Source",
    "SourceFile",
    "SourceLines",
    "StepFailed",
    "Stream",
    "Tar",
    "TargetSummary",
    "TimedOut",
    "Timeout",
    "TimeoutLike",
    "TooManyRequests",
    "Ulimits",
    "Unauthorized",
    "UnixSocket",
    "UnsupportedEngine",
    "UnsupportedTransport",
    "UnsupportedVersion",
    "UploadFailed",
    "Usage",
    "UsageType",
    "Version",
    "build_result",
    "import_result",
    "message_text",
    "parse_host",
    "parse_reference",
    "pull_result",
    "push_result",
    "read_auth",
    "to_json",
]


def __dir__() -> list[str]:
    """Return the public names."""
    return [*__all__, "__version__"]


if not TYPE_CHECKING:  # or unknown names would pass the type checkers  # pragma: no branch

    def __getattr__(name: str) -> object:
        """Return a class that loads h11 or hashlib; raise an error that tells where ``Docker`` is."""
        if name in ("AsyncBuildKit", "AsyncDocker"):
            from dockerproto import docker  # noqa: PLC0415

            return getattr(docker, name)
        if name == "JoinedBuild":
            from dockerproto.registry.building import JoinedBuild  # noqa: PLC0415

            return JoinedBuild
        if name == "Manifest":
            from dockerproto.registry.manifests import Manifest  # noqa: PLC0415

            return Manifest
        if name in ("BuildKit", "Docker"):
            packages = "dockerproto_asyncio, dockerproto_trio or dockerproto_httpx"
            raise ImportError(f"cannot import name {name!r} from 'dockerproto': it is in {packages}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
