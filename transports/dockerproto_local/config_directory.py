"""The directory of the Docker CLI's configuration: config.json and Docker contexts.

Everything here blocks.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from dockerproto.caller import warn_caller
from dockerproto.config.config_file import CONFIG_FILE, ConfigFile, invalid_config_file, parse_config_file
from dockerproto.endpoint.contexts import TLS_FILES, meta_path, tls_path
from dockerproto.errors import ContextError
from dockerproto_local.small_files import read_regular

_Version: TypeAlias = tuple[int, ...]


class ConfigDirectory:
    """``$DOCKER_CONFIG``, by default ``~/.docker``.

    config.json is read once, and again only after it has changed, so that a later ``docker login`` counts.

    Args:
        environment: The environment variables: ``os.environ``, or a mapping in its place.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment: Mapping[str, str] = environment
        """The environment variables."""
        self._last: tuple[Path, _Version, ConfigFile] | None = None
        self._warned = set[str]()

    @property
    def home(self) -> str:
        """The home directory."""
        return self.environment.get("HOME") or _home()

    @property
    def path(self) -> str:
        """Path of the directory."""
        return self.environment.get("DOCKER_CONFIG") or str(Path(self.home, ".docker"))

    @property
    def file(self) -> Path:
        """Path of config.json."""
        return Path(self.path, CONFIG_FILE)

    def config(self) -> ConfigFile:
        """Return config.json; a missing file is empty, and one that cannot be read has a problem."""
        path = self.file
        version = _version(path)
        if self._last is not None and self._last[:2] == (path, version):
            return self._last[2]
        config = _read(path)
        self._last = path, version, config
        return config

    def warn(self, problem: str) -> None:
        """Warn the program that a part of config.json is not used; repeating it has no effect."""
        if problem and problem not in self._warned:
            self._warned.add(problem)
            warn_caller(f"{self.path}/{CONFIG_FILE} was ignored: {problem}")

    def context(self, name: str) -> tuple[bytes | None, list[str] | None]:
        """Return a context's meta.json and which `TLS_FILES` it has, each None if it does not exist.

        Raises:
            ContextError: They cannot be read.
        """
        tls = Path(self.path, tls_path(name))
        try:
            meta = _content(Path(self.path, meta_path(name)))
            return meta, [each for each in TLS_FILES if _is_file(tls / each)] if tls.is_dir() else None
        except OSError as error:
            raise ContextError(0, f"the context {name!r} cannot be read: {error}") from error


def _read(path: Path) -> ConfigFile:
    try:
        return parse_config_file(_content(path) or b"", str(path))
    except OSError as error:
        return invalid_config_file(f"it cannot be read: {error.strerror}", str(path))


def _version(path: Path) -> _Version:
    """Return numbers that differ after a change of a file; a missing file has none.

    ``docker login`` replaces the file, so its inode differs even where the file system's clock is coarse.
    """
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _content(path: Path) -> bytes | None:
    try:
        return read_regular(str(path))
    except (FileNotFoundError, NotADirectoryError):
        return None


def _is_file(path: Path) -> bool:
    """Return True if a file of any kind is at a path, or a broken symlink, which must not be ignored."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return not path.is_dir()


def _home() -> str:
    """Return the home directory in the system's user database, for programs without HOME."""
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return ""
