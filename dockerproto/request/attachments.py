"""What a build offers to the engine in its session, as data: nothing is read before it is sent."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final, Self, TypeAlias

from msgspec import Struct, field

from dockerproto.errors import BadRequest
from dockerproto.redacted import Redacted

SECRET_LIMIT: Final = 500 * 2**10
"""The longest secret in bytes, the same as the docker command's."""
BUILDKIT_VARIABLE: Final = "DOCKER_BUILDKIT"
"""The variable that chooses the builder, for the docker command too."""
AGENT_VARIABLE: Final = "SSH_AUTH_SOCK"
"""The variable that tells where the ssh agent of the environment listens."""


class Secret(Redacted, frozen=True, kw_only=True):
    """A secret of a build; its value is in no repr.

    >>> Secret.from_env("TOKEN")
    Secret(variable='TOKEN', path=None)
    """

    _hidden = ("value",)

    value: bytes | None = None
    """The secret itself."""
    variable: str | None = None
    """The environment variable that has it; one that is not set is no secret."""
    path: str | None = None
    """The file that has it."""

    @classmethod
    def from_env(cls, variable: str) -> Self:
        """Return the secret that an environment variable has when the build begins."""
        return cls(variable=variable)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """Return the secret that a file has when the build begins; ``~`` is a home directory."""
        return cls(path=os.fspath(path))


SecretLike: TypeAlias = Secret | bytes | os.PathLike[str]
"""A `Secret`; bytes, the secret itself; or the path of a file, as an object: a str could be either."""


class Tar(Struct, frozen=True):
    """An output that is one file, a tar; as an output, a path alone is that of a directory."""

    path: str | os.PathLike[str]
    """The file, which is replaced when all of the tar is there."""


Output: TypeAlias = str | os.PathLike[str] | Tar
"""Where what a build has made is written to: a directory, or a `Tar`."""


class BuildAttachments(Struct, frozen=True, kw_only=True):
    """What the engine may ask for while it builds, beside the context, which is in the request."""

    secrets: Mapping[str, Secret] = field(default_factory=dict[str, Secret])
    """Secrets by id."""
    ssh: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    """Sockets of ssh agents by id; None is that of the environment."""
    output: Output | None = None
    """Where the output is written to; None: it is an image, in the engine."""

    anonymous: bool = False
    """Whether no credentials of registries are looked up."""

    @property
    def asked(self) -> str | None:
        """The argument that asks for BuildKit, if there is one."""
        return next((name for name in ("secrets", "ssh", "output") if getattr(self, name)), None)


_BOOLEANS: Final = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}


def wants_buildkit(said: str) -> bool:
    """Read the variable that chooses the builder.

    Raises:
        BadRequest: It is no boolean, as the docker command knows them.
    """
    if said not in _BOOLEANS:
        raise BadRequest(0, f"{BUILDKIT_VARIABLE} is 1 or 0, not {said!r}")
    return _BOOLEANS[said]


def read_secrets(secrets: Mapping[str, SecretLike] | None) -> dict[str, Secret]:
    """Read secrets in any of their forms.

    Raises:
        TypeError: One is of no such form.
        ValueError: One is too long.
    """
    if not isinstance(secrets, Mapping | None):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"secrets is a mapping, not {type(secrets).__name__}")
    return {name: _secret(name, secret) for name, secret in (secrets or {}).items()}


def check_secret(name: str, value: bytes) -> bytes:
    """Return a secret; raise ValueError if it is too long."""
    if len(value) > SECRET_LIMIT:
        raise ValueError(f"secret {name!r} is longer than {SECRET_LIMIT} bytes")
    return value


def read_ssh(ssh: Mapping[str, str | os.PathLike[str] | None] | None) -> dict[str, str | None]:
    """Read the sockets of ssh agents by id.

    Raises:
        TypeError: They are no such mapping.
    """
    if not isinstance(ssh, Mapping | None):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"ssh is a mapping from ids to sockets, not {type(ssh).__name__}")
    return {name: _agent(name, path) for name, path in (ssh or {}).items()}


def read_output(output: Output | None) -> Output | None:
    """Return where an output is written to; raise TypeError for what is no such place."""
    if output is None or isinstance(output, str | os.PathLike | Tar):  # pyright: ignore[reportUnnecessaryIsInstance]
        return output
    raise TypeError(f"output is the path of a directory or a Tar, not {type(output).__name__}")


def _agent(name: str, path: str | os.PathLike[str] | None) -> str | None:
    if isinstance(path, str | os.PathLike):
        return os.fspath(path)
    if path is None:
        return None
    raise TypeError(f"ssh[{name!r}] is a path or None, not {type(path).__name__}")


def _secret(name: str, secret: SecretLike) -> Secret:
    if isinstance(secret, Secret):
        return secret
    if isinstance(secret, bytes):
        return Secret(value=check_secret(name, secret))
    if isinstance(secret, os.PathLike):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        return Secret.from_file(secret)
    raise TypeError(f"secrets[{name!r}] is a Secret, bytes or a path object, not {type(secret).__name__}")
