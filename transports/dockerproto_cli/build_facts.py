"""Write facts about the result of a build to files, for ``--iidfile`` and ``--metadata-file``."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path
from typing import Any, Final

from dockerproto import BuildResult, Image, to_json
from dockerproto.docker import BlockingDocker
from dockerproto.request.attachments import BUILDKIT_VARIABLE, parse_buildkit_variable

_DIGEST: Final = "containerimage.digest"
_CONFIG_DIGEST: Final = "containerimage.config.digest"


def with_facts(options: dict[str, Any], arguments: Namespace, docker: BlockingDocker) -> dict[str, Any]:
    """Return options of a build by which the engine reports the facts to write, if it can.

    Only BuildKit's Control API reports them, so a build for ``--metadata-file`` always uses it; one for
    ``--iidfile`` does unless the classic builder is chosen or recommended, which reports the id itself.
    """
    if "output" in options or options["outputs"] is not None:
        return options
    if arguments.metadata_file is None and (arguments.iidfile is None or not _buildkit(arguments, docker)):
        return options
    return {**options, "outputs": Image()}


def write_facts(built: BuildResult, arguments: Namespace) -> None:
    """Write the files that the options name."""
    metadata = _metadata(built)
    if arguments.metadata_file is not None:
        Path(arguments.metadata_file).write_bytes(to_json(metadata))
    if arguments.iidfile is not None:
        Path(arguments.iidfile).write_text(metadata.get(_CONFIG_DIGEST) or built.image or "")


def _metadata(built: BuildResult) -> dict[str, Any]:
    """Return the engine's facts; after the engine's own push, the digest is that in the registry."""
    metadata = {**built.metadata}
    if built.pushed and built.descriptor is None:
        metadata.setdefault(_CONFIG_DIGEST, built.image)
        metadata[_DIGEST] = built.pushed[0].digest
    return metadata


def _buildkit(arguments: Namespace, docker: BlockingDocker) -> bool:
    """Return True if the build is one for BuildKit, by the rules of the library."""
    builder: str | None = arguments.builder
    if builder is not None:
        return builder == "buildkit"
    if variable := os.environ.get(BUILDKIT_VARIABLE):
        return parse_buildkit_variable(variable)
    return docker.ping().recommends_buildkit
