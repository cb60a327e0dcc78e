"""Train the rows of an ablation alike and put them into one table.

    python scripts/ablation.py --data PHOTOS [--data MORE] --validation VALIDATION --output FOLDER
        [--configs configs/ablation] [--only ROW ...]

A row is a YAML file of CONFIGS, laid over base.yaml there. Rows that are trained already are only measured,
so an interrupted table goes on. Every distribution is decoded at several temperatures, because a row is
only as good as the temperature that suits it. Writes FOLDER/table.md and FOLDER/pictures.jpg: the shipped
example photographs, grey and by every row.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
import torch
from decode_trade import decode, load_pictures, measure, predict
from PIL import Image, ImageOps

import gan_colorize
from gan_colorize import Colorizer
from gan_colorize.evaluation.colorfulness import colorfulness
from gan_colorize.files import atomic_path, save_image
from gan_colorize.inference.predictor import Predictor
from gan_colorize.zoo.checkpoint import load_model

TEMPERATURES = (0.38, 0.6, 0.8, 1.0)
EXAMPLES = Path(gan_colorize.__file__).parent / "examples" / "grey"
TILE = (200, 150)


def train(name: str, options: argparse.Namespace) -> Path:
    """The row's run folder, trained now unless it is already."""
    run = options.output / name
    if not (run / "model.safetensors").is_file():
        arguments = [
            sys.executable,
            "-m",
            "gan_colorize",
            "train",
            "--config",
            str(options.configs / "base.yaml"),
            "--config",
            str(options.configs / f"{name}.yaml"),
            "--output",
            str(run),
            "--resume",
        ]
        for folder in options.data:
            arguments += ["--data", str(folder)]
        if code := subprocess.run(arguments, check=False).returncode:
            sys.exit(f"{name}: training ended with exit code {code}")
    return run


def main() -> None:
    """Train, measure, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, type=Path, action="append")
    parser.add_argument("--validation", required=True, type=Path)
    parser.add_argument("--output", required=True, type=Path)
    parser.add_argument("--configs", type=Path, default=Path("configs/ablation"), help="folder of rows")
    parser.add_argument("--only", nargs="+", help="these rows")
    parser.add_argument("--limit", type=int, help="photographs to measure on")
    options = parser.parse_args()

    options.output.mkdir(parents=True, exist_ok=True)
    names = options.only or sorted(p.stem for p in options.configs.glob("*.yaml") if p.stem != "base")
    runs = {name: train(name, options) for name in names}

    pictures = load_pictures(options.validation, options.limit)
    truth = float(colorfulness(pictures.truth).mean())
    grey = measure(pictures, torch.zeros(len(pictures.truth), 2, 1, 1), (1, 1))
    lines = [
        f"{len(pictures.truth)} photographs; the truth's colourfulness is {truth:.2f}.",
        "",
        "| row | T | LPIPS | PSNR dB | colourfulness | of the truth's |",
        "|---|---:|---:|---:|---:|---:|",
        _line("grey", "", grey, truth),
    ]
    for name, run in runs.items():
        model = load_model(run)
        values, extent = predict(Predictor(model), pictures)
        for temperature in TEMPERATURES if model.contract.returns == "distribution" else (None,):
            ab = values.float() if temperature is None else decode(values, None, temperature)
            numbers = measure(pictures, ab, extent)
            lines.append(_line(name, "" if temperature is None else f"{temperature:g}", numbers, truth))
        print("\n".join(lines), flush=True)
    with atomic_path(options.output / "table.md") as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    save_image(options.output / "pictures.jpg", sheet(list(runs.values())), "JPEG", quality=85)


def sheet(runs: list[Path]) -> Image.Image:
    """The example photographs from top to bottom: grey, then by each run."""
    colorizers = [Colorizer(run) for run in runs]
    lines = []
    for path in sorted(EXAMPLES.glob("*.jpg")):
        with Image.open(path) as image:
            grey = np.asarray(ImageOps.fit(image.convert("L"), TILE))
        coloured = [colorizer.colorize(grey).rgb8 for colorizer in colorizers]
        lines.append(np.concatenate([np.repeat(grey[..., None], 3, 2), *coloured], 1))
    return Image.fromarray(np.concatenate(lines))


def _line(name: str, temperature: str, numbers: tuple[float, float, float], truth: float) -> str:
    lpips, decibels, colour = numbers
    return f"| {name} | {temperature} | {lpips:.4f} | {decibels:.2f} | {colour:.2f} | {colour / truth:.3f} |"


if __name__ == "__main__":
    main()
