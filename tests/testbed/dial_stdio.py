"""A program that stands in for ``buildctl dial-stdio``: its standard streams lead to a socket.

    python dial_stdio.py SOCKET [RECORD ARGUMENT...]

It appends the arguments to the file RECORD, as a line of JSON. It imports nothing of the project, as it runs
as a program of its own.
"""

import json
import os
import socket
import sys
import threading

_CHUNK = 65536


def main(address: str, record: str = "", *arguments: str) -> None:
    """Carry bytes until the socket ends."""
    if record:
        with open(record, "a", encoding="utf-8") as lines:  # noqa: PTH123  # pathlib takes 10 ms to import
            lines.write(json.dumps(arguments) + "\n")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        threading.Thread(target=_send, args=(connection,), daemon=True).start()
        while data := connection.recv(_CHUNK):
            _write(data)


def _send(connection: socket.socket) -> None:
    """Send the standard input, then the end; the connection may have ended before."""
    try:
        while data := os.read(0, _CHUNK):
            connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def _write(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


if __name__ == "__main__":
    main(*sys.argv[1:])
