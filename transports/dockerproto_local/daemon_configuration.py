"""The configuration of a client of a BuildKit daemon: its arguments, or else the environment."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping, Sequence

from dockerproto.buildcontext.limits import CONTEXT_LIMIT
from dockerproto.credentials.source import CredentialsLike
from dockerproto.endpoint.addresses import TLS
from dockerproto.endpoint.daemons import daemon_endpoint
from dockerproto.messages.decoding import MESSAGE_LIMIT
from dockerproto.redacted import hides_frames
from dockerproto.timeouts import DEFAULT, Default, TimeoutLike, client_limits
from dockerproto_local.config_directory import ConfigDirectory
from dockerproto_local.configuration import LocalConfiguration, find_proxies, secure
from dockerproto_local.credentials import SharedCredentials
from dockerproto_local.tls import HTTP2


@hides_frames
def configure_daemon(
    address: str | None = None,
    *,
    command: Sequence[str] | None = None,
    tls: TLS | ssl.SSLContext | None = None,
    credentials: CredentialsLike | Default | None = DEFAULT,
    timeout: TimeoutLike = DEFAULT,
    message_limit: int = MESSAGE_LIMIT,
    context_limit: int = CONTEXT_LIMIT,
    proxies: Mapping[str, str] | None = None,
) -> LocalConfiguration:
    """Configure a client of a BuildKit daemon.

    Args:
        address: Address of the daemon: ``unix:///path``, ``tcp://host:port``, or one of those for which a
            program is run: ``ssh://[user@]host[:port][/path]``, ``docker-container://name[?context=...]``,
            ``podman-container://name``, ``kube-pod://pod[?context=...&namespace=...&container=...]``. By
            default ``BUILDKIT_HOST``, else ``unix:///run/buildkit/buildkitd.sock``.
        command: A program and its arguments, instead of an address: its standard input and output lead to the
            daemon, as those of ``buildctl dial-stdio`` do. It runs once for each call.
        tls: Certificates for a daemon at a TCP address, or a context of the ssl module, which should offer
            the protocol ``h2``.
        credentials: Source of registry credentials, see `CredentialsLike`; by default `StoredCredentials`;
            None for no source.
        timeout: Limits of calls that are not long, see `Timeout`; of long ones, such as builds, only
            ``connect`` counts, which covers the daemon's first bytes too.
        message_limit: Limit of a message in a stream, in bytes; by default 16 MiB.
        context_limit: Limit of the temporary file that builds unpack a compressed tar into, or copy an
            iterable to, in bytes; by default 32 GiB.
        proxies: Build arguments for the proxies of every build, such as ``HTTP_PROXY``; ``{}`` for none; by
            default those of config.json.

    Raises:
        ConnectionFailed: A TLS file cannot be used.
        InvalidHost: The address is invalid.
        ValueError: There are both `address` and `command`; or there is `tls`, but the daemon is not at a TCP
            address.
    """
    directory = ConfigDirectory(os.environ)
    endpoint = daemon_endpoint(
        address, command, os.environ, TLS() if isinstance(tls, ssl.SSLContext) else tls
    )
    return LocalConfiguration(
        endpoint=endpoint,
        limits=client_limits(timeout),
        message_limit=message_limit,
        context_limit=context_limit,
        credentials=SharedCredentials(directory) if credentials is DEFAULT else credentials,
        proxies=find_proxies(proxies, directory, endpoint.address),
        ssl_context=secure(endpoint, tls, HTTP2),
    )
