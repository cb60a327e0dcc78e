"""One decision about where the work runs."""

from __future__ import annotations

from .errors import UserError


def choose_device(name: str = "auto") -> str:
    """"auto" is CUDA, else MPS, else the CPU; any other name must be there.

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
