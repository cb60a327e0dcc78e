"""Train every system on the same photographs for the same small budget and put them into one table.

    python scripts/compare.py --data PHOTOS [--data MORE] --validation VALIDATION --output FOLDER
        [--only RECIPE ...] [--images 4000] [--crop-size 64] [--limit N]

A recipe is a file of configs/ by its name. Its phases keep their kinds, losses and relative lengths; together
they are cut to the budget; crops are larger where a discriminator needs it (wallner_gan: 96 px). Rows that
are trained already are only measured, so an interrupted table goes on.
Writes FOLDER/table.md and FOLDER/pictures.jpg: the shipped example photographs, grey and by every row.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch
from ablation import sheet
from torch.utils.flop_counter import FlopCounterMode

from gan_colorize.config import Config, load_config, save_config
from gan_colorize.data.folder import open_source
from gan_colorize.evaluation.lpips_metric import load_lpips
from gan_colorize.evaluation.protocol import Settings
from gan_colorize.evaluation.runner import evaluate
from gan_colorize.files import atomic_path, save_image
from gan_colorize.inference.ready import ready_for_inference
from gan_colorize.models import create_discriminator
from gan_colorize.zoo.checkpoint import load_model

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
RECIPES = (
    "deep_colorization",
    "dahl",
    "cic",
    "wallner",
    "wallner_gan",
    "user_guided",
    "rbdn",
    "rbdn_ycbcr",
    "palette_colorizer",
    "pix2pix",
    "flagship-3",
)
BATCH = 16
COLUMNS = ("lpips", "psnr", "colorfulness", "auc", "auc_rebalanced")
HEADS = ("LPIPS", "PSNR dB", "colourfulness", "AuC %", "rebalanced AuC %")


@dataclass(frozen=True)
class Cost:
    """parameters in millions, GFLOPs at 256x256, milliseconds of one CPU core there in float32."""

    parameters: float
    flops: float
    milliseconds: float


def budgeted(config: Config, images: int, crop_size: int) -> Config:
    """The recipe with its phases cut to ``images`` in all, and nothing that waits for more than that."""
    total = sum(phase.images for phase in config.phases)
    crop_size = max(crop_size, 32 * math.ceil(_discriminator_needs(config) / 32))
    for phase in config.phases:
        phase.images = max(BATCH, round(images * phase.images / total / BATCH) * BATCH)
        phase.crop_size, phase.batch_size = crop_size, BATCH
    config.optimizer.warmup_images = min(config.optimizer.warmup_images, images // 8)
    config.optimizer.ema_images = min(config.optimizer.ema_images, images // 4)
    config.data.validation_images, config.data.validation_size = 64, crop_size
    config.run.validate_every = config.run.checkpoint_every = max(BATCH, images // 4)
    config.run.working_size = 3 * crop_size // 2
    config.run.best_by = "loss"
    return config


def _discriminator_needs(config: Config) -> int:
    """Side of the smallest picture that the recipe's discriminator can judge; 0 without one."""
    if all(phase.train == "generator" for phase in config.phases):
        return 0
    return create_discriminator(config.discriminator.name, config.discriminator.options).smallest_side


def train(recipe: str, options: argparse.Namespace) -> Path:
    """The recipe's run folder, trained now unless it is already."""
    run = options.output / recipe
    if not (run / "model.safetensors").is_file():
        config = budgeted(load_config(CONFIGS / f"{recipe}.yaml"), options.images, options.crop_size)
        small = options.output / f"{recipe}.yaml"
        save_config(config, small)
        command = [sys.executable, "-m", "gan_colorize", "train", "--config", str(small), "--resume"]
        for folder in options.data:
            command += ["--data", str(folder)]
        if code := subprocess.run([*command, "--output", str(run)], check=False).returncode:
            sys.exit(f"{recipe}: training ended with exit code {code}")
    return run


def cost(model: torch.nn.Module) -> Cost:
    """What a network weighs and takes."""
    parameters = sum(p.numel() for p in model.parameters()) / 1e6
    ready = ready_for_inference(model, torch.device("cpu"), torch.float32)
    lightness = 100.0 * torch.rand(1, 1, 256, 256, generator=torch.Generator().manual_seed(0))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            with FlopCounterMode(display=False) as counter:
                ready(lightness)
            times = []
            for _ in range(3):
                start = time.perf_counter()
                ready(lightness)
                times.append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    return Cost(parameters, counter.get_total_flops() / 1e9, 1e3 * min(times))


def main() -> None:
    """Train, measure, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, type=Path, action="append")
    parser.add_argument("--validation", required=True, type=Path)
    parser.add_argument("--output", required=True, type=Path)
    parser.add_argument("--only", nargs="+", default=RECIPES, help="these recipes")
    parser.add_argument("--images", type=int, default=4000, help="that each recipe's networks see")
    parser.add_argument("--crop-size", type=int, default=64)
    parser.add_argument("--limit", type=int, help="photographs to measure on")
    options = parser.parse_args()

    options.output.mkdir(parents=True, exist_ok=True)
    runs = {recipe: train(recipe, options) for recipe in options.only}
    source, lpips = open_source(options.validation), load_lpips("alex")
    heads = ("recipe", "M parameters", "GFLOP", "CPU ms", "T", *HEADS)
    lines = ["| " + " | ".join(heads) + " |", "|---" + "|---:" * (len(heads) - 1) + "|"]
    for recipe, run in runs.items():
        model = load_model(run)
        report, _ = evaluate(model, source, Settings(limit=options.limit, grid=0), lpips=lpips)
        if recipe == options.only[0]:
            for row in ("truth", "grey"):
                lines.append(_line([row, "", "", "", ""], report["rows"][row]))
        spent = cost(model)
        temperature = report["model"]["temperature"]
        shown = [f"{spent.parameters:.2f}", f"{spent.flops:.1f}", f"{spent.milliseconds:.0f}"]
        shown.append("" if temperature is None else f"{temperature:g}")
        lines.append(_line([recipe, *shown], report["rows"]["model"]))
        print(lines[-1], flush=True)
    lines = [
        f"Protocol `{report['protocol']['id']}`, {options.images:,} images of {options.crop_size} px.",
        "",
        *lines,
    ]
    print("\n".join(lines))
    with atomic_path(options.output / "table.md") as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    save_image(options.output / "pictures.jpg", sheet(list(runs.values())), "JPEG", quality=85)


def _line(first: list[str], numbers: dict) -> str:
    digits = (4, 2, 2, 2, 2)
    cells = [
        "" if numbers.get(k) is None else f"{_mean(numbers[k]):.{d}f}"
        for k, d in zip(COLUMNS, digits, strict=True)
    ]
    return "| " + " | ".join([*first, *cells]) + " |"


def _mean(number: float | dict) -> float:
    return number["mean"] if isinstance(number, dict) else number


if __name__ == "__main__":
    main()
