"""Runs a model over photographs; measures it beside two references: grey, and the truth through the bins."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from .. import __version__
from ..dealing import Hand, dealt
from ..distributed import from_main
from ..errors import UserError
from .auc import RebalancedAuc
from .colorfulness import colorfulness
from .frames import Frame, read_frames
from .lpips_metric import Lpips
from .measure import Measure
from .protocol import LEAST_COLORFULNESS, Settings, describe
from .semantic import Recogniser
from .summary import rounded, summarise

if TYPE_CHECKING:
    from ..data.folder import ImageSource

Grid = list[tuple[np.ndarray, ...]]


@dataclass
class _Block:
    """What a block of photographs came to; numbers stay, pixels go but for those that are shown."""

    rebalanced: RebalancedAuc
    measured: list[tuple[Frame, dict[str, Any]]] = field(default_factory=list)
    broken: list[dict[str, str]] = field(default_factory=list)
    grey: list[str] = field(default_factory=list)
    pictures: dict[int, tuple[np.ndarray, ...]] = field(default_factory=dict)


def evaluate(
    model: nn.Module,
    source: ImageSource,
    settings: Settings,
    device: str = "cpu",
    lpips: Lpips | None = None,
    progress: Callable[[int, int], None] | None = None,
    recogniser: Recogniser | None = None,
) -> tuple[dict[str, Any], Grid]:
    """Measure ``model`` on every photograph of ``source``, in float32.

    The processes of a job share the photographs by blocks of ``batch_size``. Nothing is batched across
    blocks, and nothing that is summed depends on the order, so however many processes there are, the report
    is the same.

    Args:
        model: as :func:`gan_colorize.zoo.checkpoint.load_model` returns it.
        lpips: on ``device``; None leaves LPIPS out.
        progress: called with (photographs read, photographs in all), on the main process.
        recogniser: on ``device``; None leaves the semantic check out.

    Returns:
        The report, in plain types that JSON knows (protocol, rows, model, notes, broken, skipped_grey,
        software, per_image), and pictures (truth, grey, result), each (H, W, 3) uint8, of some photographs.
        Both are empty on all processes but the main one.

    Raises:
        UserError: no photograph could be measured; the line says why.
    """
    indices = spread(len(source), settings.limit or len(source))
    shown = {indices[i] for i in spread(len(indices), settings.grid)}
    measure = Measure(model, device, settings.temperature, lpips, recogniser)
    position = {index: n for n, index in enumerate(indices)}
    size = settings.batch_size

    def work(hand: Hand) -> Iterator[tuple[int, _Block]]:
        wanted = (index for block in hand for index in indices[block * size : (block + 1) * size])
        frames = read_frames(source, wanted, settings.resize, settings.size)
        for block, of_block in groupby(frames, lambda frame: position[frame.index] // size):
            yield block, _measured(measure, of_block, shown, size)

    sizes = [min(size, len(indices) - start) for start in range(0, len(indices), size)]
    blocks: dict[int, _Block] = {}
    read = 0
    for number, block in dealt(sizes, work):
        blocks[number] = block
        measure.rebalanced.merge(block.rebalanced)
        read += sizes[number]
        if progress:
            progress(read, len(indices))
    made: list[tuple[dict[str, Any], Grid]] = []
    in_order = [blocks[number] for number in sorted(blocks)]
    # what is wrong with all photographs is wrong for every process
    from_main(lambda: made.append(_report(in_order, measure, settings, lpips, recogniser, len(indices))))
    return made[0] if made else ({}, [])


def _report(
    blocks: list[_Block],
    measure: Measure,
    settings: Settings,
    lpips: Lpips | None,
    recogniser: Recogniser | None,
    read: int,
) -> tuple[dict[str, Any], Grid]:
    """As :func:`evaluate`, of all blocks in their order."""
    broken = [item for block in blocks for item in block.broken]
    grey = [name for block in blocks for name in block.grey]
    measured = [item for block in blocks for item in block.measured]
    if not measured:
        raise UserError(_nothing_measured(read, len(grey), broken))
    numbers = [values for _, values in measured]
    report = {
        "protocol": describe(settings, lpips, (frame.sha256 for frame, _ in measured), recogniser),
        "rows": summarise(numbers, measure.over_all()),
        "model": measure.about(),
        "notes": [] if recogniser is None else [_labelled(numbers)],
        "broken": broken,
        "skipped_grey": grey,
        "software": software(),
        "per_image": [{"name": frame.name, **rounded(values)} for frame, values in measured],
    }
    pictures = {index: rows for block in blocks for index, rows in block.pictures.items()}
    return report, [pictures[index] for index in sorted(pictures)]


@torch.inference_mode()
def _measured(measure: Measure, frames: Iterator[Frame], shown: set[int], batch_size: int) -> _Block:
    block = _Block(measure.rebalanced.empty())

    def sorted_out() -> Iterator[Frame]:
        for frame in frames:
            if frame.reason is not None:
                block.broken.append({"name": frame.name, "reason": frame.reason})
            elif float(colorfulness(_batch([frame]))) <= LEAST_COLORFULNESS:
                block.grey.append(frame.name)
            else:
                yield frame

    for batch in batches_of_one_size(sorted_out(), batch_size):
        values, results = measure(_batch(batch), [frame.name for frame in batch], block.rebalanced)
        for n, frame in enumerate(batch):
            of_this = {row: {key: v[n] for key, v in of.items()} for row, of in values.items()}
            block.measured.append((replace(frame, rgb8=None), of_this))
            if frame.index in shown:
                block.pictures[frame.index] = (frame.rgb8, *(results[row][n] for row in ("grey", "model")))
    block.measured.sort(key=lambda item: item[0].index)  # batches finish in the order of their sizes
    return block


def batches_of_one_size(frames: Iterator[Frame], batch_size: int) -> Iterator[list[Frame]]:
    """Group frames of equal size, ``batch_size`` pictures of 256x256 or as many pixels together.

    At most four batches' worth of pixels wait for companions: with native sizes most have none.
    """
    budget = batch_size * 256 * 256
    waiting: dict[tuple[int, ...], list[Frame]] = {}
    held = 0
    for frame in frames:
        group = waiting.setdefault(frame.rgb8.shape, [])
        group.append(frame)
        pixels = frame.rgb8.shape[0] * frame.rgb8.shape[1]
        held += pixels
        if (len(group) + 1) * pixels > budget or held > 4 * budget:
            # the fullest group leaves: it is the current one unless the pixels ran out
            shape = max(waiting, key=lambda s: len(waiting[s]) * s[0] * s[1])
            group = waiting.pop(shape)
            held -= len(group) * shape[0] * shape[1]
            yield group
    yield from waiting.values()


def spread(total: int, count: int) -> list[int]:
    """``count`` of the numbers 0..total-1, evenly spread; all of them when there are fewer.

    Not :func:`~gan_colorize.data.folder.evenly_spread`, which ends with the last: which photographs a limit
    picks is part of the protocol.
    """
    count = min(count, total)
    return [i * total // count for i in range(count)]


def _batch(frames: list[Frame]) -> Tensor:
    """(N, 3, H, W) uint8."""
    return torch.from_numpy(np.stack([frame.rgb8 for frame in frames])).permute(0, 3, 1, 2)


def _nothing_measured(read: int, grey: int, broken: list[dict[str, str]]) -> str:
    if grey and broken:
        return f"no colour photograph among {read}: {grey} are grey and {len(broken)} cannot be used"
    if grey:
        return (
            f"no colour photograph among {read}: all are grey, and colouring is measured against true colours"
        )
    first = broken[0]
    return f"none of {read} photographs can be used; the first, {first['name']}: {first['reason']}"


def _labelled(numbers: list[dict[str, Any]]) -> str:
    count = sum(of["truth"]["top1"] is not None for of in numbers)
    return f"top-1 is over {count} of {len(numbers)} photographs: those called after their ImageNet class"


def software() -> dict[str, str]:
    from importlib.metadata import version

    packages = ("torch", "torchvision", "lpips", "pillow", "numpy")
    ours = {"gan_colorize": __version__, "python": platform.python_version()}
    return ours | {name: version(name) for name in packages}
