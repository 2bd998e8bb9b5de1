"""Query registries through the engine."""

from __future__ import annotations

from dockerproto.credentials.credentials import AuthLike
from dockerproto.messages.empty_fields import DISTRIBUTION_INSPECT
from dockerproto.messages.models import DistributionInspect, SearchResult
from dockerproto.messages.tables import SearchTable
from dockerproto.operations.operation import Call
from dockerproto.operations.replies import json_list, json_object
from dockerproto.references import parse_reference, path_of, registry_of
from dockerproto.request.filters import Filters, encode_filters
from dockerproto.request.parameters import number, text
from dockerproto.request.request import Request
from dockerproto.timeouts import DEFAULT, TimeoutLike
from dockerproto.versions import Version


def search(
    term: str,
    *,
    limit: int | None = None,
    filters: Filters | None = None,
    auth: AuthLike | None = None,
    timeout: TimeoutLike = DEFAULT,
) -> Call[list[SearchResult]]:
    """Search for repositories on Docker Hub, or on the registry that the term begins with.

    Args:
        term: Search term: ``busybox``, ``registry.example/busybox``.
        limit: Limit on the results, 1 to 100; 25 by default.
        filters: ``is-official`` (bool), ``stars`` (int, at least).
        auth: Credentials of the registry, see `read_auth`; by default the client looks them up.
        timeout: Limits of this call.

    Raises:
        ServerError: The registry is unreachable, or does not support searching.

    Documented at https://docs.docker.com/reference/api/engine/#tag/Image/operation/ImageSearch.
    """
    if not term:
        raise ValueError("term must not be empty")
    query = (text("term", term), number("limit", limit), text("filters", encode_filters(filters)))
    request = Request(method="GET", path="/images/search", query=query, timeout=timeout)
    request = request.for_registry(registry_of(term), auth, f"search {term}")
    return json_list(request, make_list=SearchTable)


def distribution(
    name: str, *, auth: AuthLike | None = None, timeout: TimeoutLike = DEFAULT
) -> Call[DistributionInspect]:
    """Return the descriptor and the platforms of an image in its registry, without pulling it.

    Args:
        name: Reference.
        auth: Credentials of the registry, see `read_auth`; by default the client looks them up.
        timeout: Limits of this call.

    Raises:
        NotFound: The image does not exist.
        Unauthorized: The registry requires other credentials.
        UnsupportedEngine: The engine is Podman, which does not support this.

    Since API 1.30.
    Documented at https://docs.docker.com/reference/api/engine/#tag/Distribution/operation/DistributionInspect.
    """
    path = f"/distribution/{path_of(name)}/json"
    request = Request(method="GET", path=path, since=Version(1, 30), timeout=timeout)
    request = request.for_registry(parse_reference(name).registry, auth, f"inspect {name}")
    return json_object(request, DISTRIBUTION_INSPECT)
