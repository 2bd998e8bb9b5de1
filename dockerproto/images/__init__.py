"""The image operations, each written once as data; and the two facades that run them."""

from __future__ import annotations

from typing import Final

from dockerproto.images.build import build
from dockerproto.images.checks import check, outline, targets
from dockerproto.images.load_save import export_image, import_filesystem, import_image
from dockerproto.images.local import (
    build_cache,
    delete,
    exists,
    get,
    history,
    inspect,
    list,
    prune,
    prune_builds,
    tag,
)
from dockerproto.images.pull_push import pull, push
from dockerproto.images.registry import distribution, search
from dockerproto.operations.operation import AsyncNamespace, Namespace, asynchronous, blocking

__all__ = ["AsyncImages", "Images"]


class AsyncImages(AsyncNamespace):
    """The images of an engine, for async clients."""

    build: Final = asynchronous(build)
    build_cache: Final = asynchronous(build_cache)
    check: Final = asynchronous(check)
    delete: Final = asynchronous(delete)
    distribution: Final = asynchronous(distribution)
    exists: Final = asynchronous(exists)
    export_image: Final = asynchronous(export_image)
    get: Final = asynchronous(get)
    history: Final = asynchronous(history)
    import_filesystem: Final = asynchronous(import_filesystem)
    import_image: Final = asynchronous(import_image)
    inspect: Final = asynchronous(inspect)
    list: Final = asynchronous(list)
    load: Final = import_image
    outline: Final = asynchronous(outline)
    prune: Final = asynchronous(prune)
    prune_builds: Final = asynchronous(prune_builds)
    pull: Final = asynchronous(pull)
    push: Final = asynchronous(push)
    save: Final = export_image
    search: Final = asynchronous(search)
    tag: Final = asynchronous(tag)
    targets: Final = asynchronous(targets)


class Images(Namespace):
    """The images of an engine, for blocking clients."""

    build: Final = blocking(build)
    build_cache: Final = blocking(build_cache)
    check: Final = blocking(check)
    delete: Final = blocking(delete)
    distribution: Final = blocking(distribution)
    exists: Final = blocking(exists)
    export_image: Final = blocking(export_image)
    get: Final = blocking(get)
    history: Final = blocking(history)
    import_filesystem: Final = blocking(import_filesystem)
    import_image: Final = blocking(import_image)
    inspect: Final = blocking(inspect)
    list: Final = blocking(list)
    load: Final = import_image
    outline: Final = blocking(outline)
    prune: Final = blocking(prune)
    prune_builds: Final = blocking(prune_builds)
    pull: Final = blocking(pull)
    push: Final = blocking(push)
    save: Final = export_image
    search: Final = blocking(search)
    tag: Final = blocking(tag)
    targets: Final = blocking(targets)
