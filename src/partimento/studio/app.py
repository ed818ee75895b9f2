"""The app: what the studio answers over HTTP, told as OpenAPI at /api/openapi.json; no logic in here.

Whatever is refused comes with a sentence, `{"detail": …}`: 404 where something is not there, 422 where what was sent
cannot be, 409 where it cannot be done. The page itself is what `page/` builds.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi import Path as InPath
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import ClientDisconnect

from partimento.bundle import COMES_ALONG
from partimento.errors import ImpossibleRequest, PartimentoError, explained
from partimento.studio import forms, scores
from partimento.studio.dropped import MOST_BYTES
from partimento.studio.names import Name
from partimento.studio.orders import ORDERS
from partimento.studio.orders.order import Order
from partimento.studio.pieces import Format
from partimento.studio.places import new_id
from partimento.studio.safety import Safety, TooLarge
from partimento.studio.shelves import NotThere
from partimento.studio.studio import Studio

PAGE = Path(__file__).parent / "page"
CLIENT = "partimento-client"
NOT_THERE = "There is no such thing here any more; load the page again."
OF_JOBS = (  # what a job has written is shown in a frame, and may not run anything
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; media-src 'self' data:; sandbox "
    "allow-same-origin allow-popups"
)
NO_ROOM = (
    "The studio's list cannot be written ({error}). If the disk is full, make room on it; nothing that is listed is "
    "lost."
)
NO_PAGE = (
    "The studio's page was not built with this installation. In a checkout, `pip install .` builds it where the npm "
    "registry can be reached."
)
Id = Annotated[str, InPath(pattern=r"^[0-9a-f]{12}$")]
ModelId = Annotated[str, InPath(pattern=rf"^([0-9a-f]{{12}}|{COMES_ALONG})$")]
Sent = Annotated[str, Query(min_length=1, max_length=1000)]


class Called(BaseModel):
    """Something with a name."""

    model_config = ConfigDict(extra="forbid")
    name: Name


class Numbers(BaseModel):
    """Numbers of files."""

    model_config = ConfigDict(extra="forbid")
    numbers: Annotated[list[Annotated[int, Field(ge=1, le=10_000_000)]], Field(max_length=100_000)]


class Edited(Called):
    """A piece that was edited by hand."""

    tracks: Annotated[list[scores.EditedTrack], Field(min_length=1, max_length=256)]


class Refusal(BaseModel):
    """Why something was refused."""

    detail: str


REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Refusal, "description": told}
    for status, told in {
        403: "not from the studio's own page",
        404: "it is not there",
        409: "it cannot be done",
        413: "it is too large",
        422: "what was sent cannot be",
        507: "there is no room for it",
    }.items()
}


def make_app(studio: Studio, *, hosts: Iterable[str] = (), token: str = "", page: Path = PAGE) -> Any:
    """The app of a studio.

    Args:
        studio: what it shows; opened and closed with the app.
        hosts: values of `Host` that are its own; any if none.
        token: that must be known; none if empty.
        page: the folder of the built page.

    Returns:
        An ASGI app.
    """

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncIterator[None]:
        await studio.open()
        try:
            yield
        finally:
            await studio.close()

    app = FastAPI(
        title="Partimento's studio",
        version=version("partimento"),
        lifespan=living,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        responses=REFUSALS,
    )
    _refusals(app)
    _about(app, studio)
    _corpora(app, studio)
    _jobs(app, studio)
    _pieces(app, studio)
    _page(app, page)
    return Safety(app, hosts, token, ("/files", "/pieces"), MOST_BYTES)


def _refusals(app: FastAPI) -> None:
    async def answer(_: Request, error: Exception) -> Response:
        if isinstance(error, ClientDisconnect):
            return Response(status_code=499)
        if isinstance(error, NotThere):
            return _refusal(404, NOT_THERE)
        if isinstance(error, TooLarge):
            return _refusal(413, str(error))
        if isinstance(error, sqlite3.IntegrityError):  # what it belongs to was deleted meanwhile
            return _refusal(404, NOT_THERE)
        if isinstance(error, sqlite3.Error):
            return _refusal(507, NO_ROOM.format(error=error))
        return _refusal(409 if isinstance(error, ImpossibleRequest) else 422, explained(error) or str(error))

    for kind in (NotThere, PartimentoError, TooLarge, OSError, ClientDisconnect, sqlite3.Error):
        app.add_exception_handler(kind, answer)

    async def invalid(_: Request, error: Exception) -> Response:
        complaints = error.errors() if isinstance(error, RequestValidationError) else []
        return _refusal(422, "; ".join(_complaint(one).removesuffix(".") for one in complaints[:5]) + ".")

    app.add_exception_handler(RequestValidationError, invalid)


def _complaint(error: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in error["loc"] if part not in ("body", "query", "path"))
    told = str(error["msg"]).removeprefix("Value error, ")
    return f"{where}: {told[:1].lower()}{told[1:]}" if where else told


def _refusal(status: int, sentence: str) -> Response:
    return JSONResponse({"detail": sentence}, status)


def _about(app: FastAPI, studio: Studio) -> None:
    @app.get("/api/about")
    def about() -> dict[str, Any]:
        """What this studio is."""
        return {
            "version": version("partimento"),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
            "soundfont": studio.soundfont.name,
            "formats": get_args(Format),
            "most_bytes": MOST_BYTES,
        }

    @app.get("/api/events", responses={200: {"content": {"text/event-stream": {}}}}, response_class=StreamingResponse)
    async def events() -> Response:
        """What happens, as server-sent events."""
        if studio.hub.full:
            return _refusal(409, "Too many pages listen to this studio; close some.")
        return StreamingResponse(
            studio.hub.listen(), media_type="text/event-stream", headers={"cache-control": "no-store"}
        )

    @app.get("/api/soundfont", response_class=FileResponse)
    def soundfont() -> Response:
        """What pieces are played with in the page: a SoundFont (SF2)."""
        kept = {"cache-control": "no-cache"}  # asked again, and answered in a word where it is the same
        return FileResponse(studio.soundfont, media_type="application/octet-stream", headers=kept)

    @app.get("/api/recipes")
    def recipes() -> list[dict[str, str]]:
        """What there is to train with."""
        return forms.recipes()

    @app.get("/api/recipes/{name}")
    def recipe(name: Annotated[str, InPath(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]) -> dict[str, Any]:
        """A recipe with all of its settings."""
        if name not in {one["name"] for one in forms.recipes()}:
            raise NotThere(name)
        return forms.form(name)

    @app.get("/api/models")
    def models() -> list[dict[str, Any]]:
        """What there is to compose with."""
        return studio.models.all()

    @app.get("/api/models/{id}")
    def model(id: ModelId) -> dict[str, Any]:
        """How a model would go on from what it knows: its recipe with all settings that may still be others."""
        return forms.form_from(studio.models.bundle(id))


async def body(request: Request) -> bytes:
    """The bytes of an upload."""
    return await request.body()


UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def _corpora(app: FastAPI, studio: Studio) -> None:
    @app.get("/api/corpora")
    def corpora() -> list[dict[str, Any]]:
        """Every corpus."""
        return studio.corpora.all()

    @app.post("/api/corpora", status_code=201)
    def new_corpus(called: Called) -> dict[str, Any]:
        """An empty corpus."""
        return studio.corpora.new(called.name)

    @app.get("/api/corpora/{id}")
    def corpus(id: Id) -> dict[str, Any]:
        """A corpus with each of its files and what the doctor says of it."""
        return studio.corpora.one(id)

    @app.delete("/api/corpora/{id}", status_code=204)
    def forget_corpus(id: Id) -> None:
        """Take a corpus away."""
        studio.corpora.forget(id)

    @app.post("/api/corpora/{id}/files", status_code=201, openapi_extra=UPLOAD)
    async def add_file(id: Id, name: Sent, data: Annotated[bytes, Depends(body)]) -> dict[str, Any]:
        """A file of music, or a ZIP of them."""
        return await studio.corpora.add(id, name, data)

    @app.put("/api/corpora/{id}/left-out")
    def leave_out(id: Id, sent: Numbers) -> dict[str, Any]:
        """Leave these files out, and no others."""
        return studio.corpora.leave_out(id, sent.numbers)

    @app.get("/api/corpora/{id}/files/{number}/score")
    async def corpus_score(id: Id, number: Annotated[int, InPath(ge=1, le=10_000_000)]) -> dict[str, Any]:
        """The notes of a file."""
        return scores.told(await studio.corpora.score(id, number))


def _jobs(app: FastAPI, studio: Studio) -> None:
    @app.get("/api/jobs")
    def jobs() -> list[dict[str, Any]]:
        """Every job."""
        return studio.jobs.all()

    @app.get("/api/jobs/{id}")
    def job(id: Id) -> dict[str, Any]:
        """A job."""
        return studio.jobs.told(studio.shelves.there("jobs", id))

    for kind, shape in ORDERS.items():
        app.post(f"/api/jobs/{kind}", status_code=201, name=kind, description=shape.__doc__)(_starting(studio, shape))

    @app.post("/api/jobs/{id}/{what}")
    async def tell(id: Id, what: Literal["pause", "resume", "stop"]) -> dict[str, Any]:
        """Pause a job, let it go on, or end it."""
        done: dict[str, Callable[[str], dict[str, Any]]] = {
            "pause": studio.jobs.pause,
            "resume": studio.jobs.resume,
            "stop": studio.jobs.stop,
        }
        return done[what](id)

    @app.delete("/api/jobs/{id}", status_code=204)
    async def forget_job(id: Id) -> None:
        """Take a job off the list."""
        await studio.jobs.forget(id)

    @app.get("/api/jobs/{id}/curves")
    def curves(id: Id) -> list[dict[str, float]]:
        """How a training has gone so far."""
        return studio.curves(id)

    @app.get("/api/jobs/{id}/files/{name:path}", response_class=FileResponse)
    def job_file(id: Id, name: str) -> Response:
        """What a job has written for a page to show."""
        return FileResponse(studio.job_file(id, name), headers={"content-security-policy": OF_JOBS})


def _starting(studio: Studio, shape: type[Order]) -> Callable[..., Any]:
    """The route that starts a kind of job."""

    async def start(sent: Any, request: Request) -> dict[str, Any]:
        host = request.client.host if request.client else ""
        return await studio.start(sent, request.cookies.get(CLIENT, host)[:64])

    start.__annotations__ = {"sent": shape, "request": Request, "return": dict[str, Any]}
    return start


def _pieces(app: FastAPI, studio: Studio) -> None:
    @app.get("/api/pieces")
    def pieces() -> list[dict[str, Any]]:
        """Every piece, the last one first."""
        return studio.pieces.all()

    @app.post("/api/pieces", status_code=201, openapi_extra=UPLOAD)
    async def add_piece(name: Sent, data: Annotated[bytes, Depends(body)]) -> dict[str, Any]:
        """A piece of somebody's: MIDI, MusicXML, ABC or Humdrum."""
        return await studio.pieces.add(name, data)

    @app.get("/api/pieces/{id}")
    def piece(id: Id) -> dict[str, Any]:
        """A piece."""
        return studio.pieces.one(id)

    @app.get("/api/pieces/{id}/score")
    async def score(id: Id) -> dict[str, Any]:
        """The notes of a piece."""
        return await studio.pieces.score(id)

    @app.post("/api/pieces/{id}/edited", status_code=201)
    async def edited(id: Id, sent: Edited) -> dict[str, Any]:
        """A piece as it was edited by hand, kept as a new one."""
        return await studio.pieces.edited(id, sent.name, sent.tracks)

    @app.patch("/api/pieces/{id}")
    async def rename(id: Id, called: Called) -> dict[str, Any]:
        """Call a piece otherwise."""
        return await studio.pieces.rename(id, called.name)

    @app.delete("/api/pieces/{id}", status_code=204)
    async def forget_piece(id: Id) -> None:
        """Take a piece away."""
        await studio.pieces.forget(id)

    @app.get("/api/pieces/{id}/file", response_class=FileResponse)
    async def piece_file(id: Id, format: Format) -> Response:
        """A piece as a file: MIDI, sound, picture or engraved score."""
        try:
            path = await studio.pieces.file(id, format)
        except asyncio.CancelledError:  # the studio ends, and whoever waits for the file with it
            return _refusal(503, "The studio has ended.")
        called = "".join(
            letter if letter.isalnum() or letter in " -_,." else "-" for letter in studio.pieces.one(id)["name"]
        )
        shown = {"content-security-policy": OF_JOBS} if format == "svg" else {}
        place = "inline" if format in ("svg", "png") else "attachment"
        return FileResponse(path, filename=f"{called}.{format}", content_disposition_type=place, headers=shown)


def _page(app: FastAPI, page: Path) -> None:
    @app.get("/", include_in_schema=False)
    def index(request: Request) -> Response:
        path = page / "index.html"
        if not path.is_file():
            return Response(NO_PAGE, 503, media_type="text/plain; charset=utf-8")
        answer = FileResponse(path, headers={"cache-control": "no-cache"})
        if CLIENT not in request.cookies:
            answer.set_cookie(CLIENT, new_id(), httponly=True, samesite="strict", max_age=31_536_000)
        return answer

    @app.get("/{name}", include_in_schema=False)
    def part(name: str) -> Response:
        path = page / name
        if name.startswith(".") or "/" in name or "\\" in name or not path.is_file():
            raise NotThere(name)
        return FileResponse(path, headers={"cache-control": "no-cache"})
