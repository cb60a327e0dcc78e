"""Every error as {"error": "one plain line"} with the status that fits it."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from ..errors import UserError, one_line
from .editor import NotAnImage
from .folder import Outside
from .images import TooLarge
from .photos import Expired
from .requests import WrongType
from .waiting import Failure, Gone
from .work import Busy, Stale

_STATUS: dict[type[Exception], int] = {
    Outside: 403,
    TooLarge: 413,
    NotAnImage: 415,
    WrongType: 415,
    Failure: 500,
    Busy: 503,
    UserError: 400,
    FileNotFoundError: 404,
    OSError: 400,
    Expired: 404,
    Stale: 409,
}
# Nobody reads it: the connection is closed. (nginx's number for that in logs.)
_CLOSED = 499


def add_error_answers(app: FastAPI) -> None:
    """Give ``app`` an answer to everything that the routes and what they call may raise."""
    for kind in (UserError, OSError, Expired, Stale):
        app.add_exception_handler(kind, _known)
    for kind in (Gone, ClientDisconnect):
        app.add_exception_handler(kind, _closed)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(RequestValidationError, _wrong_parameter)


async def _known(request: Request, error: Exception) -> Response:
    status = next(status for kind, status in _STATUS.items() if isinstance(error, kind))
    more = {"stale": True} if isinstance(error, Stale) else {}
    return _line(status, _words(error), **more)


def _words(error: Exception) -> str:
    if isinstance(error, Expired):
        return "this photograph is no longer open here; open it again"
    if isinstance(error, Stale):
        return "a later change has taken its place"
    if isinstance(error, OSError) and error.strerror:  # its own text names the path
        return f"the file cannot be read ({error.strerror})"
    return one_line(error)


async def _closed(request: Request, error: Exception) -> Response:
    return Response(status_code=_CLOSED)


async def _plain(request: Request, error: HTTPException) -> Response:
    return _line(error.status_code, f"{request.url.path}: {error.detail}", headers=error.headers)


async def _wrong_parameter(request: Request, error: RequestValidationError) -> Response:
    first = error.errors()[0]
    return _line(400, f"{first['loc'][-1]}: {first['msg'][:1].lower()}{first['msg'][1:]}")


def _line(status: int, line: str, headers: Any = None, **more: Any) -> JSONResponse:
    return JSONResponse({"error": line, **more}, status, headers)
