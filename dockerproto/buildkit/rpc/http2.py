"""The HTTP/2 connection under gRPC: h2's, with bounds on all that a peer can make it keep.

h2 limits the calls that are open, the size of headers and the length of frames. Other things it keeps for as
long as the connection lasts, or until the peer reads: those are limited here.
"""

from __future__ import annotations

from typing import Final

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from h2.settings import SettingCodes, Settings

from dockerproto.buildkit.rpc.data_frames import PREFACE, DataFrames
from dockerproto.errors import ProtocolViolated

MESSAGE_LIMIT: Final = 4 * 2**20
"""Longest message in bytes, in both directions: Engine 20.10 accepts no longer one."""
# A whole message must fit into the window, as its bytes count until it is consumed; and no call may starve
# the others of the connection's window.
_STREAM_WINDOW: Final = MESSAGE_LIMIT + 2**20
_CONNECTION_WINDOW: Final = 8 * _STREAM_WINDOW
MAX_CALLS: Final = 100
"""Limit on the calls that are open at once; engines open less than ten, and one for each ssh connection."""
HEADERS_LIMIT: Final = 2**20
"""Limit on the bytes of a call's headers, which contain the lines of .dockerignore."""
MAX_UNREAD_REPLIES: Final = 2**18
"""Limit on the bytes of replies that wait for the peer to read, such as acknowledgements of PING.

A reply is longer than the shortest frame that demands it. Engines send a PING every few seconds.
"""
MAX_SETTINGS: Final = 64
"""Limit on the different settings of a peer, known or not: h2 keeps 800 bytes for each. HTTP/2 has ten."""
MAX_CLOSED_CALLS: Final = 2**10
"""Limit on the calls that are over and remembered, to tell frames that were under way from wrong ones."""
_ENCODER_TABLE: Final = 2**12
"""Limit on the table that compresses headers: a peer may allow 4 GiB, and each new message would fill it."""
_SETTINGS: Final = {
    SettingCodes.INITIAL_WINDOW_SIZE: _STREAM_WINDOW,
    SettingCodes.ENABLE_PUSH: 0,
    SettingCodes.MAX_CONCURRENT_STREAMS: MAX_CALLS,
    SettingCodes.MAX_HEADER_LIST_SIZE: HEADERS_LIMIT,
}


class HTTP2Connection(h2.connection.H2Connection):
    """One side of a connection.

    Args:
        calls: True for the side that calls.
    """

    MAX_CLOSED_STREAMS = MAX_CLOSED_CALLS

    def __init__(self, *, calls: bool) -> None:
        # Headers stay bytes: engines put file names of any encoding into them.
        config = h2.config.H2Configuration(
            client_side=calls, header_encoding=None, validate_inbound_headers=False
        )
        super().__init__(config)
        # Initial values are announced in the preface; assigning to h2's settings object would change only
        # what this side assumes.
        self.local_settings: Settings = Settings(client=calls, initial_values=_SETTINGS)
        self.decoder.max_header_list_size = HEADERS_LIMIT
        self.initiate_connection()
        self.increment_flow_control_window(_CONNECTION_WINDOW)
        preface = 0 if calls else len(PREFACE)
        self._frames = DataFrames(preface, self.max_inbound_frame_size, self._is_open)
        self._replies = bytearray()
        """Bytes for the peer that receiving produced, and that were not taken yet."""

    def receive(self, data: bytes) -> list[h2.events.Event]:
        """Take bytes of the connection, and return the events.

        Raises:
            ProtocolViolated: The bytes are invalid HTTP/2, or exceed a limit.
        """
        try:
            events = self.receive_data(self._frames.feed(data))
        except h2.exceptions.H2Error as error:
            raise ProtocolViolated(0, f"invalid HTTP/2: {error}") from error
        self._replies += self.data_to_send()
        if len(self._replies) > MAX_UNREAD_REPLIES:
            raise ProtocolViolated(
                0, f"the peer left more than {MAX_UNREAD_REPLIES} bytes of HTTP/2 replies unread"
            )
        if len(self.remote_settings) > MAX_SETTINGS:
            raise ProtocolViolated(0, f"the peer sent more than {MAX_SETTINGS} different HTTP/2 settings")
        self._bound_encoder()
        return events

    @property
    def started(self) -> bool:
        """True once the peer has begun to speak HTTP/2."""
        return self._frames.started

    def take(self) -> bytes:
        """Return all bytes to send now."""
        replies, data = bytes(self._replies), self.data_to_send()
        self._replies.clear()
        return replies + data if replies else data

    def _is_open(self, stream: int) -> bool:
        return (known := self.streams.get(stream)) is not None and known.open

    def _bound_encoder(self) -> None:
        """Limit the encoder's table, and forget the sizes that the peer asked for in between.

        Only the smallest one and the last one must be announced, see RFC 7541, section 4.2.
        """
        encoder = self.encoder
        too_large = encoder.header_table_size > _ENCODER_TABLE
        if too_large:  # setting the same size again would cancel a change that is not announced yet
            encoder.header_table_size = _ENCODER_TABLE
        if changes := encoder.table_size_changes:
            encoder.table_size_changes = [min(changes), changes[-1]]
