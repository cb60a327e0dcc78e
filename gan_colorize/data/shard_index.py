"""What is known of shards without reading them: ``index.json`` beside them.

    {"format": "gan-colorize shards 1",
     "shards": [{"name": "train-000000.tar", "bytes": ..., "sha256": "...",
                 "members": ["000000012.webp", ...], "offsets": [...], "sizes": [...],
                 "widths": [...], "heights": [...], "colourfulness": [...]}, ...],
     "bands": [0, 5, ...], "histograms": [[313 numbers], ...]}

Columns, for a million images have a million rows. An image that cannot be decoded has width and height 0.
``histograms`` count every usable image of all shards as 1 in the band of its colourfulness: whoever leaves
out what is greyer than some number of the bands still has exact shares of the 313 bins.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..files import save_bytes

INDEX_NAME = "index.json"
_FORMAT = "gan-colorize shards 1"
BANDS = (0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0)
_BINS = 313
_JUDGED_SIDE = 256
_SMALLEST_COUNTED = 4  # pixels: what one cell of the histogram takes


@dataclass
class ShardRecord:
    """One shard: see above. Columns have a row for each sample."""

    name: str
    bytes: int = 0
    sha256: str = ""
    members: list[str] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    heights: list[int] = field(default_factory=list)
    colourfulness: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.members)

    def add(
        self, member: str, offset: int, size: int, width: int = 0, height: int = 0, colour: float = 0.0
    ) -> None:
        """One more sample."""
        self.members.append(member)
        self.offsets.append(offset)
        self.sizes.append(size)
        self.widths.append(width)
        self.heights.append(height)
        self.colourfulness.append(colour)


@dataclass
class ShardIndex:
    """Several shards, and the spread of colours over all of them together: histograms (bands, 313)."""

    records: list[ShardRecord] = field(default_factory=list)
    histograms: np.ndarray = field(default_factory=lambda: np.zeros((len(BANDS), _BINS)))

    def count(self, colourfulness: float, histogram: np.ndarray) -> None:
        """One image's (313,) shares, which sum to 1."""
        self.histograms[int(np.searchsorted(BANDS, colourfulness, "right")) - 1] += histogram

    def add(self, other: ShardIndex) -> None:
        """Another's shards after these."""
        self.records += other.records
        self.histograms = self.histograms + other.histograms

    def to_json(self) -> bytes:
        """The file's content; the same shards give the same bytes."""
        whole = {
            "format": _FORMAT,
            "shards": [asdict(record) for record in self.records],
            "bands": list(BANDS),
            "histograms": [[round(float(v), 4) for v in row] for row in self.histograms],
        }
        return json.dumps(whole, separators=(",", ":")).encode()

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        save_bytes(path, self.to_json())


def spread_histogram(spread: np.ndarray, colours: np.ndarray, min_colourfulness: float) -> np.ndarray:
    """Shares of the bins over images that are colourful enough.

    Between two bands the lower one counts in the share of its images that pass.

    Args:
        spread: (bands, 313), as :attr:`ShardIndex.histograms`.
        colours: (n,) colourfulness of the usable images.

    Returns:
        (313,) float64 that sums to 1.
    """
    band = max(0, int(np.searchsorted(BANDS, min_colourfulness, "right")) - 1)
    upper = BANDS[band + 1] if band + 1 < len(BANDS) else np.inf
    here = colours[(colours >= BANDS[band]) & (colours < upper)]
    share = float((here >= min_colourfulness).mean()) if len(here) else 0.0
    total = spread[band + 1 :].sum(0) + share * spread[band]
    return total / max(total.sum(), 1e-9)


def parse_index(data: bytes, name: str) -> ShardIndex:
    """Read an index; ``name`` is what errors call it.

    Raises:
        UserError: it is none, or damaged.
    """
    try:
        whole = json.loads(data)
    except ValueError as error:
        raise UserError(f"{name}: not JSON; make it anew with gan-colorize pack --index-only") from error
    if not isinstance(whole, dict) or whole.get("format") != _FORMAT:
        raise UserError(f"{name}: not an index of shards that this version reads ({_FORMAT})")
    try:
        index = ShardIndex(
            [_record(entry) for entry in whole["shards"]], np.array(whole["histograms"], float)
        )
        if tuple(whole["bands"]) != BANDS or index.histograms.shape != (len(BANDS), _BINS):
            raise ValueError("histograms")
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{name}: damaged index ({error}); make it anew with --index-only") from error
    return index


def _record(entry: dict[str, Any]) -> ShardRecord:
    record = ShardRecord(**entry)
    # The file may be a stranger's, and what it says becomes names of files.
    if not all(isinstance(text, str) for text in (record.name, record.sha256, *record.members)):
        raise ValueError("names and hashes must be texts")
    if record.sha256 and not re.fullmatch("[0-9a-f]{64}", record.sha256):
        raise ValueError(f"{record.name}: sha256 is no hash")
    for column in (record.widths, record.heights):
        np.asarray(column, np.int32)
    np.asarray(record.colourfulness, np.float32)
    rows = len(record)
    columns = (record.offsets, record.sizes, record.widths, record.heights, record.colourfulness)
    if any(len(column) != rows for column in columns):
        raise ValueError(f"{record.name}: columns of different lengths")
    ends = np.asarray(record.offsets, np.int64) + np.asarray(record.sizes, np.int64)
    if rows and (min(record.offsets) < 0 or min(record.sizes) < 0 or int(ends.max()) > record.bytes):
        raise ValueError(f"{record.name}: members beyond its end")
    return record


def index_shard(path: Path, name: str) -> ShardIndex:
    """Look at every image of a shard on this machine.

    Raises:
        UserError: it is no tar archive, or cannot be read.
    """
    from .shards import members_of

    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    index = ShardIndex([ShardRecord(name, path.stat().st_size, sha256)])
    with path.open("rb") as file:
        for member, offset, size in members_of(path):
            file.seek(offset)
            index_image(index, member, offset, file.read(size))
    return index


def index_image(index: ShardIndex, member: str, offset: int, data: bytes) -> None:
    """Add an image to the last record of ``index``."""
    from .scan_worker import SMALLEST_SIDE

    try:
        width, height, colour, histogram = judge(data)
    except (UserError, MemoryError):
        index.records[-1].add(member, offset, len(data))
        return
    index.records[-1].add(member, offset, len(data), width, height, colour)
    if min(height, width) >= SMALLEST_SIDE:
        index.count(colour, histogram)


def judge(data: bytes) -> tuple[int, int, float, np.ndarray]:
    """What an index says of an encoded image: width and height, upright; its colourfulness; (313,) shares of
    the bins. The last two at a short side of 256 pixels at most.

    Raises:
        UserError: it cannot be decoded.
    """
    from .image_io import read_rgb8
    from .opening import opened
    from .scan_worker import colourfulness, histogram_of

    with opened(data) as image:
        width, height = image.size
    rgb8 = read_rgb8(data, _JUDGED_SIDE)
    if (width > height) != (rgb8.shape[1] > rgb8.shape[0]):  # turned by its EXIF orientation
        width, height = height, width
    small = min(rgb8.shape[:2]) < _SMALLEST_COUNTED
    histogram = np.zeros(_BINS) if small else histogram_of(rgb8)
    return width, height, round(colourfulness(rgb8), 2), histogram


def chosen(index: ShardIndex, names: Iterable[str]) -> tuple[list[ShardRecord], list[str]]:
    """The records of shards of these names, in this order, and the names that the index does not know."""
    known = {record.name: record for record in index.records}
    names = list(names)
    return [known[name] for name in names if name in known], [name for name in names if name not in known]
