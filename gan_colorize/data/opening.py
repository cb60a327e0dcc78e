"""Opening an image file, and every way in which that fails, told in one line."""

from __future__ import annotations

import io
import logging
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from ..errors import UserError, one_line
from .png_text import TEXT_LEFT_OUT, without_bombs

IMAGE_SUFFIXES = (
    ".jpg",
    ".jpeg",
    ".png",
    ".webp",
    ".tif",
    ".tiff",
    ".bmp",
    ".avif",
    ".gif",
    ".jp2",
    ".ppm",
    ".pgm",
)

# Only formats that hold a photograph and are decoded here: Pillow would hand an EPS to Ghostscript.
# JPEG includes MPO, what some cameras write.
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "AVIF", "GIF", "JPEG2000", "PPM")

# Image.open(formats=...) knows only the plugins that are loaded; a bare open loads the common five.
Image.init()

MAX_MEGAPIXELS = 500.0
# Archive scans exceed Pillow's 89 megapixels. The bound is checked here, before anything is decoded; Pillow's
# own stays as a second net for what a decoder opens by itself.
Image.MAX_IMAGE_PIXELS = int(MAX_MEGAPIXELS * 1e6)

# Pillow remarks on odd metadata through Python warnings; pictures that read well need no remark. Without a
# handler of their own, what these libraries log goes to standard error.
warnings.filterwarnings("ignore", module=r"PIL\.")
for _library in ("PIL", "imagecodecs", "tifffile"):
    logging.getLogger(_library).addHandler(logging.NullHandler())
    logging.getLogger(_library).propagate = False

# Pixels of JPEG in a byte: a block of 64 takes a bit for its mean at the least, and larger ones share an end.
_MOST_PER_BYTE = 4096

# What decoders raise on damaged files; the plugins are many and agree on nothing.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    ArithmeticError,
    IndexError,
    KeyError,
    TypeError,
    RuntimeError,
    struct.error,
    zlib.error,
)


@contextmanager
def opened(source: Path | str | bytes, max_megapixels: float = MAX_MEGAPIXELS) -> Iterator[Image.Image]:
    """The image behind a path or encoded bytes, header read, pixels not yet decoded.

    Whatever goes wrong inside the block because the file is damaged leaves it as a UserError that names the
    file (bytes have no name: the caller adds it).
    """
    with damage_told(source, max_megapixels):
        with stream_of(source) as found:
            harmless = without_bombs(found)
        stream = harmless or (io.BytesIO(source) if isinstance(source, bytes) else source)
        with Image.open(stream, formats=_FORMATS) as image:
            check_size(image.width, image.height, max_megapixels)
            _check_jpeg(image, source)
            if harmless:
                image.info[TEXT_LEFT_OUT] = True
            yield image


def _check_jpeg(image: Image.Image, source: Path | str | bytes) -> None:
    """libjpeg fills what a file does not hold with grey, without a word."""
    if image.format not in ("JPEG", "MPO"):
        return
    size = len(source) if isinstance(source, bytes) else Path(source).stat().st_size
    if image.width * image.height > _MOST_PER_BYTE * size:
        raise UserError(f"damaged: {size} bytes cannot hold {image.width}x{image.height} pixels")


@contextmanager
def stream_of(source: Path | str | bytes) -> Iterator[BinaryIO]:
    """The bytes of a file or of an encoded picture."""
    with io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as stream:
        yield stream


def is_tiff(source: Path | str | bytes) -> bool:
    """Whether the first bytes are those of a TIFF or BigTIFF."""
    try:
        with stream_of(source) as stream:
            return stream.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
    except OSError:
        return False  # whoever opens it will say why


def check_size(width: int, height: int, max_megapixels: float) -> None:
    """Raise a UserError for a picture that is too large, or has no pixels at all."""
    if not all(isinstance(side, int) and side > 0 for side in (width, height)):  # a tag may hold anything
        raise UserError("damaged: its size makes no sense")
    megapixels = width * height / 1e6
    if megapixels > max_megapixels:
        raise UserError(f"{width}x{height} is {megapixels:.0f} megapixels; the limit is {max_megapixels:g}")


@contextmanager
def damage_told(source: Path | str | bytes, max_megapixels: float = MAX_MEGAPIXELS) -> Iterator[None]:
    """Turn what goes wrong in the block into a UserError that names the file."""
    name = "" if isinstance(source, bytes) else f"{source}: "
    try:
        if not isinstance(source, bytes):
            _check_file(Path(source))
        if (len(source) if isinstance(source, bytes) else Path(source).stat().st_size) == 0:
            raise UserError("the file is empty")
        yield
    except UserError as error:
        raise error if name and str(error).startswith(name) else UserError(f"{name}{error}") from error
    except FileNotFoundError as error:
        raise UserError(f"{name}no such file") from error
    except (IsADirectoryError, PermissionError) as error:
        raise UserError(f"{name}{error.strerror}") from error
    except UnidentifiedImageError as error:
        raise UserError(f"{name}not an image that can be read, whatever its name says") from error
    except Image.DecompressionBombError as error:
        raise UserError(f"{name}more than the limit of {max_megapixels:g} megapixels") from error
    except MemoryError as error:
        raise UserError(f"{name}does not fit into memory") from error
    except _DECODER_ERRORS as error:
        raise UserError(f"{name}damaged or unsupported ({one_line(error, 200)})") from error


def _check_file(path: Path) -> None:
    """A pipe would be waited for and a device may never end."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise UserError("not a regular file")
