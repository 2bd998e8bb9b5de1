"""The bytes of HTTP responses."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})

LAST_CHUNK: Final = b"0\r\n\r\n"
"""The end of a chunked body."""


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """Return a status line and headers, with nothing added."""
    known = {int(each): each.phrase for each in HTTPStatus}
    lines = [f"HTTP/1.1 {status} {known.get(status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1")


def response(
    status: int, body: bytes = b"", headers: Mapping[str, str] = _NO_HEADERS, *, chunked: bool = False
) -> bytes:
    """Return a whole response, with a Content-Length or as one chunk."""
    if chunked:
        return stream_head(status, headers) + (chunk(body) if body else b"") + LAST_CHUNK
    if status < HTTPStatus.OK or status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
        return head(status, headers)
    return head(status, {**headers, "Content-Length": str(len(body))}) + body


def json_response(value: object, status: int = 200, headers: Mapping[str, str] = _NO_HEADERS) -> bytes:
    """Return a response with a JSON body, as the engine writes it."""
    body = json.dumps(value, separators=(",", ":")).encode() + b"\n"
    return response(status, body, {"Content-Type": "application/json", **headers})


def chunked(
    *chunks: bytes, status: int = 200, headers: Mapping[str, str] = _NO_HEADERS, terminated: bool = True
) -> bytes:
    """Return a response of chunks; without the last, empty chunk, it is truncated."""
    body = b"".join(chunk(each) for each in chunks)
    return stream_head(status, headers) + body + (LAST_CHUNK if terminated else b"")


def stream_head(status: int = 200, headers: Mapping[str, str] = _NO_HEADERS) -> bytes:
    """Return the head of a chunked response; `chunk()`s and `LAST_CHUNK` follow."""
    return head(status, {"Content-Type": "application/json", **headers, "Transfer-Encoding": "chunked"})


def chunk(data: bytes) -> bytes:
    """Return one chunk; an empty one is `LAST_CHUNK`."""
    return b"%x\r\n%s\r\n" % (len(data), data)
