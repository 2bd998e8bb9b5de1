"""Clients of registries with one face, and images for registries to serve."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, TypeAlias

import dockerproto_asyncio
import dockerproto_httpx
import dockerproto_trio
from dockerproto.registry.requests import OCI_INDEX, OCI_MANIFEST
from tests.support.facade import Facade, Transport
from tests.support.stored import ME
from tests.testbed.scripted import head, response
from tests.testbed.scripted_registry import ScriptedRegistry

OpenRegistry: TypeAlias = Callable[..., Any]
"""Create a client of registries, with an async interface on every transport."""

_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"


def registry_client(transport: Transport, **options: Any) -> Any:
    """Return a client of registries with an async face."""
    options = {"credentials": None, **options}
    if transport == "asyncio":
        return dockerproto_asyncio.Registry(**options)
    if transport == "trio":
        return dockerproto_trio.Registry(**options)
    return Facade(dockerproto_httpx.Registry(**options))


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class ImageData:
    """The manifest and the blobs of an image for one platform."""

    def __init__(self, architecture: str = "amd64", layer: bytes = b"layer", **manifest: Any) -> None:
        self.config = json.dumps({"os": "linux", "architecture": architecture}).encode()
        self.layer = layer
        self.manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "config": described(_CONFIG, self.config),
                "layers": [described(_LAYER, layer)],
                **manifest,
            }
        ).encode()
        self.digest = digest_of(self.manifest)

    @property
    def blobs(self) -> dict[str, bytes]:
        """Content by digest."""
        return {digest_of(each): each for each in (self.config, self.layer)}

    @property
    def descriptor(self) -> dict[str, Any]:
        return described(OCI_MANIFEST, self.manifest)


def described(media_type: str, data: bytes, **fields: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data), **fields}


def index_of(*images: ImageData) -> bytes:
    """Return the index of images, without their platforms."""
    manifests = [image.descriptor for image in images]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}).encode()


def manifest_response(data: bytes, media_type: str = OCI_MANIFEST, digest: str = "") -> bytes:
    headers = {"Content-Type": media_type, "Docker-Content-Digest": digest or digest_of(data)}
    return response(200, data, headers)


def serve(registry: ScriptedRegistry, repository: str, image: ImageData, tag: str = "1") -> None:
    """Let a registry serve an image."""
    for method in ("GET", "HEAD"):
        for name in (tag, image.digest):
            registry.script(method, f"/v2/{repository}/manifests/{name}", manifest_response(image.manifest))
        for digest, data in image.blobs.items():
            registry.script(method, f"/v2/{repository}/blobs/{digest}", response(200, data))


def accept(registry: ScriptedRegistry, repository: str, *names: str) -> None:
    """Let a registry take uploads, and manifests under names."""
    place = {"Location": f"/v2/{repository}/blobs/uploads/id?_state=x"}
    registry.script("POST", f"/v2/{repository}/blobs/uploads/", response(202, b"", place))
    registry.script("PUT", f"/v2/{repository}/blobs/uploads/id", response(201))
    for name in names:
        registry.script("PUT", f"/v2/{repository}/manifests/{name}", response(201))


IMAGE: Final = ImageData()
CONFIG, LAYER = IMAGE.blobs
TAG: Final = "/v2/a/manifests/1"
"""Path of the tag of the image that `serving_registry` serves."""
OK: Final = manifest_response(IMAGE.manifest)
ENDLESS: Final = (head(200, {"Content-Type": OCI_MANIFEST, "Content-Length": str(2**40)}), b"x" * 65536)
BASIC: Final = response(401, b"{}", {"WWW-Authenticate": 'Basic realm="x"'})


def open_registries(transport: Transport) -> OpenRegistry:
    return partial(registry_client, transport)


def serving_registry() -> Iterator[ScriptedRegistry]:
    """Yield a registry that serves an image."""
    with ScriptedRegistry() as registry:
        serve(registry, "a", IMAGE)
        yield registry


def other_server() -> Iterator[ScriptedRegistry]:
    """Yield another server, which the credentials of the registry are not for."""
    with ScriptedRegistry() as server:
        yield server


def scripted_image(scripted_registry: ScriptedRegistry) -> str:
    """Return the name of the image that the scripted registry serves."""
    return f"{scripted_registry.host}/a:1"


def me(registry: ScriptedRegistry) -> dict[str, Any]:
    """Return the option of a client that has credentials for a registry."""
    return {"credentials": {registry.host: ME}}
