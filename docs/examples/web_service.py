"""A web service that lists and pulls images, with one client for all requests.

Run it with ``uvicorn web_service:app``, which Starlette's documentation describes.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from dockerproto import AsyncProgress, DockerError, InvalidReference, PullResult, message_text
from dockerproto_asyncio import Docker


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Docker]]:  # noqa: ARG001  # Starlette passes it
    """Open the client when the service starts, and close it when the service ends."""
    async with Docker() as docker:
        yield {"docker": docker}


async def list_images(request: Request) -> Response:
    """Respond with the tags of all images."""
    images = await request.state.docker.images.list()
    return JSONResponse([tag for image in images for tag in image["RepoTags"]])


async def pull(request: Request) -> Response:
    """Pull an image, and respond with the messages as they come."""
    stream = request.state.docker.images.pull(request.path_params["name"], stream=True)
    return StreamingResponse(lines(stream), media_type="text/plain")


async def lines(stream: AsyncProgress[PullResult]) -> AsyncIterator[str]:
    """Yield the text of each message, then the outcome."""
    try:
        async with stream:
            async for message in stream:
                yield message_text(message)
        yield f"pulled {stream.result.digest}\n"
    except DockerError as error:  # the status of the response has been sent
        yield f"failed: {error}\n"


async def bad_name(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """Respond to an invalid image name."""
    return JSONResponse({"error": str(error)}, 400)


async def engine_failed(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """Respond to a failure of the engine."""
    return JSONResponse({"error": str(error)}, 502)


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/images", list_images),
        Route("/images/{name:path}", pull, methods=["POST"]),
    ],
    exception_handlers={InvalidReference: bad_name, DockerError: engine_failed},
)
