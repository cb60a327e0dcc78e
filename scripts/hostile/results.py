"""What is wrong with the result of a good file, by readers that the program does not write with."""

from __future__ import annotations

from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import tifffile

from .case import GOOD, Case, quarters

# Mean brightness of a quarter, 0..1: chroma of 8 bits moves it by thousandths, a turned picture by tenths.
_TOLERANCE = 0.02


def read_result(path: Path) -> list[np.ndarray]:
    """The pages of a result, each (H, W, C); TIFF by tifffile, AVIF by imagecodecs, others by OpenCV."""
    data = path.read_bytes()
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        with tifffile.TiffFile(path) as file:
            return [page.asarray() for page in file.pages]
    if data[4:8] == b"ftyp":
        return [imagecodecs.avif_decode(data)]
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.ndim != 3:
        return []
    return [np.ascontiguousarray(values[..., [2, 1, 0, *range(3, values.shape[2])]])]


def problems_of(case: Case, paths: list[Path]) -> list[str]:
    """A line for everything that is not as the case says."""
    if len(paths) != 1:
        return [f"{len(paths)} results"]
    pages = read_result(paths[0])
    if not pages:
        return ["its result is no colour picture"]
    first, found = pages[0], []
    size = (first.shape[1], first.shape[0])
    if case.size is not None and size != tuple(case.size):
        found.append(f"size {size} instead of {case.size}")
    if first.ndim != 3 or first.shape[2] not in (3, 4):
        found.append(f"shape {first.shape}")
        return found
    holds_more = paths[0].suffix.lower() in (".tif", ".tiff", ".png")
    if case.outcome == GOOD and holds_more:
        bits = first.dtype.itemsize * 8
        if bits < case.bits:
            found.append(f"{bits} bits instead of {case.bits}")
        if paths[0].suffix.lower() != ".png" and len(pages) != case.pages:
            found.append(f"{len(pages)} pages instead of {case.pages}")
    if case.outcome == GOOD and case.picture is not None:
        far = np.abs(np.subtract(quarters(grey_of(first[..., :3])), quarters(case.picture)))
        if far.max() > _TOLERANCE:
            found.append(f"quarters {quarters(grey_of(first[..., :3]))} instead of {quarters(case.picture)}")
    return found


def grey_of(rgb: np.ndarray) -> np.ndarray:
    """(H, W) 0..1: the sRGB grey of the luminance of sRGB colours (IEC 61966-2-1)."""
    values = rgb / np.iinfo(rgb.dtype).max
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    light = linear @ np.array([0.2126, 0.7152, 0.0722])
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
