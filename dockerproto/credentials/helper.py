"""The protocol of credential helpers: what one is told, and what it answers.

A helper is a program, ``docker-credential-<name>``. Its argument is the action, what it is told
stands on its standard input, and its answer, an error's text too, on its standard output.
Documented at https://docs.docker.com/reference/cli/docker/login/#credential-helper-protocol.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from dockerproto.credentials.credentials import TOKEN_USER, Credentials, server_of
from dockerproto.errors import CredentialsError

_NOT_FOUND: Final = "credentials not found in native keychain"
_LONGEST_MESSAGE: Final = 300


class _Kept(msgspec.Struct):
    """What helpers are told to keep, and answer."""

    Username: str = ""
    Secret: str = ""
    ServerURL: str = ""

    def __repr__(self) -> str:
        return "<credentials>"


class CredentialHelper(Struct, frozen=True):
    """A helper, and the registry that it is asked for."""

    name: str
    """Its name in config.json: ``pass``, ``ecr-login``."""
    registry: str
    """The registry, ``docker.io`` for Docker Hub."""

    @property
    def program(self) -> str:
        """The program to run.

        >>> CredentialHelper("pass", "r.example").program
        'docker-credential-pass'
        """
        return f"docker-credential-{self.name}"

    def question(self) -> bytes:
        """Return what the action ``get`` is told: the address of the registry.

        >>> CredentialHelper("pass", "docker.io").question()
        b'https://index.docker.io/v1/'
        """
        return server_of(self.registry).encode()

    def order(self, credentials: Credentials) -> bytes:
        """Return what the action ``store`` is told: the credentials to keep."""
        token = credentials.identitytoken
        kept = _Kept(
            Username=TOKEN_USER if token else credentials.username,
            Secret=token or credentials.password,
            ServerURL=server_of(self.registry),
        )
        return msgspec.json.encode(kept)

    def answer(self, status: int, output: bytes) -> Credentials | None:
        """Read the answer to ``get``: credentials, or None, as the helper has none.

        Raises:
            CredentialsError: It failed, or answered something else.
        """
        if status:
            text = _text(output)
            if text == _NOT_FOUND:
                return None
            raise self._failed(status, text)
        try:
            kept = msgspec.json.decode(output, type=_Kept)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            kept = None
        if kept is None:  # not raised above: the exceptions of decoders may quote what they decode
            raise self.error("it answers something that is not credentials")
        if not kept.Secret:  # docker-credential-pass answers with empty texts for what it has not
            return None
        if kept.Username == TOKEN_USER:
            return Credentials(identitytoken=kept.Secret).for_registry(self.registry)
        return Credentials(username=kept.Username, password=kept.Secret).for_registry(self.registry)

    def check_stored(self, status: int, output: bytes, credentials: Credentials) -> None:
        """Read the answer to ``store``.

        Raises:
            CredentialsError: It failed.
        """
        if status:
            text = _text(output)
            secrets = filter(None, (credentials.password, credentials.identitytoken))
            raise self._failed(status, "" if any(secret in text for secret in secrets) else text)

    def error(self, problem: str) -> CredentialsError:
        """Return the exception for a helper that cannot be had, or fails."""
        return CredentialsError(0, f"{self.program}, for {self.registry}: {problem}")

    def _failed(self, status: int, text: str) -> CredentialsError:
        # What contains JSON may be the credentials themselves.
        said = f": {text}" if text and "{" not in text else ""
        return self.error(f"it failed with status {status}{said}")


def _text(output: bytes) -> str:
    return output.decode(errors="replace").strip()[:_LONGEST_MESSAGE]
