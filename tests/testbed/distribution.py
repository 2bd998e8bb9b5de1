"""Check the wheel and the sdist, and run README's first program with the wheel on each Python.

    python -m tests.testbed.distribution dist 3.11 3.14

`make dist` runs this. The environments contain the wheel, its dependencies, and nothing else.
"""

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from .base_image import busybox_layer, import_layer
from .dockerd import Dockerd
from .pythons import DOWNLOAD, ROOT, Python

PROGRAM: Final = re.compile(r"^```python program\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXTRA: Final = "rich"
"""Extra that README names for its first program."""


def modules() -> set[str]:
    """Return the files that the wheel must contain: the modules of all packages, and their py.typed."""
    packages = [ROOT / "dockerproto", *(ROOT / "transports").glob("dockerproto_*")]
    return {
        str(path.relative_to(package.parent))
        for package in packages
        for path in (*package.rglob("*.py"), package / "py.typed")
    }


def missing(directory: Path) -> list[str]:
    """Return what is missing in the wheel or the sdist, or does not belong into the wheel."""
    (wheel,), (sdist,) = directory.glob("*.whl"), directory.glob("*.tar.gz")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    with tarfile.open(sdist) as archive:
        source = {name.partition("/")[2] for name in archive.getnames()}
    needed = {"LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml", "tests/conftest.py", "docs/index.md"}
    return [
        *(f"wheel: {name}" for name in sorted(modules() ^ packed)),
        *(f"sdist: {name}" for name in sorted(needed - source)),
    ]


def run_program(python: Python, wheel: Path, engine: Dockerd) -> None:
    """Install the wheel in a new environment, and run README's first program."""
    wheels, work = python.directory / "wheels", python.directory / "work"
    work.mkdir()
    program = PROGRAM.findall((ROOT / "README.md").read_text())[0]
    (work / "program.py").write_text(program)
    options = ("--python-version", python.version, "--dest", str(wheels), f"{wheel}[{EXTRA}]")
    subprocess.run((sys.executable, *DOWNLOAD, *options), check=True)
    python.run(f"python{python.version}", "-m", "venv", str(python.directory / "venv"))
    offline = ("--isolated", "install", "--quiet", "--no-index", "--find-links", str(wheels))
    python.run(python.program, "-m", "pip", *offline, f"dockerproto[{EXTRA}]")
    place = ("env", f"--chdir={work}", f"DOCKER_HOST={engine.url}")
    python.run(*place, python.program, "-W", "error", "program.py", sees=(engine.socket.parent,))


def main(dist: str, versions: list[str]) -> int:
    """Check the contents, then each Python; return 1 if anything failed."""
    problems = missing(Path(dist))
    print(f"contents: {problems or 'complete'}")
    (wheel,) = Path(dist).resolve().glob("*.whl")
    with TemporaryDirectory(prefix="dockerproto-", dir="/tmp") as directory:
        (Path(directory) / "engine").mkdir()
        with Dockerd(Path(directory) / "engine") as engine:
            import_layer(engine.socket, "busybox", busybox_layer())
            for version in versions:
                python = Python(version, Path(directory) / version)
                python.directory.mkdir()
                if reason := python.unavailable():
                    print(f"Python {version}: not run: {reason}")
                    continue
                print(f"Python {version}:", flush=True)
                run_program(python, wheel, engine)
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
