"""dockerproto for blocking programs, over httpx."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

from dockerproto.errors import NotInstalled

try:
    import httpx
except ModuleNotFoundError as _error:
    raise NotInstalled(0, "dockerproto_httpx needs httpx: pip install 'dockerproto[httpx]'") from _error

from dockerproto.buildcontext.limits import CONTEXT_LIMIT
from dockerproto.credentials.source import CredentialsLike, check_blocking
from dockerproto.docker import BlockingBuildKit, BlockingDocker
from dockerproto.endpoint.addresses import TLS
from dockerproto.errors import ClientClosed, ConnectionFailed, DockerError, ProtocolViolated, TimedOut
from dockerproto.http.connecting import Target
from dockerproto.http.http11 import Head, WireRequest
from dockerproto.messages.decoding import MESSAGE_LIMIT
from dockerproto.redacted import hides_frames
from dockerproto.timeouts import DEFAULT, Default, TimeoutLike, Timer
from dockerproto_httpx.transport import DUMMY_URL, REQUEST, TARGET, TIMER, Body, Content, EngineTransport
from dockerproto_local import LocalConfiguration, arguments_of, configure, configure_daemon
from dockerproto_local.blocking import BlockingTransport
from dockerproto_local.configuration import AUTO
from dockerproto_local.keywords import explain_unknown
from dockerproto_local.late import loader
from dockerproto_local.scopes import LocalScope

__all__ = ["BuildKit", "Docker", "EngineTransport", "Registry"]

if TYPE_CHECKING:
    from dockerproto_httpx.registry import Registry
else:
    __getattr__ = loader(__name__, Registry="registry")


class Docker(BlockingDocker):
    """An engine, for blocking programs: use it with ``with``, or `close` it. Several threads may share it.

    Args:
        url: Address of the engine. For this and the other arguments see `dockerproto_local.configure`.
        transport: An httpx transport that carries the requests, instead of an `EngineTransport`.
    """

    @explain_unknown
    def __init__(
        self,
        url: str | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
        context: str | None = None,
        tls: TLS | ssl.SSLContext | None = None,
        credentials: CredentialsLike | Default | None = DEFAULT,
        api_version: str = AUTO,
        timeout: TimeoutLike = DEFAULT,
        message_limit: int = MESSAGE_LIMIT,
        context_limit: int = CONTEXT_LIMIT,
        headers: Mapping[str, str] | None = None,
        proxy: str | Default | None = DEFAULT,
        proxies: Mapping[str, str] | None = None,
    ) -> None:
        configuration = configure(
            url,
            context=context,
            tls=tls,
            credentials=credentials,
            api_version=api_version,
            timeout=timeout,
            message_limit=message_limit,
            context_limit=context_limit,
            headers=headers,
            proxy=proxy,
            proxies=proxies,
        )
        check_blocking(configuration.credentials)
        endpoint, secure = configuration.endpoint, configuration.ssl_context
        target = Target(endpoint.address, endpoint.origin)
        own = EngineTransport(endpoint.route, secure, endpoint.origin) if transport is None else transport
        sender = _Sender(own, target, None if transport is None else f"http://{endpoint.address.host}")
        super().__init__(configuration, BlockingTransport(secure), sender)


class BuildKit(BlockingBuildKit):
    """A BuildKit daemon, for blocking programs: use it with ``with``, or `close` it.

    The arguments are those of `dockerproto_local.configure_daemon`.
    """

    @arguments_of(configure_daemon)
    def __init__(self, configuration: LocalConfiguration) -> None:
        check_blocking(configuration.credentials)
        super().__init__(configuration, BlockingTransport(configuration.ssl_context))


class _Sender:
    """Send requests through an httpx transport."""

    def __init__(self, transport: httpx.BaseTransport, target: Target, base: str | None) -> None:
        self._transport = transport
        self.target: Final = target
        """Endpoint, for messages."""
        self._base = base
        """Start of URLs; None for `EngineTransport`, as httpx rejects targets from 64 KiB on."""
        self._scope: LocalScope | None = None

    def check_process(self) -> None:
        """Raise ClientClosed if a foreign transport was used before a fork, and so shares its sockets."""
        if isinstance(self._transport, EngineTransport):
            return  # it has new connections in each process
        self._scope = self._scope or LocalScope.current(None)
        if self._scope.inherited:
            raise ClientClosed(0, "this client's transport was used before a fork: create both in the child")

    async def send(self, request: WireRequest, timer: Timer) -> _Response:
        self.check_process()
        with _convert_errors(self.target):
            if self._base is None:
                extensions = {TIMER: timer, REQUEST: request}
                own = httpx.Request(request.method, DUMMY_URL, extensions=extensions)
                return _Response(self._transport.handle_request(own), timer, self)
            return _Response(self._send(self._base, request, timer), timer, self)

    @hides_frames
    def _send(self, base: str, request: WireRequest, timer: Timer) -> httpx.Response:
        """Send a request through another transport than an `EngineTransport`."""
        headers = [*request.headers]
        if request.upload is not None:
            headers.append(("Transfer-Encoding", "chunked"))
        outgoing = httpx.Request(
            request.method,
            base + request.target,
            headers=headers,
            stream=Content(request.upload),
            extensions={"timeout": _limits(timer), TIMER: timer, TARGET: request.target},
        )
        return self._transport.handle_request(outgoing)

    def close(self) -> None:
        self._transport.close()


class _Response:
    """An httpx response as the core's `Response`."""

    cause = None

    def __init__(self, response: httpx.Response, timer: Timer, sender: _Sender) -> None:
        self._response = response
        self._timer = timer
        self._sender = sender
        # The stream itself: httpx refuses to iterate over a response that was created with its content.
        stream = cast("httpx.SyncByteStream", response.stream)
        self._receive = stream.receive if isinstance(stream, Body) else _receiver(iter(stream))
        self.head: Final = Head(response.status_code, dict(response.headers.items()))
        self.reused: Final = stream.reused if isinstance(stream, Body) else None

    async def receive(self) -> bytes:
        self._sender.check_process()
        self._timer.left("idle")
        with _convert_errors(self._sender.target):
            data = await self._receive()
            if not data:
                self._response.close()
        return data

    def close(self) -> None:
        self._response.close()

    async def settle(self) -> None:
        pass


def _receiver(chunks: Iterator[bytes]) -> Callable[[], Coroutine[Any, Any, bytes]]:
    """Return a function that receives the body of another httpx transport's response."""

    async def receive() -> bytes:
        return next(chunks, b"")

    return receive


def _limits(timer: Timer) -> dict[str, float | None]:
    """Return the limits in the form of httpx."""
    timeout = timer.timeout
    return {
        "connect": timeout.connect,
        "read": timeout.idle if timeout.response is None else timeout.response,
        "write": timeout.idle,
        "pool": timeout.connect,
    }


@contextmanager
def _convert_errors(target: Target) -> Generator[None]:
    """Convert the exceptions of httpx to the library's own."""
    try:
        yield
    except httpx.ConnectTimeout as error:
        raise TimedOut(0, target.message(_text(error))) from error
    except httpx.ConnectError as error:
        raise target.error(_os_error(error)) from error
    except httpx.TimeoutException as error:
        raise TimedOut(0, _text(error)) from error
    except (httpx.RemoteProtocolError, httpx.DecodingError) as error:
        raise ProtocolViolated(0, str(error)) from error
    except httpx.InvalidURL as error:
        raise DockerError(0, f"httpx cannot send this request: {error}") from error
    except httpx.HTTPError as error:
        raise ConnectionFailed(0, _text(error)) from error


def _os_error(error: httpx.HTTPError) -> OSError:
    """Return the error of the operating system that an exception of httpx was made of."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    return cause or OSError(_text(error))


def _text(error: httpx.HTTPError) -> str:
    return str(error) or type(error).__name__
