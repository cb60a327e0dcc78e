"""CPU time of colouring a 0.75-megapixel JPEG, file to file, beside the CIC network's forward pass alone.

    python scripts/bench_colorize.py [--model M] [--repeats 9]

The ratio is what lasts; milliseconds belong to a machine and its neighbours. Everything is measured in
one process, in interleaved repeats, and medians are reported. CPU time counts all threads.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from PIL import Image, ImageOps
from torch import Tensor, nn

from gan_colorize.data.image_io import read_photo, write_photo
from gan_colorize.inference.batch import colour_files
from gan_colorize.inference.plan import Job
from gan_colorize.inference.predictor import Predictor, Settings
from gan_colorize.inference.upsample import render
from gan_colorize.models import create_model
from gan_colorize.zoo.checkpoint import DEFAULT_WEIGHTS, load_model

SIZE = (1000, 750)
TARGET = 0.1
EXAMPLES = Path(__file__).resolve().parents[1] / "gan_colorize" / "examples" / "grey"


def cic_network() -> nn.Module:
    """The network of Zhang, Isola, Efros 2016 (figure 2) with random weights: 32 M parameters, 84 GFLOP."""
    layers: list[nn.Module] = []
    channels = 1

    def block(*widths: int, stride: int = 1, dilation: int = 1, norm: bool = True) -> None:
        nonlocal channels
        for index, width in enumerate(widths):
            step = stride if index == len(widths) - 1 else 1
            layers.extend((nn.Conv2d(channels, width, 3, step, dilation, dilation), nn.ReLU(inplace=True)))
            channels = width
        if norm:
            layers.append(nn.BatchNorm2d(channels))

    block(64, 64, stride=2)
    block(128, 128, stride=2)
    block(256, 256, 256, stride=2)
    block(512, 512, 512)
    block(512, 512, 512, dilation=2)
    block(512, 512, 512, dilation=2)
    block(512, 512, 512)
    layers.extend((nn.ConvTranspose2d(512, 256, 4, 2, 1), nn.ReLU(inplace=True)))
    channels = 256
    block(256, 256, norm=False)
    layers.append(nn.Conv2d(256, 313, 1))
    return nn.Sequential(*layers).eval()


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
    parser.add_argument("--photos", type=int, default=8, help="photographs in a folder's run")
    arguments = parser.parse_args()

    torch.manual_seed(0)
    model = create_model("unet", {})
    if arguments.model or DEFAULT_WEIGHTS.is_file():
        model = load_model(arguments.model or "default")
    predictor = Predictor(model)
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        photos = _photographs(Path(folder), arguments.photos)
        baseline = _baseline()
        for repeat in range(arguments.repeats + 1):
            if repeat == 1:
                clock = Clock()  # the first round warms caches and makes tables
            with clock("cic"):
                baseline()
            jobs = [Job(path, (Path(folder, "out", path.name),)) for path in photos]
            with clock("folder", len(jobs)):
                _colour(predictor, jobs)
            with clock("single"):
                _colour(predictor, jobs[:1])
            _stages(predictor, photos[0], Path(folder, "stage.jpg"), clock)
    _report(clock, predictor)


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


def _baseline() -> Callable[[], Tensor]:
    network, lightness = cic_network(), torch.randn(1, 1, 256, 256)

    @torch.inference_mode()
    def forward() -> Tensor:
        return network(lightness)

    return forward


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
    with clock("  network"):
        prediction = predictor.predict([seen])
    with clock("  decode"):
        (chroma,) = predictor.decode(prediction, [seen], Settings())
    with clock("  enlarge, Lab to RGB"):
        rgb8 = render(lightness, chroma.ab[0], chroma.extent, seen=chroma.seen)
    with clock("  write JPEG"):
        write_photo(target, rgb8, photo)
    torch.set_num_threads(threads)


def _report(clock: Clock, predictor: Predictor) -> None:
    cic = clock.median("cic")
    names = {
        "cic": "CIC forward, fp32, 256x256",
        "folder": "a photo of a folder",
        "single": "a photo by itself",
    }
    print(f"CPU ms, medians; {torch.get_num_threads()} threads, network in {predictor.dtype}")
    for name in clock.samples:
        print(f"{names.get(name, name):30s}{clock.median(name):9.1f}  {clock.median(name) / cic:7.4f} of CIC")
    ratio = clock.median("folder") / cic
    print(f"target at most {TARGET} of CIC: {'met' if ratio <= TARGET else 'MISSED'}")
    print(
        json.dumps({"ratio": round(ratio, 4)} | {name.strip(): clock.median(name) for name in clock.samples})
    )


if __name__ == "__main__":
    main()
