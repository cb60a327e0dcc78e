"""Noisy grey photographs in, restored ones out, at their own size."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event

import numpy as np
import torch
from torch import Tensor, nn

from ..color.yuv import rgb_to_luma
from ..data.image_io import Photo, read_photo, write_photo
from ..data.noise import LIGHTNESS_PER_LEVEL, to_levels
from ..devices import choose_device, choose_dtype
from ..errors import UserError
from ..files import no_more_room
from ..zoo.checkpoint import load_model
from .batch import FileResult, line_for
from .plan import Job
from .ready import ready_for_inference
from .working_size import pad_to_multiple

# Work at full size takes 340 bytes a pixel, twice that in float32: large photographs go through in tiles.
TILE = 768  # a multiple of every size divisor
# What a tile sees of its neighbours, in size divisors. RBDN looks 90 pixels far with three branches (divisor
# 16) and 158 with four: with this margin, tiles and the whole give the same picture.
_MARGIN = 8


class Denoiser:
    """A network that returns lightness, ready on its device.

    Args:
        model: a .safetensors file, a run folder, or a network that carries its contract.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        precision: "auto", "fp32", "bf16" or "fp16".

    Raises:
        UserError: the model cannot be loaded, is a colorizer, or the device is not there.
    """

    def __init__(self, model: str | Path | nn.Module, device: str = "auto", precision: str = "auto") -> None:
        network = model if isinstance(model, nn.Module) else load_model(model)
        if network.contract.returns != "lightness":
            raise UserError(
                f"this model ({network.name}) does not restore grey pictures; denoise needs one that was "
                "trained with task: denoise"
            )
        self.device = torch.device(choose_device(device))
        self.dtype = choose_dtype(precision, self.device, "--precision")
        self.divisor, self.margin = network.contract.size_divisor, _MARGIN * network.contract.size_divisor
        self.model = ready_for_inference(network, self.device, self.dtype)

    def restore(self, photo: Photo) -> np.ndarray:
        """(H, W) uint8 grey levels; the colours of a colour photograph are left out."""
        levels = photo.pixels / np.float32(257.0 if photo.pixels.dtype == np.uint16 else 1.0)
        if levels.ndim == 3:
            levels = rgb_to_luma(torch.from_numpy(levels).permute(2, 0, 1)).numpy()
        height, width = levels.shape
        whole = pad_to_multiple(levels.astype(np.float32) * np.float32(LIGHTNESS_PER_LEVEL), self.divisor)
        result, margin = np.empty(whole.shape, np.uint8), self.margin
        for top in range(0, whole.shape[0], TILE):
            for left in range(0, whole.shape[1], TILE):
                first_row, first_column = max(0, top - margin), max(0, left - margin)
                seen = whole[first_row : top + TILE + margin, first_column : left + TILE + margin]
                levels8 = to_levels(self._pass(seen))[top - first_row :, left - first_column :]
                result[top : top + TILE, left : left + TILE] = levels8[:TILE, :TILE].cpu().numpy()
        return result[:height, :width]

    @torch.inference_mode()
    def _pass(self, plane: np.ndarray) -> Tensor:
        batch = torch.from_numpy(np.ascontiguousarray(plane))[None, None].to(self.device)
        half = self.dtype is not torch.float32
        with torch.autocast(self.device.type, self.dtype if half else None, enabled=half):
            return self.model(batch).lightness[0, 0]


def restore_files(denoiser: Denoiser, jobs: Sequence[Job], quality: int, stop: Event) -> Iterator[FileResult]:
    """Restore files one after the other; a full disk or ``stop`` leaves the others "not tried"."""
    over = False
    for job in jobs:
        if over or stop.is_set():
            yield FileResult(job.source, "not tried")
            continue
        result = FileResult(job.source, "restored")
        started = time.perf_counter()
        try:
            photo = read_photo(job.source)
            grey = denoiser.restore(photo)
            write_photo(job.outputs[0], np.repeat(grey[..., None], 3, 2), photo, quality=quality)
            result.outputs, result.size = [job.outputs[0]], photo.size
            result.warnings = [*photo.warnings, *_notices(photo)]
        except Exception as error:
            over = no_more_room(error)
            result.status, result.error = "failed", line_for(job.source, error)
        result.seconds = time.perf_counter() - started
        yield result


def _notices(photo: Photo) -> list[str]:
    notices = ["written with 8 bits; it was restored from all 16"] if photo.bits > 8 else []
    if photo.pixels.ndim == 3 and np.ptp(photo.pixels[::8, ::8].astype(np.int32), axis=2).any():
        notices.append("the input has colours; the result is grey")
    if photo.pages > 1:
        notices.append(f"has {photo.pages} pages; only the first is restored")
    return notices
