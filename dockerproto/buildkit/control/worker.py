"""The abilities of an engine's BuildKit, from its list of workers."""

from __future__ import annotations

from typing import Final

from dockerproto.buildkit.control.messages import ListWorkersResponse
from dockerproto.request.solve_options import Worker

_SNAPSHOTTER: Final = "org.mobyproject.buildkit.worker.snapshotter"
"""Label of workers that have their images in containerd's store."""
_HOST_GATEWAY: Final = "org.mobyproject.buildkit.worker.moby.host-gateway-ip"
"""Label with the address that ``host-gateway`` stands for, since Docker 25."""


def worker_of(reply: bytes, *, has_images: bool = True) -> Worker:
    """Return the abilities of the first worker, which builds; those of an engine without one are the least.

    Args:
        reply: The list of workers.
        has_images: True if the worker is an engine's, which has images of its own.

    Raises:
        ProtocolViolated: The reply is malformed.
    """
    records = ListWorkersResponse.decode(reply).record
    labels = records[0].labels if records else dict[str, str]()
    return Worker(
        containerd=_SNAPSHOTTER in labels,
        host_gateway=labels.get(_HOST_GATEWAY) or None,
        has_images=has_images,
    )
