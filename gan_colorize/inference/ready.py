"""A network made ready for inference, and what running out of memory looks like."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def ready_for_inference(model: nn.Module, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """A copy of ``model`` on ``device``: eval mode, channels_last, BatchNorm folded into the convolutions.

    The caller's own network is left alone: it may be in the middle of its training.

    dtype: that of the autocast in which the copy will run. Autocast would convert the layers' weights in
        every pass (it keeps only what it converted of weights that train), a quarter of the time of one
        small photograph; the result is the same to the last bit.
    """
    ready = copy.deepcopy(model).eval().requires_grad_(False)
    for block in ready.modules():
        if isinstance(block, nn.Sequential):
            for index in range(len(block) - 1):
                first, second = block[index], block[index + 1]
                if type(first) is nn.Conv2d and type(second) is nn.BatchNorm2d:
                    block[index], block[index + 1] = fuse_conv_bn_eval(first, second), nn.Identity()
    for layer in ready.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            layer.to(dtype)
    return ready.to(device, memory_format=torch.channels_last)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch or Python ran out of memory, on an accelerator or on the CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and ("DefaultCPUAllocator" in text or "out of memory" in text)
