"""The credentials that ``docker login`` has stored, in config.json and in credential helpers.

Everything here blocks; async clients call it in worker threads.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from copy import copy
from pathlib import Path
from typing import Final, Self

from dockerproto.config.config_file import ConfigFile, parse_config_file
from dockerproto.credentials.credentials import Credentials
from dockerproto.credentials.helper import CredentialHelper
from dockerproto.credentials.source import Finding
from dockerproto.credentials.stored import (
    credentials_of,
    helper_of,
    may_have_credentials,
    with_credentials,
    without_credentials,
)
from dockerproto.errors import CredentialsError
from dockerproto_local.config_directory import ConfigDirectory
from dockerproto_local.programs import OUTPUT_LIMIT, TooMuchOutput, run_program
from dockerproto_local.small_files import check_size, regular_mode

VARIABLE: Final = "DOCKER_AUTH_CONFIG"


class StoredCredentials:
    """The credentials that the Docker CLI has stored on this machine, and uses.

    They come from ``DOCKER_AUTH_CONFIG``, or else from ``$DOCKER_CONFIG/config.json``, by default
    ``~/.docker/config.json``, and from the credential helpers named there. Helpers run for each lookup;
    config.json is read again if it has changed, so that a later ``docker login`` counts.

    Args:
        environment: The environment variables: ``os.environ``, or a mapping in its place.
        limit: Limit of a credential helper's run time, in seconds.
    """

    def __init__(self, environment: Mapping[str, str], *, limit: float = 60) -> None:
        self._environment: Final = environment
        self._limit = limit
        self._directory = ConfigDirectory(environment)

    def __repr__(self) -> str:
        return "<the credentials that docker login has stored>"

    def within(self, seconds: float, /) -> Self:
        """Return the same credentials for a call with so much time left: no helper runs longer."""
        limited = copy(self)  # which shares what is known of config.json
        limited._limit = min(seconds, self._limit)  # noqa: SLF001  # of its own copy
        return limited

    def get(self, registry: str, /) -> Credentials | None:
        """Return the credentials of a registry, None if it has none.

        Raises:
            CredentialsError: The part of a file that concerns the registry is malformed, or its helper fails.
        """
        finding = self.get_with_failure(registry)
        if finding.failure is not None:
            raise finding.failure
        return finding.credentials

    def get_with_failure(self, registry: str, /) -> Finding:
        """Return the credentials of a registry; those in config.json itself if its helper fails.

        Clients use this: as with the Docker CLI, a missing helper does not prevent access to public images.

        Raises:
            CredentialsError: The part of a file that concerns the registry is malformed.
        """
        if (found := credentials_of(self._variable(), registry)) is not None:
            return Finding(found)
        config = self._directory.config()
        failure: CredentialsError | None = None
        try:
            if (helper := helper_of(config, registry)) is not None:
                return Finding(helper.parse_output(*self._run(helper, "get", helper.get_input())))
        except CredentialsError as error:
            failure = error
        return Finding(credentials_of(config, registry), failure)

    def configured(self) -> bool:
        """Return False if there are certainly no credentials of any registry."""
        return may_have_credentials(self._variable()) or may_have_credentials(self._directory.config())

    def store(self, registry: str, credentials: Credentials, /) -> None:
        """Store the credentials of a registry, with its helper or in config.json.

        Raises:
            CredentialsError: They cannot be stored.
        """
        config = self._directory.config()
        if (helper := helper_of(config, registry)) is not None:
            helper.check_stored(*self._run(helper, "store", helper.store_input(credentials)), credentials)
        self._write(config, with_credentials(config, registry, credentials, elsewhere=helper is not None))

    def erase(self, registry: str, /) -> bool:
        """Remove the credentials of a registry from its helper and from config.json.

        Returns:
            True if config.json had an entry, as it has after each ``docker login``.

        Raises:
            CredentialsError: They cannot be removed.
        """
        config = self._directory.config()
        if (helper := helper_of(config, registry)) is not None:
            helper.check_erased(*self._run(helper, "erase", helper.get_input()))
        text = without_credentials(config, registry)
        if text is not None:
            self._write(config, text)
        return text is not None

    def _write(self, config: ConfigFile, text: bytes) -> None:
        try:
            _replace(self._directory.file, text)
        except OSError as error:
            raise CredentialsError(0, f"{config.where} cannot be written: {error.strerror}") from error

    def _variable(self) -> ConfigFile:
        return parse_config_file(os.fsencode(self._environment.get(VARIABLE, "")), VARIABLE)

    def _run(self, helper: CredentialHelper, action: str, request: bytes) -> tuple[int, bytes]:
        """Run a helper, and return its exit status and output. Its standard error is discarded."""
        from shutil import which  # noqa: PLC0415  # loaded when it is needed, as is `mkstemp`

        program = which(helper.program, path=self._environment.get("PATH"))
        if program is None:
            raise helper.error("no such program on the PATH")
        try:
            return run_program([program, action], request, self._limit)
        except TimeoutError as error:
            raise helper.error(f"no answer within {self._limit:g} s") from error
        except OSError as error:
            raise helper.error(f"cannot run it: {error.strerror}") from error
        except TooMuchOutput as error:
            raise helper.error(f"it printed more than {OUTPUT_LIMIT} bytes") from error


class SharedCredentials(StoredCredentials):
    """The credentials of a directory whose config.json has been read already."""

    def __init__(self, directory: ConfigDirectory) -> None:
        super().__init__(directory.environment)
        self._directory = directory


def _replace(path: Path, text: bytes) -> None:
    """Replace a file, or the target of a symlink, atomically: a reader sees the old one or the new one."""
    from tempfile import mkstemp  # noqa: PLC0415

    target = Path(os.path.realpath(path))
    regular_mode(target)
    check_size(len(text), str(path))
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
