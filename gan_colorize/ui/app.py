"""The editor's web server: addresses and answers. What stands behind them is in :mod:`.editor`.

Reading files and asking the network are two lines of work with a thread each: a large scan that is being
opened does not hold up the colours of another. The event loop itself only waits.
"""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from .answers import add_error_answers
from .editor import MEDIA, UPLOAD_BYTES, Editor, attachment, one_core
from .guard import Guard
from .photos import Photos
from .requests import ExportBody, OpenBody, PaletteBody, PreviewBody, SuggestBody, read_body
from .waiting import outcome
from .work import Urgency, Work

STATIC = Path(__file__).with_name("static")
_EXPIRY_SECONDS = 60.0
# Uploads that are read at once; the others wait in their sockets, where they take no memory.
_UPLOADS_AT_ONCE = 2

# Windows lets any program say what ".js" is, and browsers run no module that is not sent as JavaScript.
mimetypes.add_type("text/javascript", ".js")

Name = Annotated[str, Query(max_length=4096)]
Side = Annotated[int, Query(ge=16, le=4096)]


def create_app(editor: Editor, port: int, photos: Photos | None = None, network: Work | None = None) -> Guard:
    """The application, guarded.

    Args:
        editor: the model and the folder.
        port: that the server listens on; requests must name it.
        photos: where open photographs are kept; network: the line in which its work waits.
    """
    photos = Photos() if photos is None else photos
    network = Work(begin=one_core) if network is None else network
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=_lifespan)
    app.state.editor, app.state.photos = editor, photos
    app.state.network, app.state.files = network, Work(begin=one_core)
    app.state.uploads = asyncio.Semaphore(_UPLOADS_AT_ONCE)
    add_error_answers(app)
    _add_general(app)
    _add_folder(app)
    _add_photos(app)
    _add_colours(app)
    app.mount("/static", StaticFiles(directory=STATIC))
    return Guard(app, port, uploads={"/api/photos": UPLOAD_BYTES, "/api/reference": UPLOAD_BYTES})


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    async def expire() -> None:
        while True:  # a page that was left open asks for nothing, and its photograph takes memory
            await asyncio.sleep(_EXPIRY_SECONDS)
            app.state.photos.expire()

    expiry = asyncio.create_task(expire())
    yield
    expiry.cancel()
    for work in (app.state.network, app.state.files):
        await asyncio.to_thread(work.close)


def _add_general(app: FastAPI) -> None:
    state = app.state

    @app.get("/")
    async def page() -> Response:
        return FileResponse(STATIC / "index.html")

    @app.get("/api/about")
    async def about() -> dict[str, Any]:
        return state.editor.about()

    @app.get("/api/work")
    async def work() -> dict[str, Any]:
        network, files = state.network.state(), state.files.state()
        longer = max(network, files, key=lambda line: line["seconds"] if line["doing"] else -1.0)
        return {**longer, "queued": network["queued"] + files["queued"]}


def _add_folder(app: FastAPI) -> None:
    state = app.state

    @app.get("/api/folder")
    async def listing(request: Request, after: Name = "") -> dict[str, Any]:
        page = partial(state.editor.opened_folder().page, after)
        names, more = await outcome(state.files, request, "folder", Urgency.PREVIEW, page)
        return {"photographs": [{"name": name} for name in names], "more": more}

    @app.get("/api/folder/thumbnail")
    async def thumbnail(request: Request, name: Name) -> Response:
        make = partial(state.editor.thumbnail, name)
        made = await outcome(state.files, request, "thumbnail", Urgency.VARIANT, make)
        return Response(made, media_type="image/jpeg")


def _add_photos(app: FastAPI) -> None:
    state = app.state

    async def opened(request: Request, name: str, open_it: Callable[[], Any]) -> dict[str, Any]:
        session, warnings = await outcome(state.files, request, "open", Urgency.OPEN, open_it)
        return state.photos.add(name, session, warnings).about()

    @app.post("/api/photos")
    async def upload(request: Request, name: Name = "photograph") -> dict[str, Any]:
        async with state.uploads:
            data = await request.body()
            return await opened(request, name, partial(state.editor.open, data, name))

    @app.post("/api/photos/open")
    async def open_named(request: Request) -> dict[str, Any]:
        name = (await read_body(request, OpenBody)).name
        return await opened(request, name, partial(state.editor.open_named, name))

    @app.get("/api/photos/{photo_id}")
    async def about(photo_id: str) -> dict[str, Any]:
        return state.photos.get(photo_id).about()

    @app.get("/api/photos/{photo_id}/grey")
    async def grey(request: Request, photo_id: str, side: Side = 1600) -> Response:
        make = partial(state.editor.grey, state.photos.get(photo_id), side)
        made = await outcome(state.files, request, "grey", Urgency.SUGGEST, make)
        return Response(made, media_type="image/jpeg")

    @app.post("/api/reference")
    async def reference(request: Request, name: Name = "reference") -> dict[str, Any]:
        async with state.uploads:
            data = await request.body()
            make = partial(state.editor.reference, data, name)
            return await outcome(state.files, request, "reference", Urgency.OPEN, make)


def _add_colours(app: FastAPI) -> None:
    state = app.state

    @app.post("/api/photos/{photo_id}/preview")
    async def preview(request: Request, photo_id: str) -> Response:
        body = await read_body(request, PreviewBody)
        photo = state.photos.get(photo_id)
        make = partial(state.editor.preview, photo, body.wishes, body.side, body.confidence)
        urgency = Urgency.PREVIEW if body.kind == "main" else Urgency.VARIANT
        key = (body.tab, body.kind, str(body.confidence)) if body.tab else None
        made, media = await outcome(state.network, request, "preview", urgency, make, key, body.sequence)
        return Response(made, media_type=media)

    @app.post("/api/photos/{photo_id}/suggest")
    async def suggest(request: Request, photo_id: str) -> dict[str, Any]:
        body = await read_body(request, SuggestBody)
        photo = state.photos.get(photo_id)
        make = partial(state.editor.suggest, photo, body.wishes, body.x, body.y, body.count)
        return await outcome(state.network, request, "suggest", Urgency.SUGGEST, make)

    @app.post("/api/photos/{photo_id}/export")
    async def export(request: Request, photo_id: str) -> Response:
        body = await read_body(request, ExportBody)
        photo = state.photos.get(photo_id)
        make = partial(state.editor.export, photo, body.wishes, body.format, body.quality)
        made = await outcome(state.network, request, "export", Urgency.EXPORT, make)
        headers = {"content-disposition": attachment(photo.name, body.format)}
        return Response(made, media_type=MEDIA[body.format], headers=headers)

    @app.post("/api/palette")
    async def palette(request: Request) -> dict[str, Any]:
        body = await read_body(request, PaletteBody)
        make = partial(state.editor.palettes, body.text, body.seed, body.samples)
        return await outcome(state.network, request, "palette", Urgency.OPEN, make)
