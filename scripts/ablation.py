"""Train the rows of an ablation alike and put them into one table.

    python scripts/ablation.py --data PHOTOS [--data MORE] --validation VALIDATION --output FOLDER
        [--config configs/ablation.yaml] [--only ROW ...]

Rows that are trained already are only measured, so an interrupted table goes on. Every distribution is
decoded at several temperatures, because a row is only as good as the temperature that suits it. Writes
FOLDER/table.md and FOLDER/pictures.jpg (grey | rows ... | truth).
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
import yaml
from decode_trade import decode, load_pictures, measure, predict
from PIL import Image

from gan_colorize.evaluation.colorfulness import colorfulness
from gan_colorize.files import atomic_path, save_image
from gan_colorize.inference.predictor import Predictor
from gan_colorize.inference.upsample import render
from gan_colorize.zoo.checkpoint import load_model

TEMPERATURES = (0.38, 0.6, 0.8, 1.0)
SHOWN = 8


def train(name: str, base: Path, overrides: list[str], options: argparse.Namespace) -> Path:
    """The row's run folder, trained now unless it is already."""
    run = options.output / name
    if not (run / "model.safetensors").is_file():
        arguments = [
            sys.executable,
            "-m",
            "gan_colorize",
            "train",
            "--config",
            str(base),
            "--output",
            str(run),
            "--resume",
        ]
        for folder in options.data:
            arguments += ["--data", str(folder)]
        for override in overrides:
            arguments += ["--set", override]
        if code := subprocess.run(arguments, check=False).returncode:
            sys.exit(f"{name}: training ended with exit code {code}")
    return run


def main() -> None:
    """Train, measure, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, type=Path, action="append")
    parser.add_argument("--validation", required=True, type=Path)
    parser.add_argument("--output", required=True, type=Path)
    parser.add_argument("--config", type=Path, default=Path("configs/ablation.yaml"))
    parser.add_argument("--only", nargs="+", help="these rows")
    parser.add_argument("--limit", type=int, help="photographs to measure on")
    options = parser.parse_args()

    plan = yaml.safe_load(options.config.read_text(encoding="utf-8"))
    options.output.mkdir(parents=True, exist_ok=True)
    base = options.output / "base.yaml"
    base.write_text(yaml.safe_dump(plan["base"]), encoding="utf-8")
    rows = {n: o for n, o in plan["rows"].items() if not options.only or n in options.only}
    runs = {name: train(name, base, overrides, options) for name, overrides in rows.items()}

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
    columns = [_shown(pictures, torch.zeros(len(pictures.truth), 2, 1, 1), (1, 1))]
    for name, run in runs.items():
        model = load_model(run)
        values, extent = predict(Predictor(model), pictures)
        best = None
        for temperature in TEMPERATURES if model.contract.returns == "distribution" else (None,):
            ab = values.float() if temperature is None else decode(values, None, temperature)
            numbers = measure(pictures, ab, extent)
            lines.append(_line(name, "" if temperature is None else f"{temperature:g}", numbers, truth))
            if best is None or numbers[0] < best[0]:
                best = numbers[0], ab
        columns.append(_shown(pictures, best[1], extent))
        print("\n".join(lines), flush=True)
    columns.append([picture.permute(1, 2, 0).numpy() for picture in pictures.truth[_which(pictures)]])
    with atomic_path(options.output / "table.md") as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sheet = np.concatenate([np.concatenate(column, 0) for column in columns], 1)
    save_image(options.output / "pictures.jpg", Image.fromarray(sheet), "JPEG", quality=88)


def _line(name: str, temperature: str, numbers: tuple[float, float, float], truth: float) -> str:
    lpips, decibels, colour = numbers
    return f"| {name} | {temperature} | {lpips:.4f} | {decibels:.2f} | {colour:.2f} | {colour / truth:.3f} |"


def _which(pictures) -> np.ndarray:
    return np.linspace(0, len(pictures.truth) - 1, SHOWN).round().astype(int)


def _shown(pictures, ab: torch.Tensor, extent: tuple) -> list[np.ndarray]:
    return [render(pictures.lightness[n], ab[n].numpy(), extent) for n in _which(pictures)]


if __name__ == "__main__":
    main()
