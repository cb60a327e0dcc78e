"""Opening an image file, and every way in which that fails, told in one line."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from ..errors import UserError, one_line

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

# Pillow remarks on odd metadata through Python warnings; pictures that read well need no remark.
warnings.filterwarnings("ignore", module=r"PIL\.")

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
    name = "" if isinstance(source, bytes) else f"{source}: "
    try:
        size = len(source) if isinstance(source, bytes) else Path(source).stat().st_size
        if size == 0:
            raise UserError(f"{name}the file is empty")
        with Image.open(
            io.BytesIO(source) if isinstance(source, bytes) else source, formats=_FORMATS
        ) as image:
            megapixels = image.width * image.height / 1e6
            if megapixels > max_megapixels:
                raise UserError(
                    f"{name}{image.width}x{image.height} is {megapixels:.0f} megapixels; "
                    f"the limit is {max_megapixels:g}"
                )
            yield image
    except UserError as error:
        raise error if str(error).startswith(name) else UserError(f"{name}{error}") from error
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
        raise UserError(f"{name}damaged or unsupported ({one_line(error)})") from error
