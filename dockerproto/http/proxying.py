"""HTTP through a proxy: requests in absolute form, and tunnels by CONNECT, without I/O.

As in Go's net/http, a proxy forwards the requests to engines without TLS. Connections to engines with TLS,
and those that switch to another protocol, are tunnelled. See RFC 9110, 9.3.6, and RFC 9112, 3.2.2.
"""

from __future__ import annotations

from typing import Final

import h11
from msgspec.structs import replace

from dockerproto.agent import AGENT
from dockerproto.endpoint.addresses import Address, Proxied, Proxy
from dockerproto.errors import ConnectionFailed
from dockerproto.http.connecting import Target
from dockerproto.http.http11 import HEAD_LIMIT, INTERIM_LIMIT, Head, WireRequest
from dockerproto.redacted import RedactedBytes, RedactedText, hides_frames, prefixed
from dockerproto.transport.chunks import Buffer

_AUTHENTICATION_REQUIRED: Final = 407


def forwarded(request: WireRequest, address: Address) -> WireRequest:
    """Return a request as it is sent to an address: in absolute form for a proxy that forwards it."""
    if not isinstance(address, Proxied) or address.tunnel:
        return request  # to the engine itself
    headers = [*request.headers, *_authorization(address.proxy)]
    return replace(request, target=prefixed(f"http://{address.host}", request.target), headers=headers)


def check_credentials(head: Head, target: Target) -> None:
    """Raise ConnectionFailed if a response comes from a proxy that rejects the request's credentials."""
    address = target.address
    if head.status == _AUTHENTICATION_REQUIRED and isinstance(address, Proxied) and not address.tunnel:
        message = target.message(_explain(address.proxy, head.status))
        raise ConnectionFailed(head.status, message)


class Tunnel:
    """The exchange that opens a tunnel; its errors are ConnectionError."""

    def __init__(self, address: Proxied) -> None:
        self._address = address
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_LIMIT)
        self._interim = 0

    @hides_frames
    def request(self) -> bytes:
        """Return the request to send."""
        host = self._address.host
        headers = [("Host", host), AGENT, *_authorization(self._address.proxy)]
        head = self._http.send(h11.Request(method="CONNECT", target=host, headers=headers))
        return RedactedBytes((head or b"") + (self._http.send(h11.EndOfMessage()) or b""))

    def feed(self, data: Buffer) -> bool:
        """Feed bytes of the response, none at its end; return True once the tunnel is open.

        Raises:
            ConnectionError: The proxy refuses, or this is not HTTP.
        """
        if not data:
            raise ConnectionError("the proxy closed the connection")
        try:
            self._http.receive_data(bytes(data))
            event = self._http.next_event()
            while isinstance(event, h11.InformationalResponse):
                self._interim += 1
                if self._interim > INTERIM_LIMIT:
                    raise ConnectionError(f"the proxy sent more than {INTERIM_LIMIT} interim responses")
                event = self._http.next_event()
        except h11.RemoteProtocolError as error:
            raise ConnectionError(f"the proxy does not speak HTTP: {error}") from error
        if not isinstance(event, h11.Response):
            return False
        if self._http.their_state is not h11.SWITCHED_PROTOCOL:
            raise ConnectionError(_explain(self._address.proxy, event.status_code))
        if self._http.trailing_data[0]:
            raise ConnectionError("the proxy sent data before the tunnel was used")
        return True


def _explain(proxy: Proxy, status: int) -> str:
    if status != _AUTHENTICATION_REQUIRED:
        return f"the proxy refuses a tunnel to it, status {status}"
    if proxy.authorization is None:
        return "the proxy requires authentication; its URL needs a user and a password"
    return "the proxy rejects the user and password in its URL"


def _authorization(proxy: Proxy) -> list[tuple[str, str]]:
    return [] if proxy.authorization is None else [("Proxy-Authorization", RedactedText(proxy.authorization))]
