"""Where ``docker login`` leaves credentials: config.json, ``DOCKER_AUTH_CONFIG``, credential helpers.

It blocks; async clients call it in worker threads. It is read anew each time, so that a login that
another program makes is seen.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dockerproto.credentials.config_file import (
    DockerConfig,
    credentials_of,
    helper_of,
    look_up,
    read_config,
    with_credentials,
)
from dockerproto.credentials.credentials import Credentials
from dockerproto.credentials.helper import CredentialHelper
from dockerproto.errors import CredentialsError

VARIABLE: Final = "DOCKER_AUTH_CONFIG"


class StoredCredentials:
    """The credentials that the docker command has stored on this machine, and uses.

    These are those of ``DOCKER_AUTH_CONFIG``, else of ``$DOCKER_CONFIG/config.json``, by default
    ``~/.docker/config.json``, and of the credential helpers that it names.

    Args:
        environment: The environment, ``os.environ`` or a mapping in place of it.
        limit: How many seconds a credential helper may take.
    """

    def __init__(self, environment: Mapping[str, str], *, limit: float = 60) -> None:
        self._environment: Final = environment
        self._limit: Final = limit

    def __repr__(self) -> str:
        return "<the credentials that docker login has stored>"

    def get(self, registry: str, /) -> Credentials | None:
        """Return the credentials of a registry, None if there are none.

        Raises:
            CredentialsError: What is said of the registry cannot be read, or its helper fails.
        """
        if (found := credentials_of(self._variable(), registry)) is not None:
            return found
        place = look_up(self._file(), registry)
        if not isinstance(place, CredentialHelper):
            return place
        return place.answer(*self._run(place, "get", place.question()))

    def configured(self) -> bool:
        """Return whether there may be credentials of any registry; what cannot be read may have some."""
        try:
            return not (self._variable().empty and self._file().empty)
        except CredentialsError:
            return True

    def store(self, registry: str, credentials: Credentials, /) -> None:
        """Store the credentials of a registry, with its helper or in config.json.

        Raises:
            CredentialsError: They cannot be stored.
        """
        config = self._file()
        if (helper := helper_of(config, registry)) is not None:
            helper.check_stored(*self._run(helper, "store", helper.order(credentials)), credentials)
        text = with_credentials(config, registry, credentials, elsewhere=helper is not None)
        try:
            _replace(self._path(), text)
        except OSError as error:
            raise CredentialsError(0, f"{config.where} cannot be written: {error.strerror}") from error

    def _variable(self) -> DockerConfig:
        return read_config(os.fsencode(self._environment.get(VARIABLE, "")), VARIABLE)

    def _path(self) -> Path:
        home = self._environment.get("HOME") or os.path.expanduser("~")  # noqa: PTH111  # never raises
        directory = self._environment.get("DOCKER_CONFIG") or Path(home, ".docker")
        return Path(directory, "config.json")

    def _file(self) -> DockerConfig:
        path = self._path()
        try:
            return read_config(path.read_bytes(), str(path))
        except (FileNotFoundError, NotADirectoryError):
            return DockerConfig(str(path))
        except OSError as error:
            raise CredentialsError(0, f"{path} cannot be read: {error.strerror}") from error

    def _run(self, helper: CredentialHelper, action: str, told: bytes) -> tuple[int, bytes]:
        """Run a helper, and return its exit status and what it said. Its standard error is nobody's."""
        from shutil import which  # noqa: PLC0415  # loaded when it is needed, as is `mkstemp`

        program = which(helper.program, path=self._environment.get("PATH"))
        if program is None:
            raise helper.error("there is no such program on the PATH")
        try:
            done = subprocess.run(  # noqa: S603  # what config.json names is what is to be run
                [program, action],
                input=told,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=self._limit,
                check=False,
            )
        except OSError as error:
            raise helper.error(f"it cannot be run: {error.strerror}") from error
        except subprocess.TimeoutExpired:
            done = None
        if done is None:  # not raised above: that exception has what the helper had said
            raise helper.error(f"it did not answer within {self._limit:g} s")
        return done.returncode, done.stdout


def _replace(path: Path, text: bytes) -> None:
    """Replace a file, or what a symlink points to, at once: a reader sees the old one or the new one."""
    from tempfile import mkstemp  # noqa: PLC0415

    target = Path(os.path.realpath(path))
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = mkstemp(prefix=f"{target.name}.", dir=target.parent)  # its mode is 0600
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123  # a path has no open for descriptors
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink()
        raise
