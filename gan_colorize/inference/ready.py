"""A network made ready for inference, and what running out of memory looks like."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from . import packed

# Of the working size, for a photograph that does not fit into memory at all of it.
SMALLER = (0.75, 0.5)

Made = TypeVar("Made")


def ready_for_inference(
    model: nn.Module, device: torch.device, dtype: torch.dtype, joined: bool = True
) -> nn.Module:
    """A copy of ``model`` on ``device``: eval mode, channels_last, BatchNorm folded into the convolutions.

    The caller's own network is left alone: it may be in the middle of its training.

    joined: on a CPU, join convolutions with what follows them (:mod:`.packed`), where torch can do that.

    dtype: that of the autocast in which the copy will run. Autocast would convert the layers' weights in
        every pass (it keeps only what it converted of weights that train), a quarter of the time of one
        small photograph.
    """
    ready = copy.deepcopy(model).eval().requires_grad_(False)
    fold_norms(ready)
    for layer in ready.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            layer.to(dtype)
    ready = ready.to(device, memory_format=torch.channels_last)
    if joined and device.type == "cpu" and packed.usable(dtype):
        packed.pack(ready)
    return ready


def fold_norms(network: nn.Module) -> None:
    """Fold every BatchNorm that follows a convolution in a Sequential into it, in place, for eval mode."""
    for block in network.modules():
        if isinstance(block, nn.Sequential):
            for index in range(len(block) - 1):
                first, second = block[index], block[index + 1]
                if isinstance(first, nn.Conv2d) and type(second) is nn.BatchNorm2d:
                    block[index], block[index + 1] = fuse_conv_bn_eval(first, second), nn.Identity()


def attempt(work: Callable[[], Made], device: torch.device) -> Made | None:
    """What ``work`` makes on the device; None: memory ran out, and what it had taken of it is free again."""
    try:
        return work()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    # outside the except clause, for the error holds the failed pass's tensors
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch or Python ran out of memory, on an accelerator or on the CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and ("DefaultCPUAllocator" in text or "out of memory" in text)
