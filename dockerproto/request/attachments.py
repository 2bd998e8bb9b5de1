"""Attachments of a build: secrets, ssh agents and outputs that its session serves, as data.

Nothing is read before the build begins.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final, Self, TypeAlias

from msgspec import Struct, field

from dockerproto.errors import BadRequest
from dockerproto.redacted import Redacted, RedactedBytes, hides_frames

SECRET_LIMIT: Final = 500 * 2**10
"""Limit of a secret in bytes, the same as the Docker CLI's."""
BUILDKIT_VARIABLE: Final = "DOCKER_BUILDKIT"
"""Environment variable that chooses the builder, as for the Docker CLI."""
AGENT_VARIABLE: Final = "SSH_AUTH_SOCK"
"""Environment variable that has the socket path of the user's ssh agent."""


class Secret(Redacted, frozen=True, kw_only=True):
    """A build secret; its repr() leaves out the value.

    >>> Secret.from_env("TOKEN")
    Secret(variable='TOKEN', path=None)
    """

    _hidden = ("value",)

    value: bytes | None = None
    """Secret itself."""
    variable: str | None = None
    """Environment variable that has it; if that is unset, the secret does not exist."""
    path: str | None = None
    """Path of the file that has it."""

    @classmethod
    def from_env(cls, variable: str) -> Self:
        """Return a secret that is read from an environment variable when the build begins."""
        return cls(variable=variable)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """Return a secret that is read from a file when the build begins; ``~`` is the home directory."""
        return cls(path=os.fspath(path))


SecretLike: TypeAlias = Secret | bytes | os.PathLike[str]
"""A `Secret`; bytes, the secret itself; or the path object of a file: a str would be ambiguous."""


class Tar(Struct, frozen=True):
    """An output in one tar file; a plain path as an output is that of a directory."""

    path: str | os.PathLike[str]
    """Path of the file, which is replaced when the tar is complete."""


Output: TypeAlias = str | os.PathLike[str] | Tar
"""Destination of a build's result: the path of a directory, or a `Tar`."""


_ARGUMENTS: Final[Mapping[str, str]] = {"secrets": "secrets", "ssh": "ssh", "outputs": "output"}
"""Arguments of a build that need BuildKit, by the field that has them."""


class BuildAttachments(Struct, frozen=True, kw_only=True):
    """Everything that the engine may ask for during a build, except the build context."""

    secrets: Mapping[str, Secret] = field(default_factory=dict[str, Secret])
    """Secrets by mount id."""
    ssh: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    """SSH agent socket paths by mount id; None means ``$SSH_AUTH_SOCK``."""
    outputs: Mapping[int, Output] = field(default_factory=dict[int, Output])
    """Destinations of files, by the number of the output; empty: an image in the engine."""
    directories: Mapping[str, str] = field(default_factory=dict[str, str])
    """Paths of the named build contexts that are directories, by the name they are served as."""
    anonymous: bool = False
    """True if no registry credentials are looked up."""

    @property
    def buildkit_argument(self) -> str | None:
        """First argument of the build that needs BuildKit, if any."""
        return next((argument for name, argument in _ARGUMENTS.items() if getattr(self, name)), None)


_BOOLEANS: Final = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}


def parse_buildkit_variable(value: str) -> bool:
    """Return True if the variable chooses BuildKit.

    Raises:
        BadRequest: The value is not a boolean by the Docker CLI's rules.
    """
    if value not in _BOOLEANS:
        raise BadRequest(0, f"{BUILDKIT_VARIABLE} must be 1 or 0, not {value!r}")
    return _BOOLEANS[value]


def read_secrets(secrets: Mapping[str, SecretLike] | None) -> dict[str, Secret]:
    """Return secrets of any form as `Secret` objects.

    Raises:
        TypeError: A secret has another form.
        ValueError: A secret is too long.
    """
    if not isinstance(secrets, Mapping | None):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"secrets must be a mapping, not {type(secrets).__name__}")
    return {name: _secret(name, secret) for name, secret in (secrets or {}).items()}


@hides_frames
def check_secret(name: str, value: bytes) -> RedactedBytes:
    """Return a secret; raise ValueError if it is too long."""
    if len(value) > SECRET_LIMIT:
        raise ValueError(f"secret {name!r} is longer than {SECRET_LIMIT} bytes")
    return RedactedBytes(value)


def read_ssh(ssh: Mapping[str, str | os.PathLike[str] | None] | None) -> dict[str, str | None]:
    """Return the socket paths of ssh agents by mount id.

    Raises:
        TypeError: `ssh` is not a mapping to paths or None.
    """
    if not isinstance(ssh, Mapping | None):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"ssh must be a mapping from ids to sockets, not {type(ssh).__name__}")
    return {name: _agent(name, path) for name, path in (ssh or {}).items()}


def read_output(output: Output | None) -> Output | None:
    """Return a destination; raise TypeError for anything else."""
    if output is None or isinstance(output, str | os.PathLike | Tar):  # pyright: ignore[reportUnnecessaryIsInstance]
        return output
    raise TypeError(f"output must be the path of a directory or a Tar, not {type(output).__name__}")


def _agent(name: str, path: str | os.PathLike[str] | None) -> str | None:
    if isinstance(path, str | os.PathLike):
        return os.fspath(path)
    if path is None:
        return None
    raise TypeError(f"ssh[{name!r}] must be a path or None, not {type(path).__name__}")


def _secret(name: str, secret: SecretLike) -> Secret:
    if isinstance(secret, Secret):
        return secret
    if isinstance(secret, bytes):
        return Secret(value=check_secret(name, secret))
    if isinstance(secret, os.PathLike):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        return Secret.from_file(secret)
    raise TypeError(
        f"secrets[{name!r}] must be a Secret, bytes or a path object, not {type(secret).__name__}"
    )
