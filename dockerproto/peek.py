"""The Dockerfile of what is to be uploaded, looked for before anything is sent."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class KnowsDockerfile(Protocol):
    """A context that can tell its Dockerfile, so that it is not looked for in a tar."""

    def dockerfile(self, path: str, /) -> bytes | None:
        """Return the Dockerfile at a path of the context, None if there is none.

        It may block, and is called in a worker thread, before the first piece of the context is asked
        for; never, if there are no credentials to look up.
        """
        ...
