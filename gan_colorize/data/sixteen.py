"""Colour at 16 bits a channel, which Pillow reduces to 8: PNG through torchvision, plain TIFF by hand."""

from __future__ import annotations

import zlib

import numpy as np
from PIL import Image

# Tags of TIFF 6.0.
_WIDTH, _HEIGHT = 256, 257
_BITS, _COMPRESSION, _PHOTOMETRIC, _OFFSETS, _SAMPLES, _ROWS, _COUNTS = 258, 259, 262, 273, 277, 278, 279
_PLANAR, _PREDICTOR, _EXTRA = 284, 317, 338


def is_wide_colour(image: Image.Image) -> bool:
    """Whether the file stores colour (or grey with alpha) at 16 bits, which Pillow would reduce."""
    if image.format == "PNG":
        return any(
            mode in str(image.tile[0].args if image.tile else "")
            for mode in ("RGB;16B", "RGBA;16B", "LA;16B")
        )
    if image.format == "TIFF":
        return image.mode in ("RGB", "RGBA", "RGBX") and 16 in image.tag_v2.get(_BITS, ())
    return False


def read_wide_colour(image: Image.Image) -> np.ndarray | None:
    """(H, W, C) uint16 as stored, C = 2 (grey, alpha), 3 or 4; orientation not applied.

    None when the file is packed in a way that only Pillow reads (LZW, tiles, planes), at 8 bits.
    """
    stream = image.fp
    if stream is None:
        return None
    if image.format == "TIFF":
        return _read_tiff(image)
    try:
        import torch
        from torchvision.io import decode_png
    except ImportError:  # torchvision has announced that its decoders will move to another package
        return None

    before = stream.tell()
    stream.seek(0)
    data = bytearray(stream.read())
    stream.seek(before)
    try:
        pixels = decode_png(torch.frombuffer(data, dtype=torch.uint8))
    except RuntimeError:  # how torchvision says that libpng gave up
        return None
    return pixels.permute(1, 2, 0).contiguous().numpy() if pixels.dtype == torch.uint16 else None


def _read_tiff(image: Image.Image) -> np.ndarray | None:
    tags = image.tag_v2
    compression, predictor = tags.get(_COMPRESSION, 1), tags.get(_PREDICTOR, 1)
    channels = tags.get(_SAMPLES, 1)
    plain = compression in (1, 8, 32946) and predictor in (1, 2) and tags.get(_PLANAR, 1) == 1
    # Only alpha that is not multiplied in (2) or unspecified (0) is passed on as it is.
    if not plain or _OFFSETS not in tags or channels not in (3, 4) or tags.get(_EXTRA, (2,))[0] == 1:
        return None
    width, height = tags[_WIDTH], tags[_HEIGHT]  # as stored; Pillow's are as shown
    rows = min(tags.get(_ROWS, height), height)
    order = ">u2" if tags.prefix == b"MM" else "<u2"
    out = np.empty((height, width, channels), np.uint16)
    stream = image.fp
    before = stream.tell()
    for top, offset, count in zip(range(0, height, rows), tags[_OFFSETS], tags[_COUNTS], strict=True):
        stream.seek(offset)
        data = stream.read(count)
        data = data if compression == 1 else zlib.decompress(data)
        strip = out[top : top + rows]
        values = np.frombuffer(data, order, strip.size).reshape(strip.shape)
        # Horizontal differencing wraps around, as uint16 does (TIFF 6.0, section 14).
        strip[:] = np.cumsum(values, axis=1, dtype=np.uint16) if predictor == 2 else values
    stream.seek(before)
    return out if channels == 3 or _EXTRA in tags else out[..., :3]
