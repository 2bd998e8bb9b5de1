"""What registries say, asked through the engine."""

from __future__ import annotations

from dockerproto.credentials.credentials import AuthLike
from dockerproto.messages.models import DistributionInspect, SearchResult
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
    """Search Docker Hub, or the registry that the term begins with, for repositories.

    Args:
        term: What to look for: ``busybox``, ``registry.example/busybox``.
        limit: How many to return, 1 to 100; 25 by default.
        filters: ``is-official`` (bool), ``stars`` (int, at least).
        auth: Credentials of the registry, see `read_auth`; by default the client looks them up.
        timeout: Limits of this call.

    Raises:
        ServerError: The registry cannot be reached, or does not search.

    Documented at https://docs.docker.com/reference/api/engine/#tag/Image/operation/ImageSearch.
    """
    if not term:
        raise ValueError("a search needs a term")
    query = (text("term", term), number("limit", limit), text("filters", encode_filters(filters)))
    request = Request(method="GET", path="/images/search", query=query, timeout=timeout)
    return json_list(request.authorised(auth, registry_of(term)))


def distribution(
    name: str, *, auth: AuthLike | None = None, timeout: TimeoutLike = DEFAULT
) -> Call[DistributionInspect]:
    """Return what the registry says of an image: its descriptor and platforms. Nothing is pulled.

    Args:
        name: Reference.
        auth: Credentials of the registry, see `read_auth`; by default the client looks them up.
        timeout: Limits of this call.

    Raises:
        NotFound: The registry has no such image.
        Unauthorized: The registry wants other credentials.
        UnsupportedEngine: It is a Podman, which cannot ask.

    Since API 1.30.
    Documented at https://docs.docker.com/reference/api/engine/#tag/Distribution/operation/DistributionInspect.
    """
    path = f"/distribution/{path_of(name)}/json"
    request = Request(method="GET", path=path, since=Version(1, 30), timeout=timeout)
    return json_object(request.authorised(auth, parse_reference(name).registry))
