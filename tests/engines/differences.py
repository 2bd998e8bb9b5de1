"""The table of all differences between engines that the tests see.

Docker 20.10 is what the tests are written after. A test that meets another engine's difference asks for it
by name, and expects what that engine does instead; `pytest.mark.differs` is for a test that has to fail
there. A difference that no test asks for fails tests/engines/test_differences.py.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from tests.testbed.engines import (
    Docker26,
    Docker26Containerd,
    Docker28,
    Docker28Containerd,
    Podman54,
    Podman58,
    Podman61,
)
from tests.testbed.podman import Podman
from tests.testbed.private import PrivateEngine

_PODMAN_4: Final = (Podman,)
_PODMAN_TO_5: Final = (*_PODMAN_4, Podman54, Podman58)
_PODMAN: Final = (*_PODMAN_TO_5, Podman61)
_CONTAINERD_26: Final = (Docker26Containerd,)
_CONTAINERD: Final = (*_CONTAINERD_26, Docker28Containerd)
_DOCKER_28: Final = (Docker28, Docker28Containerd)
_TREES: Final = (Docker26, Docker28, *_CONTAINERD)


class Difference(Enum):
    """A difference: the engines that have it, and what it is."""

    # Images and their names
    FULL_NAMES = _PODMAN, "names are shown in full, with docker.io and library"
    FILTER_KEEPS_NAMES = _PODMAN, "an image that the filter `reference` finds is listed with all its names"
    FILTERS_OF_ONE_VALUE = (
        _PODMAN,
        "several values of a filter are alternatives or nothing, so they are refused",
    )
    ID_IS_OF_MANIFEST = _CONTAINERD, "the id of an image is the digest of its manifest"
    PRUNE_OF_DANGLING_ONLY = _PODMAN_4, "images with a name are not pruned: 500"
    NO_BUILD_CACHE = _PODMAN, "pruning the build cache is unsupported, because none exists"

    # Builds
    BUILDER_IN_LABELS = _PODMAN, "the builder adds its version to the labels"
    BARE_QUIET_ID = _PODMAN, "a quiet build says the id without `sha256:`, and with a line end"
    FAILING_STEP_IN_GO = _PODMAN, "a failing step says `exit status 3`; the number is in the text only"
    REMOTE_IGNORED = _PODMAN, "a remote context is not fetched, so it is refused"
    SQUASH_ALWAYS = _PODMAN, "`squash` needs no experimental engine"
    BUILDS_GO_ON = _PODMAN, "a build goes on when its connection is closed"

    BUILDKIT_BY_DEFAULT = _TREES, "BuildKit is the builder that is recommended"
    NO_BUILDKIT = _PODMAN, "there is no BuildKit; a request for it gets Podman's own builder"
    NAMES_IN_UTF8 = _DOCKER_28, "BuildKit accepts only names of files that are UTF-8"
    BUILDKIT_WITHOUT_TAR = _CONTAINERD_26, "BuildKit does not take the context as a tar"

    # Archives
    LOAD_WITHOUT_LINE_END = _PODMAN, "`Loaded image:` has no line end"
    LOAD_OF_PLAIN_TAR = _PODMAN_4, "a compressed archive is refused"
    LOAD_WITHOUT_PROGRESS = (*_CONTAINERD, *_PODMAN), "a load says nothing of its layers"
    IMPORT_SAYS_ID_TWICE = _PODMAN, "the message of an import has the id as `id` too, and an empty progress"
    IMPORT_WITHOUT_CHANGE_VERB = _PODMAN, "a change that is impossible is an `invalid change`"

    # Registries
    PUSH_WITHOUT_AUX = (*_CONTAINERD, *_PODMAN_TO_5), "a push says the digest in its last status only"
    PULL_OF_LAYERS_ONLY = _PODMAN, "a pull reports layers only, neither a digest nor a final status"
    PULL_WITHOUT_UNPACKING = (
        _CONTAINERD,
        "a pull says of a layer that it is downloaded, but not that it is unpacked",
    )
    ONE_TAG_AT_A_TIME = _PODMAN, "all tags would mean `latest`, so they are refused"
    DISTRIBUTION_WITHOUT_PLATFORM = (
        _CONTAINERD,
        "what it pushes has an OCI manifest, of which no platform is told",
    )
    LOGIN_OVER_TLS = _PODMAN, "a login is tried over TLS only, but at localhost: 500"
    SEARCH_OF_CATALOGUE = (
        _PODMAN,
        "a registry without a search is searched by its catalogue, with keys of its own",
    )
    NO_DISTRIBUTION = _PODMAN, "a registry cannot be asked for an image, so it is refused"

    def __init__(self, engines: tuple[type[PrivateEngine], ...], reason: str) -> None:
        self.engines: Final = tuple(engine.name for engine in engines)
        self.reason: Final = reason

    def on(self, engine: PrivateEngine) -> bool:
        """Return whether an engine has it."""
        return engine.name in self.engines
