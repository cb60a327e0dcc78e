"""The Turing test in the browser: is the photograph's colour the camera's or the computer's?

The two-alternative forced choice of Zhang, Isola and Efros (Colorful Image Colorization, 2016, section 3.1):
a photograph and its coloured version are shown for a second each, one after the other, then a person says
which had the computer's colours. Nothing that the page receives tells them apart but the pixels.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

from fastapi import BackgroundTasks, FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, JSONResponse

from ..errors import UserError
from ..evaluation.forced_choice import CHECK, PRACTICE
from .guard import App, Guard
from .requests import AnswerBody, StartBody, WrongType, read_body
from .turing_pairs import Pairing, Pictures, pair_folders
from .turing_plan import Round
from .turing_results import NotSaved, Results, Settings

_STATIC = Path(__file__).parent / "static"
_PAGE = {"turing.html": "text/html", "turing.js": "text/javascript", "turing.css": "text/css"}
# Blank grey before the first picture and between the two, in milliseconds: what one sees of the first must
# have left the eye, and both must come out of the same grey.
_BEFORE_MS, _BETWEEN_MS = 900, 600
_MONTH = 30 * 24 * 3600  # seconds that a browser may be away and still resume
_HANDED_OUT = 64  # pictures that wait to be fetched, of all participants together


def create_turing_app(
    truth: Path, coloured: Path, output: Path, port: int, settings: Settings | None = None
) -> tuple[App, TuringTest]:
    """The guarded application, and the test behind it.

    Args:
        truth, coloured: folders; files of the same relative name are compared, whatever their format.
        output: the results file, continued when it is there.
        port: the one that the server listens on.

    Raises:
        UserError: nothing to compare, or the results file cannot be used.
    """
    test = TuringTest(truth, coloured, output, settings or Settings())
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    for address, answer, method in (
        ("/", test.page, "GET"),
        ("/static/{name}", test.static, "GET"),
        ("/api/turing", test.state, "GET"),
        ("/api/turing/start", test.start, "POST"),
        ("/api/turing/round", test.round, "POST"),
        ("/api/turing/picture/{token}", test.picture, "GET"),
        ("/api/turing/answer", test.answer, "POST"),
    ):
        app.add_api_route(address, answer, methods=[method])
    for error, answer in ((404, _not_found), (405, _not_found), (UserError, _user_error)):
        app.add_exception_handler(error, answer)
    return Guard(app, port), test


class TuringTest:
    """What the addresses answer; holds the pictures that are on their way to the page."""

    def __init__(self, truth: Path, coloured: Path, output: Path, settings: Settings) -> None:
        self.settings = settings
        self.pairing: Pairing = pair_folders(truth, coloured, settings.side)
        self._pairs = {pair.name: pair for pair in self.pairing.pairs}
        about = {
            "truth": str(truth),
            "coloured": str(coloured),
            "pairs": len(self._pairs),
            "unpaired": [{"name": name, "why": why} for name, why in self.pairing.unpaired],
            "blank_ms": {"before": _BEFORE_MS, "between": _BETWEEN_MS},
        }
        names, fingerprint = list(self._pairs), self.pairing.fingerprint()
        self.results = Results(output, names, fingerprint, settings, about)
        self._pictures = Pictures()
        self._handed: OrderedDict[str, bytes] = OrderedDict()
        self._tokens: dict[str, list[str]] = {}
        self._lock = threading.Lock()
        self._cookie = f"turing-{self.results.name}"  # cookies do not tell ports apart: tests have their own

    async def page(self, request: Request) -> Response:
        return FileResponse(_STATIC / "turing.html")

    async def static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _PAGE:
            return _error(404, "no such file")
        return FileResponse(_STATIC / name, media_type=_PAGE[name])

    async def state(self, request: Request) -> Response:
        """How the test is held, and whether this browser has a session that goes on."""
        participant = self._participant(request)
        session = None
        if participant is not None:
            left = len(self.results.waiting(participant))
            session = {"left": left, "finished": not left}
        return JSONResponse(
            {
                "seconds": self.settings.seconds,
                "before_ms": _BEFORE_MS,
                "between_ms": _BETWEEN_MS,
                "session": session,
            }
        )

    async def start(self, request: Request) -> Response:
        """Begin a session, or go on with this browser's."""
        body = await read_body(request, StartBody)
        participant = self._participant(request)
        if participant is None or body.another:
            participant = await run_in_threadpool(self.results.begin)
        answer = JSONResponse({"left": len(self.results.waiting(participant))})
        answer.set_cookie(self._cookie, participant, max_age=_MONTH, httponly=True, samesite="strict")
        return answer

    async def round(self, request: Request) -> Response:
        """The round that waits for an answer, or the result at the end."""
        participant = self._participant(request)
        if participant is None:
            return _error(404, "there is no session of this browser; start anew")
        told = await run_in_threadpool(self._hand_out, participant)
        if told is None:
            return JSONResponse({"finished": True, **await run_in_threadpool(self._result, participant)})
        afterwards = BackgroundTasks()
        afterwards.add_task(self._prepare_next, participant)
        return JSONResponse(told, background=afterwards)

    async def picture(self, request: Request) -> Response:
        with self._lock:
            picture = self._handed.get(request.path_params["token"])
        if picture is None:
            return _error(404, "this picture is no longer there; load the page again")
        return Response(picture, media_type="image/png")

    async def answer(self, request: Request) -> Response:
        """Take an answer; only practice is told whether it was right."""
        participant = self._participant(request)
        if participant is None:
            return _error(404, "there is no session of this browser; start anew")
        body = await read_body(request, AnswerBody)
        first, second = body.shown_ms
        given = await run_in_threadpool(
            self.results.answer, participant, body.round, body.choice, (first, second), body.response_ms
        )
        if given is None:
            return _error(409, "this round has been answered already")
        with self._lock:
            self._forget(participant)
        return JSONResponse({"coloured": given.coloured} if given.kind == PRACTICE else {})

    def _participant(self, request: Request) -> str | None:
        name = request.cookies.get(self._cookie)
        return name if self.results.knows(name) else None

    def _hand_out(self, participant: str) -> dict[str, Any] | None:
        """Put the pictures of the next round that can be played where the page finds them."""
        while (waiting := self.results.current(participant)) is not None:
            index, one = waiting
            try:
                pictures = self._render(one)
            except UserError as error:
                self.results.void(participant, index, str(error))
                continue
            self.results.look(participant, index)
            # Tokens are as random as can be: neither order nor content is in them.
            tokens = [secrets.token_urlsafe(16) for _ in pictures]
            with self._lock:
                self._forget(participant)
                self._tokens[participant] = tokens
                self._handed.update(zip(tokens, pictures, strict=True))
                while len(self._handed) > _HANDED_OUT:
                    self._handed.popitem(last=False)
            number, count = self.results.place(participant, index)
            width, height = self._pairs[one.pair].size
            return {
                "round": index,
                "practice": one.kind == PRACTICE,
                "number": number,
                "count": count,
                "pictures": [f"/api/turing/picture/{token}" for token in tokens],
                "width": width,
                "height": height,
            }
        return None

    def _render(self, one: Round) -> tuple[bytes, bytes]:
        """The pictures in the order that they are shown in."""
        pair = self._pairs[one.pair]
        if one.kind == CHECK:
            truth, coloured = self._pictures.of_check(pair, self._pairs[str(one.other)])
        else:
            truth, coloured = self._pictures.of_pair(pair)
        return (truth, coloured) if one.coloured else (coloured, truth)

    def _prepare_next(self, participant: str) -> None:
        """Decode the round after this one while this one is looked at: no wait tells what comes."""
        for _, one in self.results.waiting(participant)[1:2]:
            try:
                self._render(one)
            except UserError:
                return  # found again, and told, when it is its turn

    def _result(self, participant: str) -> dict[str, Any]:
        own, everybody = self.results.summary(participant), self.results.summary()
        return {
            "own": {key: own[key] for key in ("trials", "fooled", "rate", "wilson95")},
            "everybody": {"people": len(everybody["per_participant"]), "reading": everybody["reading"]},
        }

    def _forget(self, participant: str) -> None:
        for token in self._tokens.pop(participant, ()):
            self._handed.pop(token, None)


def _error(status: int, line: str) -> JSONResponse:
    return JSONResponse({"error": line}, status_code=status)


async def _not_found(request: Request, error: Exception) -> Response:
    return _error(getattr(error, "status_code", 404), "no such address")


async def _user_error(request: Request, error: Exception) -> Response:
    status = 415 if isinstance(error, WrongType) else 503 if isinstance(error, NotSaved) else 400
    return _error(status, str(error))
