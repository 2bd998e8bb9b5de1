"""Phrases in error texts, by the class of their cause: tables for `classification`, which says their order.

They are those of Docker 20.10 to 29.7 (containerd and BuildKit included), of Podman 4.3 to 6.1, and of the
registries that they talk to. They are in lower case; ``""`` and ``''`` stand for quoted text, ``~`` for a
reference or a URL. No quantifier is unbounded, so that a long text costs linear time.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from dockerproto.errors import (
    BadRequest,
    Conflict,
    DockerError,
    NotFound,
    ServerError,
    TooManyRequests,
    Unauthorized,
    UnsupportedVersion,
)

Phrases: TypeAlias = tuple[tuple[type[DockerError], str], ...]
"""Classes and regular expressions; the first that matches decides."""

OWN: Final[Phrases] = (
    (UnsupportedVersion, r"client version \S{1,99} is too (?:new|old)|requires minimum api version"),
    (BadRequest, r"(?:copy|add) failed: |checking on sources under"),
    (BadRequest, r"dockerfile parse error|unknown (?:instruction|flag): |no build stage|no contents in \"\""),
    (BadRequest, r"dockerfile (?:\([^()\n]{0,300}\) )?cannot be empty|dockerfile: no such file"),
    (BadRequest, r"cannot locate specified dockerfile|failed to reach build target|failed to process \"\""),
    (BadRequest, r"target stage \S{1,300} could not be found|target \"\" was not found in"),
    (BadRequest, r"not supported by buildkit|multiple outputs not supported"),
    (BadRequest, r"invalid tar header|gzip: invalid header|unrecognized image format"),
    (BadRequest, r"any of the supported image formats"),
    (BadRequest, r"(?:\btar\b|untarring|applylayer|\barchive|manifest\.json)[^\n]{0,300}unexpected eof"),
    (BadRequest, r"docker-import-\d{1,20}/[^\s:]{0,300}: no such file|does not contain a manifest\.json"),
    (BadRequest, r"invalid reference format|must be lowercase|invalid tag format"),
    (BadRequest, r"is not a valid change command|invalid change |is a reserved name"),
    (BadRequest, r"(?:invalid|unsupported|unknown|not a valid) (?:[a-z]{1,20} )?filter|'' filter"),
    (BadRequest, r"filter (?:''|\S{1,99}) (?:is )?(?:not supported|unsupported)|non-boolean value \"\" for"),
    (BadRequest, r"failed to parse value as time|cannot push a digest reference"),
    (NotFound, r"no such image|image not known|does not exist locally with the tag|tag does not exist"),
    (NotFound, r"no matching manifest|no (?:such|match for|matching) platform|failed to find platform"),
    (NotFound, r"no image found in (?:image|manifest) (?:index|list)|was found but its platform"),
    (
        NotFound,
        r"\bno [a-z ]{1,60} (?:for|with|matching) (?:the )?(?:[a-z]{1,20} )?(?:platform|architecture)",
    ),
    (NotFound, r"(?:not match|not provide|n't provide) (?:the|any) (?:[a-z]{1,20} ){0,2}platform"),
    (NotFound, r"platform \S{1,99} (?:is )?not (?:found|available)|cannot be used on this platform"),
    (Conflict, r"conflict: unable to|image is in use|image used by|more than one tag|must be forced"),
)
"""Phrases about the engine's own images, about Dockerfiles, archives and parameters."""

REFUSALS: Final[Phrases] = (
    (TooManyRequests, r"^toomanyrequests$|\btoo many requests\b|\brate limit|^(?:rate|quota) exceeded"),
    (Unauthorized, r"^(?:unauthorized|unauthenticated|denied|forbidden|permission_denied)(?:$|,| \()"),
    (Unauthorized, r"^access (?:is )?(?:denied|forbidden)|^(?:pull|push) access denied"),
    (Unauthorized, r"^(?:unauthorized|forbidden) to |^unauthenticated request|\bnot authorized\b"),
    (Unauthorized, r"(?<!proxy )authentication (?:is )?required|^authorization (?:failed|required)"),
    (Unauthorized, r"no basic auth credentials|incorrect username or password|token has expired"),
    (Unauthorized, r"^(?:invalid|bad) (?:credentials|username/password)$"),
    (Unauthorized, r"(?:not|n't) have (?:the )?(?:[a-z]{1,20} )?permission"),
    (Unauthorized, r"^code = (?:unauthenticated|permissiondenied)$"),
    (NotFound, r"^(?:manifest|name|tag) unknown$|not known to (?:the )?registry$"),
    (NotFound, r"^(?:artifact|image|manifest|project|repository|tag) [^\n]{0,99}not found$"),
    (BadRequest, r"^(?:manifest|name|tag|digest|size) invalid$"),
    (ServerError, r"connection (?:refused|reset)|broken pipe|closed network connection|request canceled"),
    (ServerError, r"timeout$|timeout (?:awaiting|exceeded)|timed out|deadline exceeded"),
    (ServerError, r"no such host|server misbehaving|name resolution|is unreachable|no route to host"),
    (ServerError, r"^(?:dial|read|write) (?:tcp|udp)\b|^lookup |server gave http response"),
    (ServerError, r"^(?:x509|tls|http2|proxyconnect|remote error|stream error)\b"),
    (ServerError, r"^(?:code = )?unavailable$|bad gateway|service (?:temporarily )?unavailable"),
    (ServerError, r"internal server error|unable to decode token response"),
)
"""Phrases of registries, and of the network on the way to them, in one cause of a chain."""

HTTP_STATUSES: Final = (
    r"^([1-5]\d\d)(?=$|[,.;)]| \(| [a-z]{3})",
    r"\b(?:http|status|statuscode|code|error|registry|returned|got)[ :=(]{1,3}([1-5]\d\d)(?=$|[ ,;.)])",
    r"\b([1-5]\d\d)(?= \(?(?:unauthorized|forbidden|too many requests|bad gateway|service unav))",
)
"""Phrases with an HTTP status of a registry."""

HTTP_REQUEST: Final = r"^(?:get|head|post|put|patch|delete) (?:\"\"|~)$|^error parsing http "
"""Phrases of a request to a registry that failed; the cause after it tells why."""

NO_IMAGE: Final = r"\bblob\b|^unexpected status code 404$"
"""Phrases of a 404 that is not about an image: a layer is missing, or the registry has no search."""

AMBIGUOUS: Final = r"pull access denied|requested access to the resource is denied|insufficient_scope"
"""Phrases of a registry that does not tell a missing repository from missing rights."""

CONTEXTS: Final[Phrases] = (
    (BadRequest, r"failed to (?:compute cache key|calculate checksum|read dockerfile)"),
    (BadRequest, r"invalid character '' |cannot unmarshal |unexpected end of json input"),
    (NotFound, r"(?:^|: )(?:~|unknown|error from registry): not found\.?$"),
)
"""Phrases that tell the cause only if nothing else in the text does."""
