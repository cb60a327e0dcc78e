"""What colouring costs, file to file, beside the demo pipeline of Zhang et al. 2016.

    python scripts/bench_colorize.py [--model M] [--repeats 9] [--photos 200] [--memory] [--device cuda]

Ratios are what lasts; milliseconds belong to a machine and its neighbours. Everything is measured in one
process, in interleaved repeats, and medians are reported. CPU time counts all threads. Asked for:

- at least 15 times the photographs per CPU-second of the demo, both without writing the result;
- colour conversion and enlarging together cheaper than decoding and encoding the JPEG;
- the cores busy for at least 90 % of the time of a folder (told, not asked for, beside other work);
- with --memory: at most 1.2 GB for a folder of 1-megapixel photographs, 3 GB for a 16-bit TIFF of 100 MP.

How much of a CPU's speed the network reaches: scripts/bench_network.py.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
import torch
from _cic_demo import SIDE, CicDemo
from PIL import Image, ImageOps

from gan_colorize.data.image_io import read_photo, write_photo
from gan_colorize.inference.batch import colour_files
from gan_colorize.inference.plan import Job
from gan_colorize.inference.predictor import Predictor, Settings
from gan_colorize.inference.upsample import render
from gan_colorize.models import create_model
from gan_colorize.zoo.checkpoint import DEFAULT_WEIGHTS, load_model

SIZE = (1000, 750)
TIMES_THE_DEMO, BUSY = 15, 0.9
MOST_MB = {"folder of 1 MP": 1200, "TIFF of 100 MP, 16 bits": 3000}
EXAMPLES = Path(__file__).resolve().parents[1] / "gan_colorize" / "examples" / "grey"


class Clock:
    """CPU milliseconds by name."""

    def __init__(self) -> None:
        self.samples: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def __call__(self, name: str, count: int = 1) -> Iterator[None]:
        started = time.process_time()
        yield
        self.samples[name].append((time.process_time() - started) / count * 1e3)

    def median(self, name: str) -> float:
        return statistics.median(self.samples[name])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="default: the shipped weights; without them, random ones")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--photos", type=int, default=200, help="photographs in a folder's run")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or mps")
    parser.add_argument("--memory", action="store_true", help="measure peak memory as well")
    arguments = parser.parse_args()

    torch.manual_seed(0)
    model = create_model("unet", {})
    if arguments.model or DEFAULT_WEIGHTS.is_file():
        model = load_model(arguments.model or "default")
    predictor, demo, clock = Predictor(model, arguments.device), CicDemo(), Clock()
    busy, rates = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        jobs = [Job(path, (folder / "out" / path.name,)) for path in _photographs(folder, arguments.photos)]
        lightness = torch.randn(1, 1, SIDE, SIDE)
        for repeat in range(arguments.repeats + 1):
            if repeat == 1:  # the first round warms caches and makes tables
                clock, busy, rates = Clock(), [], []
            with clock("demo"):
                demo(jobs[repeat % len(jobs)].source)
            with clock("cic"):
                demo.forward(lightness)
            started, cpu = time.perf_counter(), time.process_time()
            with clock("folder", len(jobs)):
                _colour(predictor, jobs)
            seconds = time.perf_counter() - started
            busy.append((time.process_time() - cpu) / seconds / torch.get_num_threads())
            rates.append(len(jobs) / seconds)
            with clock("single"):
                _colour(predictor, jobs[:1])
            _stages(predictor, jobs[repeat % len(jobs)].source, folder / "stage.jpg", clock)
        _report(clock, predictor, statistics.median(busy), statistics.median(rates))
        if arguments.memory:
            _memory(folder)


def _photographs(folder: Path, count: int) -> list[Path]:
    """Grey JPEGs of 1000x750 made from the shipped examples."""
    sources = sorted(EXAMPLES.glob("*.jpg"))
    paths = []
    for index in range(count):
        path = folder / f"{index}.jpg"
        with Image.open(sources[index % len(sources)]) as image:
            ImageOps.fit(image.convert("L"), SIZE).save(path, quality=92)
        paths.append(path)
    return paths


def _colour(predictor: Predictor, jobs: list[Job]) -> None:
    for result in colour_files(predictor, jobs, Settings()):
        if result.error:
            sys.exit(result.error)


def _stages(predictor: Predictor, path: Path, target: Path, clock: Clock) -> None:
    """One photograph, stage by stage, on one thread as in a folder's run."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with clock("  read JPEG"):
        photo = read_photo(path)
    with clock("  lightness"):
        lightness = photo.lightness()
    with clock("  shrink, pad"):
        seen = predictor.see(lightness)
    with clock("  network, alone"):
        prediction = predictor.predict([seen])
    with clock("  decode"):
        (chroma,) = predictor.decode(prediction, [seen], Settings())
    with clock("  enlarge, Lab to RGB"):
        rgb8 = render(lightness, chroma.ab[0], chroma.extent, seen=chroma.seen)
    with clock("  write JPEG"):
        write_photo(target, rgb8, photo)
    torch.set_num_threads(threads)


def _report(clock: Clock, predictor: Predictor, busy: float, rate: float) -> None:
    demo = clock.median("demo")
    names = {
        "demo": "the demo, without writing",
        "cic": "its network alone, fp32",
        "folder": "ours, a photo of a folder",
        "single": "ours, a photo by itself",
    }
    print(f"CPU ms, medians; {torch.get_num_threads()} threads, network in {predictor.dtype}")
    for name in clock.samples:
        value = clock.median(name)
        print(f"{names.get(name, name):30s}{value:9.2f}  {value / demo:7.4f} of the demo")
    times = demo / (clock.median("folder") - clock.median("  write JPEG"))
    _told(f"{times:.1f} times the demo's photographs per CPU-second", times >= TIMES_THE_DEMO, TIMES_THE_DEMO)
    colour = clock.median("  lightness") + clock.median("  enlarge, Lab to RGB")
    share = colour / (clock.median("  read JPEG") + clock.median("  write JPEG"))
    _told(f"colour conversion and enlarging are {share:.2f} of decoding and encoding", share <= 1, 1)
    _told(f"cores busy for {busy:.1%} of the time", busy >= BUSY, f"{BUSY:.0%}")
    print(f"{rate:.1f} photographs/s by the clock")
    if predictor.device.type == "cuda":
        _accelerator(clock, predictor, rate)
    values = {name.strip(): round(clock.median(name), 3) for name in clock.samples}
    print(json.dumps({"times": round(times, 2), "share": round(share, 3), "busy": round(busy, 3)} | values))


def _told(line: str, met: bool, target: object) -> None:
    print(f"{line}; wanted {target}: {'met' if met else 'MISSED'}")


def _accelerator(clock: Clock, predictor: Predictor, rate: float) -> None:
    """The bound that decoding sets, and the network's share of the card's rate in bf16 products."""
    from torch.utils.flop_counter import FlopCounterMode

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    bound = cores * 1e3 / (clock.median("  read JPEG") + clock.median("  write JPEG"))
    print(f"decoding and encoding allow {bound:.0f} photographs/s on {cores} cores: {rate / bound:.1%} of it")
    one = predictor.see(np.random.default_rng(0).uniform(0, 100, (750, 1000)).astype(np.float32))
    with FlopCounterMode(display=False) as counter:
        predictor.predict([one])
    matrix = torch.randn(8192, 8192, device=predictor.device, dtype=torch.bfloat16)
    ours = _device_seconds(lambda: predictor.predict([one] * 16)) / 16
    ceiling = 2 * 8192**3 / _device_seconds(lambda: matrix @ matrix)
    reached = counter.get_total_flops() / ours
    print(f"network {ours * 1e3:.3f} ms a photo in 16s: {reached / 1e12:.1f} of {ceiling / 1e12:.0f} TFLOP/s")


def _device_seconds(function: object, repeats: int = 20) -> float:
    for _ in range(5):
        function()
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(repeats):
        function()
    torch.cuda.synchronize()
    return (time.perf_counter() - started) / repeats


def _memory(folder: Path) -> None:
    """Peak memory of the command, by the system's count."""
    import tifffile

    many, large = folder / "many", folder / "large"
    for each in (many, large):
        each.mkdir()
    for index, source in enumerate(_photographs(folder, 60)):
        with Image.open(source) as image:
            image.resize((1155, 866)).save(many / f"{index}.jpg", quality=92)
    ramp = np.add.outer(np.arange(10_000, dtype=np.uint32) * 3, np.arange(10_000, dtype=np.uint32) * 3)
    noise = np.random.default_rng(0).integers(0, 500, (10_000, 1), dtype=np.uint32)
    grey = (ramp + noise).astype(np.uint16)
    tifffile.imwrite(large / "scan.tif", np.repeat(grey[..., None], 3, 2), photometric="rgb", metadata=None)
    for name, source in zip(MOST_MB, (many, large), strict=True):
        peak = _peak_of(["colorize", str(source), "--output", f"{source}-out"])
        if peak is None:
            print(f"{name}: this system does not tell peak memory")
        else:
            _told(f"{name}: peak {peak:.0f} MB", peak <= MOST_MB[name], MOST_MB[name])


# Linux counts in the child's ru_maxrss what its parent had when it was started; its own status does not.
_CHILD = """
import re, sys
from gan_colorize.cli.main import main
try:
    main()
finally:
    status = open("/proc/self/status").read()
    print("VmHWM", re.search(r"VmHWM:\\s+(\\d+)", status)[1])
"""


def _peak_of(arguments: list[str]) -> float | None:
    """MB of a run of the command; None where the system does not tell."""
    if not Path("/proc/self/status").exists():
        return None
    root = EXAMPLES.parents[2]
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, *arguments], capture_output=True, text=True, cwd=root, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(arguments)}: {done.stderr}")
    return int(done.stdout.rsplit("VmHWM", 1)[1]) / 1024


if __name__ == "__main__":
    main()
