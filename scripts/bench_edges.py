"""What edge-guided enlargement of the chroma is worth, beside bilinear and cubic, on colour photographs.

    TORCH_HOME=... python scripts/bench_edges.py [--data FOLDER] [--half report|tune|all] [--model M]

True chroma: the photograph's own ab, averaged over the network's cells, enlarged again; what is lost is the
enlargement's doing. Predicted chroma: the network's, for the photograph's L. Without --data, scikit-image's
bundled photographs. In the order of their names every second one, from the first, is for tuning
(guided.py's constants were chosen there) and the others are for reporting. The folder that they were chosen
on: those five, with bus and zidane from ultralytics, china and flower from scikit-learn, cheetah, groot and
tower from gradio, quokka from imgaug, grace_hopper from matplotlib, the raccoon of scipy 1.9 (all on PyPI).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from gan_colorize.color.fast import lab_to_rgb8, rgb8_to_lab
from gan_colorize.color.threads import one_thread
from gan_colorize.errors import UserError
from gan_colorize.evaluation.lpips_metric import Lpips, load_lpips, signed_rgb
from gan_colorize.evaluation.psnr import psnr
from gan_colorize.inference.guided import follow, local_lines
from gan_colorize.inference.predictor import Predictor, Settings
from gan_colorize.inference.upsample import enlarge, render
from gan_colorize.inference.working_size import pad_to_multiple, working_shape
from gan_colorize.zoo.checkpoint import load_model

BUNDLED = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")
PHOTOGRAPHS = (".jpg", ".jpeg", ".png", ".webp")
SIZE = (1000, 750)
NEAR = 3  # pixels from an edge
STRONG = 95  # percentile of the gradient of L from which it is an edge

Extent = tuple[float, float]
Enlarge = Callable[[np.ndarray, np.ndarray, Extent], np.ndarray]


def bilinear(lightness: np.ndarray, ab: np.ndarray, extent: Extent) -> np.ndarray:
    """(2, H, W), centre-aligned, the border repeated."""
    rows, columns = (
        ((torch.arange(count) + 0.5) / count * covered * 2 / have - 1)
        for count, covered, have in zip(lightness.shape, extent, ab.shape[1:], strict=True)
    )
    grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)[None]
    small = torch.from_numpy(ab)[None]
    return F.grid_sample(small, grid, "bilinear", "border", align_corners=False)[0].numpy()


def cubic(lightness: np.ndarray, ab: np.ndarray, extent: Extent) -> np.ndarray:
    return np.stack([enlarge(plane, lightness.shape, extent) for plane in ab])


def guided(lightness: np.ndarray, ab: np.ndarray, extent: Extent) -> np.ndarray:
    lines = cubic(lightness, local_lines(lightness, ab, extent), extent)
    return follow(torch.from_numpy(lightness), torch.from_numpy(lines)).numpy()


METHODS: dict[str, Enlarge] = {"bilinear": bilinear, "cubic": cubic, "guided": guided}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of colour photographs of 500 to 1500 px")
    parser.add_argument("--half", choices=("report", "tune", "all"), default="report")
    parser.add_argument("--model", default="default")
    parser.add_argument("--repeats", type=int, default=15, help="of the timing")
    arguments = parser.parse_args()
    files = _files(arguments.data)
    files = {"tune": files[::2], "report": files[1::2], "all": files}[arguments.half]
    try:
        predictor, lpips = Predictor(load_model(arguments.model)), load_lpips()
    except UserError as error:
        sys.exit(str(error))
    rows = defaultdict(list)
    for file in files:
        with Image.open(file) as image:
            rgb8 = np.array(image.convert("RGB"))
        for name, numbers in _measure(rgb8, predictor, lpips).items():
            rows[name].append(numbers)
    _report(rows, _milliseconds(rgb8, predictor, arguments.repeats), files)


def _files(folder: Path | None) -> list[Path]:
    if folder is None:
        import skimage

        return [Path(skimage.__file__).parent / "data" / name for name in BUNDLED]
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in PHOTOGRAPHS)
    if len(files) < 2:
        sys.exit(f"--data {folder}: two or more photographs are needed")
    return files


@torch.inference_mode()
def _measure(rgb8: np.ndarray, predictor: Predictor, lpips: Lpips) -> dict[str, list[float]]:
    """Numbers of one photograph by method: four for true chroma, four for predicted."""
    true_rgb = torch.from_numpy(rgb8).permute(2, 0, 1)[None]
    lab = rgb8_to_lab(true_rgb)[0].numpy()
    lightness, true_ab = lab[0].copy(), lab[1:]
    features, near = lpips.features(signed_rgb(true_rgb)), _near_edges(lightness)
    numbers: dict[str, list[float]] = defaultdict(list)
    for ab, extent in (_perfect(true_ab, predictor), _predicted(lightness, predictor)):
        for name, method in METHODS.items():
            full = method(lightness, ab, extent)
            error = np.linalg.norm(full - true_ab, axis=0)
            rgb = torch.from_numpy(lab_to_rgb8(lightness, full)).permute(2, 0, 1)[None]
            distance = lpips.distance(features, lpips.features(signed_rgb(rgb)))
            numbers[name] += [error.mean(), error[near].mean(), distance.item(), psnr(true_rgb, rgb).item()]
    return numbers


def _near_edges(lightness: np.ndarray) -> np.ndarray:
    """(H, W) bool: within NEAR pixels (of a square) of where the gradient of L is among the strongest."""
    down, across = np.gradient(lightness)
    strength = torch.from_numpy(np.hypot(down, across))
    strong = (strength > np.percentile(strength, STRONG)).float()
    return F.max_pool2d(strong[None], 2 * NEAR + 1, 1, NEAR)[0].numpy() > 0


def _perfect(ab: np.ndarray, predictor: Predictor) -> tuple[np.ndarray, Extent]:
    """What a network that knows the truth would return: the mean ab of its cells, and their extent."""
    contract, shape = predictor.contract, working_shape(*ab.shape[1:], predictor.size)
    seen = [np.asarray(Image.fromarray(plane).resize(shape[::-1], Image.Resampling.BOX)) for plane in ab]
    seen = np.stack([pad_to_multiple(plane, contract.size_divisor) for plane in seen])
    cells = F.avg_pool2d(torch.from_numpy(seen), contract.output_stride)
    return cells.numpy(), tuple(side / contract.output_stride for side in shape)


def _predicted(lightness: np.ndarray, predictor: Predictor) -> tuple[np.ndarray, Extent]:
    seen = [predictor.see(lightness)]
    (chroma,) = predictor.decode(predictor.predict(seen), seen, Settings())
    return chroma.ab[0], chroma.extent


@one_thread()
def _milliseconds(rgb8: np.ndarray, predictor: Predictor, repeats: int) -> dict[str, float]:
    """CPU milliseconds of a render of SIZE by method: medians of interleaved repeats."""
    rgb8 = np.array(Image.fromarray(rgb8).resize(SIZE))
    lab = rgb8_to_lab(torch.from_numpy(rgb8).permute(2, 0, 1)[None])[0].numpy()
    lightness = lab[0].copy()
    ab, extent = _perfect(lab[1:], predictor)
    ways = {
        "bilinear": lambda: lab_to_rgb8(lightness, bilinear(lightness, ab, extent)),
        "cubic": lambda: render(lightness, ab, extent, edges=False),
        "guided": lambda: render(lightness, ab, extent, edges=True),
    }
    spent = defaultdict(list)
    for repeat in range(repeats + 2):
        for name, way in ways.items():
            started = time.process_time()
            way()
            if repeat >= 2:  # the first rounds warm caches and make tables
                spent[name].append((time.process_time() - started) * 1e3)
    return {name: statistics.median(values) for name, values in spent.items()}


def _report(rows: dict[str, list[list[float]]], milliseconds: dict[str, float], files: list[Path]) -> None:
    print(f"{len(files)} photographs: {', '.join(file.stem for file in files)}\n")
    one = "ab error | near edges | LPIPS | PSNR"
    print(f"| enlargement | true chroma: {one} | predicted: {one} | CPU ms | of cubic |")
    print("|---|" + "---:|" * 10)
    for name, numbers in rows.items():
        means = np.mean(numbers, axis=0)
        cells = [f"{value:.{digits}f}" for value, digits in zip(means, (3, 3, 4, 2) * 2, strict=True)]
        spent = milliseconds[name]
        print(f"| {name} | {' | '.join(cells)} | {spent:.1f} | {spent / milliseconds['cubic']:.2f} |")


if __name__ == "__main__":
    main()
