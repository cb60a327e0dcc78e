"""In which arithmetic the network runs, and a network made ready for it."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..errors import UserError

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """dtype of the network's arithmetic; ``auto`` takes a half type only where the hardware multiplies in it.

    Emulated bfloat16 is slower than float32, and CPUs have no matrix units for float16.

    Raises:
        UserError: unknown name, or float16 on a CPU.
    """
    if name != "auto":
        if name not in PRECISIONS:
            raise UserError(f"--precision {name}: unknown; use auto, {', '.join(PRECISIONS)}")
        if name == "float16" and device.type == "cpu":
            raise UserError("--precision float16: not on a CPU; use auto, float32 or bfloat16")
        return PRECISIONS[name]
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float16
    if device.type == "cpu" and _cpu_multiplies_bfloat16():
        return torch.bfloat16
    return torch.float32


def ready_for_inference(model: nn.Module, device: torch.device) -> nn.Module:
    """A copy of ``model`` on ``device``: eval mode, channels_last, BatchNorm folded into the convolutions.

    The caller's own network is left alone: it may be in the middle of its training.
    """
    ready = copy.deepcopy(model).eval().requires_grad_(False)
    for block in ready.modules():
        if isinstance(block, nn.Sequential):
            for index in range(len(block) - 1):
                first, second = block[index], block[index + 1]
                if type(first) is nn.Conv2d and type(second) is nn.BatchNorm2d:
                    block[index], block[index + 1] = fuse_conv_bn_eval(first, second), nn.Identity()
    return ready.to(device, memory_format=torch.channels_last)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch or Python ran out of memory, on an accelerator or on the CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and ("DefaultCPUAllocator" in text or "out of memory" in text)


def _cpu_multiplies_bfloat16() -> bool:
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return any(value is True for name, value in capabilities.items() if "bf16" in name)
