"""What the browser sends, checked: JSON bodies of known keys, numbers within bounds, one line when not."""

from __future__ import annotations

import json
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from ..errors import UserError

_Text = str
# What JavaScript counts exactly.
_MOST_SEQUENCE = 2**53


class WrongType(UserError):
    """A body that is not what this address takes."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class OpenBody(_Body):
    """A photograph of the opened folder."""

    name: str = Field(max_length=4096)


class PreviewBody(_Body):
    """A picture for the page; ``tab``, ``kind`` and ``sequence`` say which earlier ones it replaces."""

    wishes: dict[str, Any]
    tab: str = Field(default="", max_length=100)
    sequence: int = Field(default=0, ge=0, le=_MOST_SEQUENCE)
    side: int = Field(default=1600, ge=16, le=4096)
    kind: str = Field(default="main", max_length=40)
    confidence: bool = False


class SuggestBody(_Body):
    """Where colours are suggested, in pixels of the photograph."""

    wishes: dict[str, Any]
    x: float
    y: float
    count: int = Field(default=9, ge=1, le=32)


class ExportBody(_Body):
    """The file that is to be made."""

    wishes: dict[str, Any]
    format: Literal["png", "jpg", "webp", "tiff", "avif"] = "png"
    quality: int = Field(default=95, ge=1, le=100)


class PaletteBody(_Body):
    """Palettes for words."""

    text: str = Field(max_length=500)
    seed: int = Field(default=0, ge=0, le=_MOST_SEQUENCE)
    samples: int = Field(default=5, ge=1, le=20)


class StartBody(_Body):
    """A session of the Turing test; ``another``: of somebody else in the same browser."""

    another: bool = False


class AnswerBody(_Body):
    """The answer to a round of the Turing test: which picture (0 the first) is called the computer's."""

    round: int = Field(ge=0, le=_MOST_SEQUENCE)
    choice: Literal[0, 1]
    shown_ms: list[float] = Field(min_length=2, max_length=2)
    response_ms: float = Field(ge=0)


Known = TypeVar("Known", bound=_Body)


async def read_body(request: Request, kind: type[Known]) -> Known:
    """The JSON body of a request.

    Raises:
        WrongType: it is not sent as JSON.
        UserError: it is no JSON, or not of this kind; in one line.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise WrongType("send JSON, with the content type application/json")
    try:
        values = json.loads(await request.body(), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise UserError("the request is no JSON that can be read") from error
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if first["type"] == "model_type":  # whose own words name a class of the program's
            raise UserError("the request must be an object in braces") from None
        where = ".".join(map(str, first["loc"]))
        raise UserError(
            ": ".join(filter(None, (where, first["msg"][:1].lower() + first["msg"][1:])))
        ) from None


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")
