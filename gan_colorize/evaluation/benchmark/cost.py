"""Milliseconds a photograph and peak memory of one network, in a process of its own.

Memory that one network asked for would count as the next one's. These are numbers of a machine: they are no
part of the protocol.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ...errors import UserError

REPEATS = 7
_PATIENCE = 900.0  # seconds


def measure_cost(model: str, device: str, side: int, batch_size: int, threads: int) -> dict[str, Any]:
    """Start the process and wait for what it says.

    Args:
        model: as ``--model`` takes it; side: of the square photographs.

    Raises:
        UserError: the process failed; its last line says why.
    """
    options = {"model": model, "device": device, "side": side, "batch_size": batch_size, "threads": threads}
    command = [sys.executable, "-m", __name__, json.dumps(options)]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"time and memory of {model} not measured: {error}") from error
    lines = (run.stdout if run.returncode == 0 else run.stderr).strip().splitlines() or [""]
    if run.returncode:
        raise UserError(f"time and memory of {model} not measured: {lines[-1][:300]}")
    return json.loads(lines[-1])


def machine(device: str) -> dict[str, Any]:
    """What the numbers of a machine belong to."""
    import platform

    import torch

    from ...devices import usable_cores

    of = {
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release()}",
        "cores": usable_cores(),
        "threads": torch.get_num_threads(),
        "device": device,
    }
    if torch.device(device).type == "cuda":
        of["card"] = torch.cuda.get_device_name(device)
    return of


def _processor() -> str:
    import platform

    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def peak_bytes() -> int:
    """The most memory that this process has had at once, on the CPU."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        import resource
    except ImportError as error:  # Windows
        raise UserError("peak memory is not known on this system") from error
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024  # bytes there, kB elsewhere


def _timed(subject: Any, planes: Any, batch_size: int, synchronize: Any) -> float:
    """Median milliseconds a photograph through network and decoding, in batches of that size."""
    from ...inference.predictor import Settings as Decoding

    predictor = subject.predictor
    seen = [predictor.see(plane) for plane in planes[:batch_size]]
    times = []
    for _ in range(REPEATS + 1):  # the first one warms up
        start = time.perf_counter()
        predictor.decode(predictor.predict(seen), seen, Decoding(subject.temperature))
        synchronize()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times[1:]) / batch_size


def main(text: str) -> None:
    """Measure and print one line of JSON."""
    import numpy as np
    import torch

    from ...zoo.checkpoint import load_model
    from ..subject import Subject

    options = json.loads(text)
    torch.set_num_threads(options["threads"])
    device = torch.device(options["device"])
    cuda = device.type == "cuda"
    side, batch_size = options["side"], options["batch_size"]
    planes = np.random.default_rng(0).uniform(0, 100, (batch_size, side, side)).astype(np.float32)
    subject = Subject(load_model(options["model"]), options["device"])
    before = peak_bytes()
    synchronize = (lambda: torch.cuda.synchronize(device)) if cuda else (lambda: None)
    found: dict[str, Any] = {"side": side, "batch_size": batch_size, "repeats": REPEATS}
    found["ms_alone"] = _timed(subject, planes, 1, synchronize)
    found["ms_in_batches"] = _timed(subject, planes, batch_size, synchronize)
    found["peak_mb"] = peak_bytes() / 1e6
    found["loaded_mb"] = before / 1e6
    if cuda:
        found["peak_device_mb"] = torch.cuda.max_memory_allocated(device) / 1e6
    print(json.dumps({key: round(value, 2) for key, value in found.items()}))


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except UserError as error:
        sys.exit(str(error))
