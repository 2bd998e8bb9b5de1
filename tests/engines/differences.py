"""The table of all differences between engines that the tests see; the documentation is made of it too.

Docker 20.10 is what the tests are written after. A test that meets another engine's difference asks for it
by name, and expects what that engine does instead; `pytest.mark.differs` is for a test that has to fail
there. A difference that no test asks for fails tests/engines/test_differences.py. The pages "What works
where" and "Podman" show the table: see docs/engines.py.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from tests.testbed.dockerd import Dockerd
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


class Engines(NamedTuple):
    """Engines that have a difference in common, and their name in the documentation."""

    title: str
    kinds: tuple[type[PrivateEngine], ...]


_DOCKER_20: Final = Engines("Docker 20.10", (Dockerd,))
_DOCKER_26: Final = Engines("Docker 26.1", (Docker26,))
_DOCKER_28: Final = Engines("Docker 28.5", (Docker28, Docker28Containerd))
_OVERLAY_28: Final = Engines("Docker 28.5 without the containerd image store", (Docker28,))
_CONTAINERD_26: Final = Engines("Docker 26.1 with the containerd image store", (Docker26Containerd,))
_CONTAINERD: Final = Engines(
    "Docker with the containerd image store", (Docker26Containerd, Docker28Containerd)
)
_GRAPH_DRIVER: Final = Engines("Docker without the containerd image store", (Dockerd, Docker26, Docker28))
_NEWER_DOCKER: Final = Engines("Docker 26.1 and 28.5", (Docker26, Docker28, *_CONTAINERD.kinds))
_DOCKER_TO_26: Final = Engines("Docker before 28.5", (Dockerd, Docker26, Docker26Containerd))
_PODMAN: Final = Engines("Podman", (Podman, Podman54, Podman58, Podman61))
_PODMAN_4: Final = Engines("Podman 4.3", (Podman,))
_PODMAN_TO_5: Final = Engines("Podman before 6.1", (Podman, Podman54, Podman58))
_NEWER_PODMAN: Final = Engines("Podman from 5.4 on", (Podman54, Podman58, Podman61))


class Topic(Enum):
    """Subjects of differences."""

    IMAGES = "Images and names"
    BUILDS = "Builds"
    ARCHIVES = "Archives"
    REGISTRIES = "Registries"


class Difference(Enum):
    """A difference: its topic, the engines that have it, a description, and the feature that these lack."""

    FULL_NAMES = (
        Topic.IMAGES,
        (_PODMAN,),
        "Responses show full names, `docker.io/library/busybox:latest`; arguments may have either form.",
    )
    BARE_IDS = (
        Topic.IMAGES,
        (_PODMAN,),
        "`history`, `delete` and `prune` return ids without `sha256:`; arguments may have either form.",
    )
    FILTER_KEEPS_NAMES = (
        Topic.IMAGES,
        (_PODMAN,),
        "`list` with the filter `reference` shows all names of the matching images.",
    )
    FILTERS_OF_ONE_VALUE = (
        Topic.IMAGES,
        (_PODMAN_4,),
        (
            "`list` would find nothing, and `prune` would delete images with any of the labels, not all of "
            "them. So several values of a filter, and `label` together with `label!`, raise "
            "`UnsupportedEngine`."
        ),
        "filters with several values",
    )
    ID_IS_OF_MANIFEST = (
        Topic.IMAGES,
        (_CONTAINERD,),
        "The id of an image is the digest of its manifest or index.",
    )
    PRUNE_OF_DANGLING_ONLY = (
        Topic.IMAGES,
        (_PODMAN_4,),
        '`prune` with `filters={"dangling": False}` raises `ServerError`.',
        "`prune` of images with a name",
    )
    PRUNE_WITHOUT_NAMES = (
        Topic.IMAGES,
        (_NEWER_PODMAN,),
        "`prune` reports the ids of the images that it deleted, but not their names.",
    )
    NO_BUILD_CACHE = (
        Topic.IMAGES,
        (_PODMAN,),
        "The engine has no build cache to prune: `prune_builds` raises `UnsupportedEngine`.",
        "`prune_builds`",
    )

    BUILDKIT_BY_DEFAULT = (
        Topic.BUILDS,
        (_NEWER_DOCKER,),
        "The default builder is BuildKit; on other engines it is the classic one.",
    )
    NO_BUILDKIT = (
        Topic.BUILDS,
        (_PODMAN,),
        (
            "The engine lacks BuildKit, and would silently use its own builder. So `build` with "
            '`builder="buildkit"`, `secrets`, `ssh` or `output` raises `UnsupportedEngine`. '
            "`DOCKER_BUILDKIT=1` in the environment selects BuildKit too, unless you pass "
            '`builder="classic"`.'
        ),
        "BuildKit: secrets, ssh agents, outputs",
    )
    NO_STORE_OF_CONTAINERD = (
        Topic.BUILDS,
        (_GRAPH_DRIVER,),
        (
            "BuildKit exports only inline caches, and builds an image for one platform. It would silently "
            "not annotate it. So these raise `UnsupportedEngine`. The engine itself pushes, after the build."
        ),
        "registry caches, images for several platforms, and annotations",
    )
    NO_NAMED_CONTEXTS = (
        Topic.BUILDS,
        (_DOCKER_20,),
        (
            "BuildKit would pull an image in place of a named context, and write only the first of several "
            "outputs. So `contexts`, several `outputs` and `provenance` raise `UnsupportedVersion`."
        ),
        "named contexts and several outputs with BuildKit",
    )
    NO_OUTLINES = (
        Topic.BUILDS,
        (_DOCKER_20,),
        "BuildKit would build rather than reply, so `outline` and `targets` raise `UnsupportedVersion`.",
        "`outline` and `targets` of BuildKit",
    )
    NO_BUILD_HISTORY = (
        Topic.BUILDS,
        (_DOCKER_20,),
        (
            "BuildKit knows neither the builds that it did nor its own version, so `buildkit.history` and "
            "`buildkit.info` raise `UnsupportedEngine`."
        ),
        "`history` and `info` of BuildKit",
    )
    NO_CHECKS = (
        Topic.BUILDS,
        (_DOCKER_TO_26,),
        (
            "BuildKit has no checks: `check` raises `UnsupportedVersion` on Docker 20.10, and "
            "`UnsupportedEngine` on 26.1, unless the Dockerfile begins with "
            "`# syntax=docker/dockerfile:1`."
        ),
        "`check` of BuildKit",
    )
    NO_LIMITS_IN_BUILDKIT = (
        Topic.BUILDS,
        (_DOCKER_20,),
        "BuildKit ignores `shm_size` and `ulimits`, so they raise `UnsupportedVersion`.",
        "`shm_size` and `ulimits` with BuildKit",
    )
    NO_WARNINGS_OF_BUILDKIT = (
        Topic.BUILDS,
        (_DOCKER_20,),
        "The `result` of a build has no warnings of BuildKit.",
        "warnings in the `result` of a BuildKit build",
    )
    NAMES_IN_UTF8 = (
        Topic.BUILDS,
        (_DOCKER_28,),
        (
            "BuildKit accepts only file names and symlink targets in UTF-8: `build` fails before such a file "
            "is sent, and the exception names it. An output with such a name must be a `Tar`. "
            '`builder="classic"` accepts any name.'
        ),
        "file names that are not UTF-8 with BuildKit",
    )
    BUILDKIT_WITHOUT_TAR = (
        Topic.BUILDS,
        (_CONTAINERD_26,),
        "BuildKit fails if its request has a tar as the body; so this library serves it in the session.",
    )
    BUILDER_IN_LABELS = (
        Topic.BUILDS,
        (_PODMAN,),
        "Images get the label `io.buildah.version`.",
    )
    BARE_QUIET_ID = (
        Topic.BUILDS,
        (_PODMAN,),
        "With `quiet`, the id has no `sha256:`, and ends with a newline.",
    )
    FAILING_STEP_IN_GO = (
        Topic.BUILDS,
        (_PODMAN,),
        (
            "The message of a failed step says `exit status 3` where Docker says `returned a non-zero "
            "code: 3`. The step's `command` is the text of the instruction; with `quiet` the step has no "
            "number."
        ),
    )
    REMOTE_IGNORED = (
        Topic.BUILDS,
        (_PODMAN,),
        "The engine would not fetch a build context: `build(remote=...)` raises `UnsupportedEngine`.",
        "`build(remote=...)`",
    )
    SQUASH_ALWAYS = (
        Topic.BUILDS,
        (_PODMAN,),
        "`squash` works; Docker needs experimental features for it.",
    )
    BUILDS_GO_ON = (
        Topic.BUILDS,
        (_PODMAN,),
        (
            "If you leave a build early, the connection is closed at once, but the build continues until it "
            "ends by itself."
        ),
        "leaving a build early stops it",
    )

    LOAD_WITHOUT_LINE_END = (
        Topic.ARCHIVES,
        (_PODMAN,),
        "The message of a load has no newline at its end.",
    )
    LOAD_OF_PLAIN_TAR = (
        Topic.ARCHIVES,
        (_PODMAN_4,),
        (
            "`import_image` accepts plain tars only, and raises `BadRequest` for compressed ones; `build` "
            "and `import_filesystem` accept both."
        ),
        "`import_image` of compressed archives",
    )
    LOAD_WITHOUT_PROGRESS = (
        Topic.ARCHIVES,
        (_CONTAINERD, _PODMAN),
        "A load reports the names of images only; `quiet=False` changes nothing.",
    )
    NO_PLATFORM_OF_ARCHIVES = (
        Topic.ARCHIVES,
        (_DOCKER_TO_26, _PODMAN),
        "The engine cannot choose a platform there: `platform` raises `UnsupportedVersion`.",
        "`platform` of `import_image`, `export_image` and `history`",
    )
    IMPORT_SAYS_ID_TWICE = (
        Topic.ARCHIVES,
        (_PODMAN,),
        "The message of `import_filesystem` has the image's id as `status` and as `id`.",
    )
    IMPORT_WITHOUT_CHANGE_VERB = (
        Topic.ARCHIVES,
        (_PODMAN,),
        "The message of the error for an impossible change is `invalid change`.",
    )

    ERRORS_IN_STREAM = (
        Topic.REGISTRIES,
        (_PODMAN_4,),
        (
            "A failed `pull` raises a `DockerStreamError` that is also a `NotFound` or an `Unauthorized`; "
            "other engines report these as an error status."
        ),
    )
    PUSH_WITHOUT_AUX = (
        Topic.REGISTRIES,
        (_CONTAINERD, _PODMAN_TO_5),
        "A push has no message with `aux`; the digest is in the status of the last one, and in the `result`.",
    )
    PULL_OF_LAYERS_ONLY = (
        Topic.REGISTRIES,
        (_PODMAN,),
        (
            "A pull reports layers only, without `Digest:` and `Status:`, so its `result` has only the "
            "reference; the last message has the beginning of the image's id."
        ),
    )
    PULL_WITHOUT_UNPACKING = (
        Topic.REGISTRIES,
        (_CONTAINERD_26,),
        "A pull reports that a layer is downloaded, but not that it is unpacked.",
    )
    PULL_REFUSES_ANOTHER_PLATFORM = (
        Topic.REGISTRIES,
        (_DOCKER_26,),
        "A pull of an image with only another `platform` raises `NotFound` at its end.",
    )
    PULL_TELLS_ANOTHER_PLATFORM = (
        Topic.REGISTRIES,
        (_OVERLAY_28,),
        (
            "A pull of an image with only another `platform` succeeds, and its `result` has it as "
            "`mismatched_platform`."
        ),
    )
    RATE_LIMITS_ARE_RETRIED = (
        Topic.REGISTRIES,
        (_PODMAN,),
        (
            "The engine retries by itself when a registry responds that there are too many requests: a pull "
            "failed after 94 seconds on Podman 5.8, and after more than 120 seconds on 4.3, 5.4 and 6.1. A "
            "`timeout` ends it earlier. Docker raises `TooManyRequests` at once."
        ),
    )
    ONE_TAG_AT_A_TIME = (
        Topic.REGISTRIES,
        (_PODMAN,),
        '`tag=""`, all tags, would mean `latest` only: `push` and `pull` raise `UnsupportedEngine`.',
        "`push` and `pull` of all tags",
    )
    DISTRIBUTION_WITHOUT_PLATFORM = (
        Topic.REGISTRIES,
        (_CONTAINERD,),
        "`distribution` reports no platform for an image that such an engine pushed.",
    )
    LOGIN_OVER_TLS = (
        Topic.REGISTRIES,
        (_PODMAN,),
        (
            "`login` uses TLS only, except at `localhost`; for other registries without TLS it raises "
            "`ServerError`."
        ),
        "`login` at a registry without TLS",
    )
    SEARCH_OF_CATALOGUE = (
        Topic.REGISTRIES,
        (_PODMAN,),
        (
            "A registry without a search, as most are, is searched by its catalogue. A search without "
            "results raises `NotFound`."
        ),
    )
    SEARCH_WITH_OTHER_KEYS = (
        Topic.REGISTRIES,
        (_PODMAN_TO_5,),
        (
            "Results of a search have the keys `Index`, `Name`, `Description`, `Stars`, `Official`, "
            "`Automated` and `Tag`."
        ),
    )
    NO_DISTRIBUTION = (
        Topic.REGISTRIES,
        (_PODMAN,),
        "The engine cannot query a registry for an image: `distribution` raises `UnsupportedEngine`.",
        "`distribution`",
    )

    def __init__(self, topic: Topic, groups: tuple[Engines, ...], reason: str, feature: str = "") -> None:
        self.topic: Final = topic
        self.groups: Final = groups
        self.engines: Final = tuple(engine.name for group in groups for engine in group.kinds)
        self.reason: Final = reason
        self.feature: Final = feature

    def on(self, engine: PrivateEngine) -> bool:
        """Return whether an engine has it."""
        return engine.name in self.engines
