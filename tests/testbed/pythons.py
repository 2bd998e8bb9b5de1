"""Run the tests on other Pythons: those that need no engine, and those of TLS, ssh and forks with an engine.

    python -m tests.testbed.pythons 3.11 3.14

A Python comes from a Debian tree, if one has it, else from this machine. In a tree, the tests, their engine
and their ssh server run as on a machine with that release. Each Python has a new virtual environment. Its
packages are downloaded by the pip of the Python that runs this, as a tree has neither the configuration of
pip nor the certificates of this machine.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from .dockerd import Dockerd
from .engines import Docker26, Docker28
from .processes import environment

ROOT: Final = Path(__file__).parents[2]
ENGINES: Final[dict[str, type[Dockerd]]] = {"3.13": Docker26, "3.14": Docker28}
"""Engines whose trees have a Python, by its version."""
_BUILD_BACKEND: Final = ("hatchling", "editables")
DOWNLOAD: Final = ("-m", "pip", "download", "-qq", "--only-binary=:all:")
_INSTALL: Final = ("-m", "pip", "--isolated", "install", "--quiet", "--no-index", "--no-deps")
_PYTEST: Final = ("-m", "pytest", "--numprocesses=auto", "--dist=loadfile", "-p", "no:cacheprovider")
_TESTS: Final = ("-m", "not engine or pythons")


@dataclass(frozen=True)
class Python:
    """A Python of some version, with a directory for its packages and its virtual environment."""

    version: str
    directory: Path

    @property
    def engine(self) -> type[Dockerd]:
        """The engine to test with: that of the tree, if this Python is in one."""
        return ENGINES.get(self.version, Dockerd)

    def unavailable(self) -> str | None:
        """Return the reason if it cannot be started here, else None."""
        if self.engine.tree:
            return self.engine.tree.available()
        try:
            self.run(f"python{self.version}", "-c", "import ensurepip, venv")
        except (OSError, subprocess.CalledProcessError):
            return f"python{self.version} is not installed, or lacks venv"
        return None

    def prepare(self) -> None:
        """Create the virtual environment, with this project and what its tests need."""
        wheels = self.directory / "wheels"
        needed = ("--group=dev", ".", *_BUILD_BACKEND)
        destination = ("--python-version", self.version, "--dest", str(wheels))
        subprocess.run((sys.executable, *DOWNLOAD, *destination, *needed), cwd=ROOT, check=True)
        self.run(f"python{self.version}", "-m", "venv", str(self.directory / "venv"))
        self.run(self.program, *_INSTALL, *map(str, wheels.iterdir()))
        self.run(self.program, *_INSTALL, "--no-build-isolation", "--editable", str(ROOT))

    def test(self, *options: str) -> None:
        """Run the tests."""
        self.run(self.program, *_PYTEST, *_TESTS, f"--engine={self.engine.name}", *options)

    @property
    def program(self) -> str:
        """The path of the Python of the virtual environment."""
        return str(self.directory / "venv/bin/python")

    def run(self, *command: str, sees: tuple[Path, ...] = ()) -> None:
        """Run a command where this Python is, in the root of this project; it sees more directories."""
        if tree := self.engine.tree:
            inside = ("env", f"--chdir={ROOT}", *command)
            command = tree.command(
                *inside, directories=":".join(map(str, (ROOT, self.directory.parent, *sees)))
            )
        variables = {**environment(), "PYENV_VERSION": self.version}  # for a `python3.12` of pyenv
        subprocess.run(command, cwd=ROOT, env=variables, check=True)


def main(versions: list[str]) -> int:
    """Test each version; return 1 if one failed, or was unavailable though a tree has it."""
    with TemporaryDirectory(prefix="dockerproto-", dir="/tmp") as directory:
        summary = Path(directory) / "summary"
        summary.touch()
        failed = [version for version in versions if not _passes(version, summary)]
        print(summary.read_text(), end="")
    if failed:
        print(f"failed on: {' '.join(failed)}")
    return bool(failed)


def _passes(version: str, summary: Path) -> bool:
    """Test a version; a line is appended to the summary."""
    print(f"== Python {version}", flush=True)
    python = Python(version, summary.parent / version)
    python.directory.mkdir()
    if reason := python.unavailable():
        with summary.open("a") as lines:
            lines.write(f"Python {version}: not run: {reason}\n")
        return python.engine.tree is None
    try:
        python.prepare()
        python.test(f"--summary={summary}")
    except subprocess.CalledProcessError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
