"""One decision about where the work runs and in which arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import UserError

if TYPE_CHECKING:
    import torch

PRECISIONS = ("auto", "fp32", "bf16", "fp16")


def choose_device(name: str = "auto") -> str:
    """``auto`` is CUDA, else MPS, else the CPU; any other name must be there.

    Raises:
        UserError: no such device on this machine.
    """
    import torch

    if name == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(f"--device {name}: not a device; use auto, cpu, cuda, cuda:N or mps") from error
    missing = {
        "cuda": not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count(),
        "mps": not torch.backends.mps.is_available(),
        "cpu": False,
    }
    if missing.get(device.type, True):
        raise UserError(f"--device {name}: not available here; use auto or cpu")
    return name


def choose_dtype(name: str, device: torch.device, option: str = "precision") -> torch.dtype:
    """The arithmetic of a network; ``auto`` takes a half type only where the hardware multiplies in it.

    Emulated bfloat16 is slower than float32, and CPUs have no matrix units for float16.

    Args:
        name: one of :data:`PRECISIONS`.
        device: where the network runs.
        option: what the person set, for the error.

    Raises:
        UserError: unknown name, or fp16 on a CPU.
    """
    import torch

    if name not in PRECISIONS:
        raise UserError(f"{option} {name}: unknown; use {', '.join(PRECISIONS)}")
    if name == "fp16" and device.type == "cpu":
        raise UserError(f"{option} fp16: not on a CPU; use auto, fp32 or bf16")
    if name != "auto":
        return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[name]
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float16
    if device.type == "cpu" and _cpu_multiplies_bf16():
        return torch.bfloat16
    return torch.float32


def _cpu_multiplies_bf16() -> bool:
    import torch

    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return any(value is True for name, value in capabilities.items() if "bf16" in name)


def usable_cores() -> int:
    """Cores that this process may run on, which in a container are fewer than the machine has."""
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def keep_freed_memory() -> None:
    """Ask glibc to keep large blocks for the next step instead of returning them to the system.

    A training step on the CPU allocates and frees hundreds of megabytes of activations; mapping them anew
    cost a sixth of the step in page faults. Elsewhere than on Linux with glibc this does nothing.
    """
    import ctypes
    import sys

    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        trim_threshold, mmap_threshold = -1, -3  # malloc.h: M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
        mallopt(mmap_threshold, 1 << 30)
        mallopt(trim_threshold, (1 << 31) - 1)
