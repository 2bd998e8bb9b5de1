"""Docker image operations without I/O: what to send, how to read the answer, one client for all transports.

Programs import ``Docker`` from dockerproto_asyncio, dockerproto_trio or dockerproto_httpx, and what
they share from here.
"""

from dockerproto.auth import ANONYMOUS, AuthLike, AuthsLike, Credentials, read_auth
from dockerproto.client import Ping
from dockerproto.endpoint import SSH, TCP, TLS, Endpoint, NamedPipe, UnixSocket
from dockerproto.errors import (
    BadRequest,
    ClientClosed,
    Conflict,
    ConnectionFailed,
    ContextError,
    CredentialsError,
    DockerError,
    DockerStreamError,
    InvalidHost,
    InvalidReference,
    NotFound,
    NotFoundOrUnauthorized,
    ProtocolViolated,
    ServerError,
    TimedOut,
    TooManyRequests,
    Unauthorized,
    UnsupportedEngine,
    UnsupportedVersion,
    UploadFailed,
)
from dockerproto.hosts import parse_host
from dockerproto.images import AsyncImages, Images
from dockerproto.lookup import CredentialsLike, CredentialsSource, CredentialsStore
from dockerproto.models import (
    BuildsPruned,
    DeletedImage,
    Descriptor,
    DistributionInspect,
    EngineVersion,
    HistoryEntry,
    ImageConfig,
    ImageInspect,
    ImagesPruned,
    ImageSummary,
    ManifestSummary,
    Message,
    Platform,
    ProgressDetail,
    SearchResult,
)
from dockerproto.reference import Reference, parse_reference
from dockerproto.streams import AsyncDownload, AsyncStream, Download, Stream
from dockerproto.timeouts import DEFAULT, Timeout, TimeoutLike

__version__ = "0.1.0"

__all__ = [
    "ANONYMOUS",
    "DEFAULT",
    "SSH",
    "TCP",
    "TLS",
    "AsyncDownload",
    "AsyncImages",
    "AsyncStream",
    "AuthLike",
    "AuthsLike",
    "BadRequest",
    "BuildsPruned",
    "ClientClosed",
    "Conflict",
    "ConnectionFailed",
    "ContextError",
    "Credentials",
    "CredentialsError",
    "CredentialsLike",
    "CredentialsSource",
    "CredentialsStore",
    "DeletedImage",
    "Descriptor",
    "DistributionInspect",
    "DockerError",
    "DockerStreamError",
    "Download",
    "Endpoint",
    "EngineVersion",
    "HistoryEntry",
    "ImageConfig",
    "ImageInspect",
    "ImageSummary",
    "Images",
    "ImagesPruned",
    "InvalidHost",
    "InvalidReference",
    "ManifestSummary",
    "Message",
    "NamedPipe",
    "NotFound",
    "NotFoundOrUnauthorized",
    "Ping",
    "Platform",
    "ProgressDetail",
    "ProtocolViolated",
    "Reference",
    "SearchResult",
    "ServerError",
    "Stream",
    "TimedOut",
    "Timeout",
    "TimeoutLike",
    "TooManyRequests",
    "Unauthorized",
    "UnixSocket",
    "UnsupportedEngine",
    "UnsupportedVersion",
    "UploadFailed",
    "parse_host",
    "parse_reference",
    "read_auth",
]
