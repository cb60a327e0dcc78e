"""What the editor does with photographs, for the routes of :mod:`.app`; most of it is work for a thread."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import torch
from PIL import UnidentifiedImageError

from .. import __version__
from ..color.palette import to_hex
from ..data.image_io import read_photo
from ..data.image_write import encode_photo
from ..errors import UserError, one_line
from ..inference.colorizer import Colorizer, Session
from ..inference.notices import input_notices
from ..inference.palettes import PaletteDrawer
from ..inference.reference import reference_of
from ..inference.steering import with_drawn_palette
from ..inference.wishes import Wishes, wishes_from_json, wishes_to_json
from ..inference.working_size import shrink
from .folder import Folder
from .images import check_megapixels, grey_jpeg, grey_png, jpeg, thumbnail
from .photos import MOST_MEGAPIXELS, Opened, shown_name

MOST_HINTS = 500
UPLOAD_BYTES = 200_000_000
_WISHES = "the wishes"  # what errors call them
_MOST_THUMBNAILS = 2000  # some 5 KB each
_MOST_PICTURES = 4  # of one photograph
MEDIA = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp", "tiff": "image/tiff"}
MEDIA["avif"] = "image/avif"


class NotAnImage(UserError):
    """What was opened is no picture at all."""


class Editor:
    """A model and perhaps a folder.

    Args:
        colorizer: the model, on its device.
        model: what to call it.
        folder: whose images may be opened by name.
        most_megapixels: of a photograph.
    """

    def __init__(
        self,
        colorizer: Colorizer,
        model: str = "default",
        folder: Folder | None = None,
        most_megapixels: float = MOST_MEGAPIXELS,
    ) -> None:
        self.colorizer, self.model, self.folder = colorizer, model, folder
        self.most_megapixels = most_megapixels
        self._drawer: PaletteDrawer | None = None
        self._thumbnails: OrderedDict[tuple[Path, int, int], bytes] = OrderedDict()

    def about(self) -> dict[str, Any]:
        """What the page must know of this server before it shows its controls."""
        predictor = self.colorizer.predictor
        return {
            "application": "gan_colorize",
            "version": __version__,
            "model": self.model,
            "takes": sorted(predictor.contract.takes - {"mask"}),  # which is half of "hints"
            "distribution": predictor.contract.returns == "distribution",
            "temperature": predictor.temperature,
            "saturation": predictor.saturation,
            "folder": None if self.folder is None else self.folder.name,
            "limits": {
                "megapixels": self.most_megapixels,
                "upload_mb": UPLOAD_BYTES / 1e6,
                "hints": MOST_HINTS,
            },
            "text": "palette" in predictor.contract.takes,
        }

    def open(self, source: bytes | Path, name: str) -> tuple[Session, list[str]]:
        """A photograph, and what is to be said of it.

        Raises:
            TooLarge, NotAnImage, UserError: it cannot be read; the line calls it ``name``.
        """
        name = shown_name(name)
        with _called(source, name):
            check_megapixels(source, name, self.most_megapixels)
            photo = read_photo(source, self.most_megapixels)
        return Session(self.colorizer.predictor, photo), [*photo.warnings, *input_notices(photo.pixels)]

    def open_named(self, name: str) -> tuple[Session, list[str]]:
        """An image of the folder, as :meth:`open`.

        Raises:
            Outside, FileNotFoundError: by :meth:`.Folder.resolve`.
        """
        return self.open(self.opened_folder().resolve(name), name)

    def opened_folder(self) -> Folder:
        """The folder.

        Raises:
            FileNotFoundError: none was opened.
        """
        if self.folder is None:
            raise FileNotFoundError("no folder was opened; name one when starting gan-colorize ui")
        return self.folder

    def reference(self, source: bytes, name: str) -> dict[str, Any]:
        """The colour statistics of a picture, as they stand in the wishes."""
        name = shown_name(name)
        with _called(source, name):
            check_megapixels(source, name, self.most_megapixels)
            found = reference_of(source, name)
        return wishes_to_json(Wishes(reference=found))["reference"]

    def grey(self, opened: Opened, side: int) -> bytes:
        """The photograph without colours, as a JPEG whose longer side is at most ``side``."""
        if side not in opened.pictures:
            height, width = opened.height, opened.width
            scale = min(1.0, side / max(height, width))
            shape = max(1, round(height * scale)), max(1, round(width * scale))
            while len(opened.pictures) >= _MOST_PICTURES:
                opened.pictures.pop(next(iter(opened.pictures)))
            opened.pictures[side] = grey_jpeg(shrink(opened.session.lightness, shape))
        return opened.pictures[side]

    def preview(
        self, opened: Opened, wishes: dict[str, Any], side: int, confidence: bool
    ) -> tuple[bytes, str]:
        """The coloured photograph, or how sure the network is, at most ``side`` long: file, media type."""
        session = self._wished(opened, wishes)
        if confidence:
            return grey_png(session.confidence_preview(side)), "image/png"
        return jpeg(session.preview(side)), "image/jpeg"

    def suggest(
        self, opened: Opened, wishes: dict[str, Any], x: float, y: float, count: int
    ) -> dict[str, Any]:
        """Colours for a pixel of the photograph, the most probable first, and its lightness."""
        if not (0 <= x <= opened.width and 0 <= y <= opened.height):
            raise UserError(f"x {x:g}, y {y:g}: outside the photograph ({opened.width}x{opened.height})")
        session = self._wished(opened, wishes)
        return {
            "lightness": round(session.lightness_at(x, y), 2),
            "suggestions": [
                {
                    "color": "#{:02x}{:02x}{:02x}".format(*one.rgb8),
                    "ab": [round(value, 2) for value in one.ab],
                    "probability": round(one.probability, 4),
                }
                for one in session.suggest(x, y, count)
            ],
        }

    def export(self, opened: Opened, wishes: dict[str, Any], kind: str, quality: int) -> bytes:
        """The coloured photograph at its full size, as a file that carries the input's metadata."""
        result = self._wished(opened, wishes).predict()
        return encode_photo(f".{kind}", result.picture(f".{kind}"), result.photo, quality, result.provenance)

    def palettes(self, text: str, seed: int, samples: int) -> dict[str, Any]:
        """Palettes for words, and which of the words were not known."""
        drawn = self._palette_drawer().draw(text, samples, seed)
        return {"palettes": [to_hex(one) for one in drawn.palettes], "warning": drawn.warning()}

    def thumbnail(self, name: str) -> bytes:
        """A small JPEG of an image of the folder.

        Raises:
            Outside, FileNotFoundError: by :meth:`.Folder.resolve`; UserError: it cannot be read.
        """
        path = self.opened_folder().resolve(name)
        status = path.stat()
        key = (path, status.st_mtime_ns, status.st_size)
        if key not in self._thumbnails:
            with _called(path, shown_name(name)):
                self._thumbnails[key] = thumbnail(path, self.most_megapixels)
            while len(self._thumbnails) > _MOST_THUMBNAILS:
                self._thumbnails.popitem(last=False)
        self._thumbnails.move_to_end(key)
        return self._thumbnails[key]

    def _wished(self, opened: Opened, data: dict[str, Any]) -> Session:
        wishes = wishes_from_json(data, _WISHES)
        if len(wishes.hints) > MOST_HINTS:
            raise UserError(f"hints: {len(wishes.hints)}; the editor takes up to {MOST_HINTS}")
        if wishes.text is not None and wishes.palette is None:
            wishes, _ = with_drawn_palette(wishes, self._palette_drawer())
        opened.session.wish(wishes, _WISHES)
        return opened.session

    def _palette_drawer(self) -> PaletteDrawer:
        """Loaded when words are used for the first time."""
        if self._drawer is None:
            self._drawer = PaletteDrawer()
        return self._drawer


def one_core() -> None:
    """Let what the calling thread does on the CPU be done by it alone.

    One photograph keeps a core busy for a twentieth of a second. Shared among cores the network takes half as
    long on a quiet machine, but seconds beside another busy program, when every layer waits for the slowest.
    """
    torch.set_num_threads(1)


def attachment(name: str, kind: str) -> str:
    """The Content-Disposition of a coloured photograph: attic.jpg becomes attic-coloured.png."""
    file = f"{Path(shown_name(name)).stem}-coloured.{kind}"
    plain = "".join(letter if letter.isascii() and letter not in '"\\%' else "_" for letter in file)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file, safe='')}"


@contextmanager
def _called(source: bytes | Path, name: str) -> Iterator[None]:
    """What goes wrong within is told of ``name``: where the file lies is no business of a page."""
    try:
        yield
    except UserError as error:
        line = one_line(error)
        line = line.replace(str(source), name) if isinstance(source, Path) else line
        line = line if line.startswith(f"{name}: ") else f"{name}: {line}"
        if isinstance(error.__cause__, UnidentifiedImageError):
            raise NotAnImage(line) from error
        raise type(error)(line) from error
