"""One pass over the training images: which can be read, which are colourful, and how colours are spread.

Every image is decoded once, in parallel. What that costs is paid once: the result is stored in the cache
folder under the data's fingerprint, and with it the pixels, so that training never decodes again. A scan is
not stored when some images failed for a reason that may pass: they would stay left out.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import logging
import time
import zipfile
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..files import atomic_path, cache_dir
from .folder import ImageSource
from .pixel_cache import PixelCache, PixelCacheWriter
from .scan_pool import run_chunks
from .scan_worker import ScanTask, inspect_chunk

_log = logging.getLogger(__name__)

# Part of the stored scan's key: raise it when the meaning of a scan changes.
_VERSION = 2
_CHUNK = 64
_KEEP_DAYS = 21

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Scan:
    """What one pass over a source found.

    kept:      int64 indices into the source, ascending: readable, colourful and large enough.
    broken:    (name, reason) of images that cannot be used: unreadable or too small.
    greyish:   names of images with too little colour to learn from.
    histogram: (313,) float64, the share of every ab bin, each kept image counting 1.
    short_side: at which the images were read, and are to be read.
    cache:     the pixels of the kept images, or None when they do not fit.
    """

    kept: np.ndarray
    broken: list[tuple[str, str]]
    greyish: list[str]
    histogram: np.ndarray
    short_side: int
    cache: PixelCache | None = None


@dataclass(frozen=True)
class _Found:
    """A Scan by numbers: what is stored. ``passing``: how many of the broken may be read next time."""

    kept: np.ndarray
    broken: list[tuple[int, str]]
    greyish: list[int]
    histogram: np.ndarray
    cache: PixelCache | None
    passing: int = 0


def scan_source(
    source: ImageSource,
    *,
    min_colourfulness: float,
    short_side: int,
    cache_gigabytes: float,
    workers: int,
    progress: Progress | None = None,
) -> Scan:
    """Look at every image of ``source`` once, or load what an earlier scan of the same files found.

    Args:
        source: what to look at; it is pickled into worker processes.
        min_colourfulness: images with a lower Hasler-Süsstrunk colourfulness (0..~150) are left out.
        short_side: pictures are read, judged and kept with this short side at most.
        cache_gigabytes: the most that the pixels may take on disk; more, and training decodes files to the
            same pixels instead. 0 keeps none.
        workers: processes; 0 works in this one. With workers, a script must be importable without side
            effects (``if __name__ == "__main__"``), as everywhere in multiprocessing.
        progress: called with (images done, images in all).

    Raises:
        UserError: nothing usable is left.
    """
    settings = {
        "version": _VERSION,
        "source": source.fingerprint(),
        "min_colourfulness": float(min_colourfulness),
        "short_side": short_side,
        "gigabytes": float(cache_gigabytes),
    }
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:24]
    stored = cache_dir() / "scans" / f"{key}.npz"
    found = _load(stored)
    if found is None:
        _forget(stored.parent)
        task = ScanTask(source, short_side, cache_gigabytes > 0, min_colourfulness)
        found = _scan(source, task, cache_gigabytes, workers, progress, stored.with_suffix(".pixels"))
        if len(found.kept):
            found = _keep(found, stored)
    scan = Scan(
        kept=found.kept,
        broken=[(source.name(index), reason) for index, reason in found.broken],
        greyish=[source.name(index) for index in found.greyish],
        histogram=found.histogram,
        cache=found.cache,
        short_side=short_side,
    )
    if len(scan.kept) == 0:
        raise UserError(nothing_left(source, scan, min_colourfulness))
    return scan


def _scan(
    source: ImageSource,
    task: ScanTask,
    gigabytes: float,
    workers: int,
    progress: Progress | None,
    pixels: Path,
) -> _Found:
    total = len(source)
    size = min(_CHUNK, max(8, total // (4 * max(workers, 1))))
    chunks = [list(range(start, min(start + size, total))) for start in range(0, total, size)]
    kept: list[int] = []
    greyish: list[int] = []
    broken: dict[int, str] = {}
    histograms: dict[int, np.ndarray] = {}
    done = passing = 0
    with (
        PixelCacheWriter(pixels, gigabytes) as writer,
        closing(run_chunks(inspect_chunk, task, chunks, workers if total > _CHUNK else 0)) as results,
    ):
        for chunk, result in results:
            if result is None:
                broken[chunk[0]] = "the decoder crashed or ran out of memory"
                passing += 1
            else:
                for index, rgb8 in result.kept:
                    kept.append(index)
                    if rgb8 is not None:
                        writer.add(index, rgb8)
                greyish += result.greyish
                broken |= dict(result.broken)
                passing += result.passing
                histograms[chunk[0]] = result.histogram
            done += len(chunk)
            if progress is not None:
                progress(done, total)
        cache = writer.finish()
    # Summed in the order of the source, not of arrival: the same data gives the same last bit.
    histogram = sum((histograms[start] for start in sorted(histograms)), np.zeros(313))
    return _Found(
        kept=np.array(sorted(kept), dtype=np.int64),
        broken=sorted(broken.items()),
        greyish=sorted(greyish),
        histogram=histogram / max(histogram.sum(), 1.0),
        cache=cache,
        passing=passing,
    )


def nothing_left(source: ImageSource, scan: Scan, min_colourfulness: float) -> str:
    """What to say when no image can be trained on."""
    first = f" ({scan.broken[0][0]}: {scan.broken[0][1]})" if scan.broken else ""
    return (
        f"none of the {len(source)} image(s) can be trained on: "
        f"{len(scan.broken)} unreadable or too small{first}, "
        f"{len(scan.greyish)} with a colourfulness below {min_colourfulness:g} (data.min_colourfulness)"
    )


def _keep(found: _Found, path: Path) -> _Found:
    """Store what was found for the next run, or take what another run stored under ``path`` meanwhile."""
    other = None if found.passing else _load(path)
    if other is not None and (other.cache is not None or found.cache is None):
        if found.cache is not None:
            found.cache.delete()
        return other
    if found.passing:
        _log.warning(
            "the scan is not kept for the next run, for which the %d image(s) that failed may be readable",
            found.passing,
        )
    elif _save(found, path):
        return found
    if found.cache is not None:  # no other run can know these pixels
        atexit.register(found.cache.delete)
    return found


def _save(found: _Found, path: Path) -> bool:
    # Numbers, not names: the fingerprint allows that the folder has moved since.
    arrays = {"kept": found.kept, "histogram": found.histogram}
    arrays["lists"] = np.array(json.dumps([found.broken, found.greyish]))
    if found.cache is not None:
        arrays |= {name: getattr(found.cache, name) for name in ("indices", "offsets", "sizes")}
        arrays["pixels"] = np.array(found.cache.path.name)
    try:
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)
    except UserError as error:  # a full disk or a read-only home: the scan is still good, only not kept
        _log.warning("the scan is not kept for the next run: %s", error)
        return False
    return True


def _load(path: Path) -> _Found | None:
    """What an earlier scan found, or None when there is none, it is damaged, or its pixels are gone."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            broken, greyish = json.loads(str(arrays["lists"]))
            cache = None
            if "indices" in arrays:
                pixels = path.with_name(str(arrays["pixels"]))
                cache = PixelCache(pixels, arrays["indices"], arrays["offsets"], arrays["sizes"])
                if not cache.is_whole():
                    return None
                pixels.touch()  # see _forget
            return _Found(arrays["kept"], broken, greyish, arrays["histogram"], cache)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        _log.warning("the stored scan %s cannot be read (%s); scanning again", path, error)
        with suppress(OSError):
            path.unlink()
        return None


def _forget(folder: Path) -> None:
    """Delete pixels that no run has opened for weeks, and parts that a killed scan left behind.

    Only by age: pixels that no stored scan names may still be read by a run that scanned at the same time.
    """
    for pattern, days in (("*.pixels", _KEEP_DAYS), (".part-*", 1)):
        for path in folder.glob(pattern):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > days * 86_400:
                    path.unlink()
