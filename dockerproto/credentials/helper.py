"""The protocol of credential helpers: their input, and the parsing of their output.

A helper is a program, ``docker-credential-<name>``. Its argument is the action; it reads its input from its
standard input, and writes its output, or the text of an error, to its standard output.
Documented at https://docs.docker.com/reference/cli/docker/login/#credential-helper-protocol.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from dockerproto.config.gojson import decode, parse_json
from dockerproto.credentials.credentials import ANONYMOUS, TOKEN_USER, Credentials, server_of
from dockerproto.errors import CredentialsError
from dockerproto.redacted import RedactedBytes, RedactedText, hides_frames

_NOT_FOUND: Final = "credentials not found in native keychain"
_LONGEST_MESSAGE: Final = 300


class _Entry(Struct):
    """The JSON object that helpers store, and return; names match in any case."""

    Username: str = ""
    Secret: str = ""
    ServerURL: str = ""

    def __repr__(self) -> str:
        return "<credentials>"


class CredentialHelper(Struct, frozen=True):
    """A credential helper, and the registry to ask it about."""

    name: str
    """Name of the helper in config.json, such as ``pass`` or ``ecr-login``."""
    registry: str
    """The registry; ``docker.io`` for Docker Hub."""

    @property
    def program(self) -> str:
        """Name of the program.

        >>> CredentialHelper("pass", "r.example").program
        'docker-credential-pass'
        """
        return f"docker-credential-{self.name}"

    def get_input(self) -> bytes:
        """Return the input of the action ``get``: the address of the registry.

        >>> CredentialHelper("pass", "docker.io").get_input()
        b'https://index.docker.io/v1/'
        """
        return server_of(self.registry).encode()

    @hides_frames
    def store_input(self, credentials: Credentials) -> bytes:
        """Return the input of the action ``store``: the credentials."""
        token = credentials.identitytoken
        entry = _Entry(
            Username=TOKEN_USER if token else credentials.username,
            Secret=token or credentials.password,
            ServerURL=server_of(self.registry),
        )
        return RedactedBytes(msgspec.json.encode(entry))

    def parse_output(self, status: int, output: bytes) -> Credentials | None:
        """Parse the output of ``get``: credentials, or None if the helper has none.

        Like the Docker CLI, accept names in any case, and ignore what follows the JSON.

        Raises:
            CredentialsError: The helper failed, or its output is malformed.
        """
        if status:
            text = _text(output)
            if text == _NOT_FOUND:
                return None
            raise self._failed(status, text)
        entry = _parse_entry(output)
        if entry is None:  # not raised above: the exceptions of parsers may quote what they parse
            raise self.error("its output is not credentials")
        if entry.Username == TOKEN_USER:
            found = Credentials(identitytoken=entry.Secret)
        else:
            found = Credentials(username=entry.Username, password=entry.Secret)
        # docker-credential-pass returns empty strings if it has no entry
        return None if found == ANONYMOUS else found.for_registry(self.registry)

    def check_stored(self, status: int, output: bytes, credentials: Credentials) -> None:
        """Check the result of ``store``.

        Raises:
            CredentialsError: The helper failed.
        """
        if status:
            text = _text(output)
            raise self._failed(status, RedactedText() if credentials.occur_in(text) else text)

    def check_erased(self, status: int, output: bytes) -> None:
        """Check the result of ``erase``, whose input is that of ``get``. A helper may have had none.

        Raises:
            CredentialsError: The helper failed.
        """
        if status and (text := _text(output)) != _NOT_FOUND:
            raise self._failed(status, text)

    def error(self, problem: str) -> CredentialsError:
        """Return the exception for a helper that is missing or fails."""
        return CredentialsError(0, f"{self.program}, for {self.registry}: {problem}")

    def _failed(self, status: int, text: str) -> CredentialsError:
        # Output that contains JSON may be the credentials themselves.
        reason = f": {text}" if text and "{" not in text else ""
        return self.error(f"it failed with status {status}{reason}")


@hides_frames
def _parse_entry(output: bytes) -> _Entry | None:
    try:
        decoded = decode(parse_json(output, whole=False), _Entry)
    except ValueError:
        return None
    return None if decoded.problems else decoded.value


def _text(output: bytes) -> RedactedText:
    """Return the text of an error, which may quote credentials."""
    return RedactedText(output.decode(errors="replace").strip())[:_LONGEST_MESSAGE]
