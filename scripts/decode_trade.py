"""What a model's colours cost and bring: temperature, rebalancing, saturation, size and mirroring.

    python scripts/decode_trade.py MODEL --data VALIDATION_FOLDER [--temperatures 0.6 0.8 1]
        [--saturations 1 1.1] [--sizes 160 192] [--views 1 2 4 6] [--limit N]
        [--run RUN --train-data D ... --uniform-shares 0.9 1]

The network runs once over the photographs for each size and number of views; every setting then decodes the
same distributions.
Prints one Markdown table: LPIPS (alex), PSNR, colourfulness and its share of the truth's.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
import torch
from ship_weights import rebalancing_shift
from torch import Tensor

from gan_colorize.color.decode import annealed_mean
from gan_colorize.color.fast import rgb8_to_lab
from gan_colorize.data.folder import evenly_spread, open_source
from gan_colorize.evaluation.colorfulness import colorfulness
from gan_colorize.evaluation.frames import read_frames
from gan_colorize.evaluation.lpips_metric import load_lpips, signed_rgb
from gan_colorize.evaluation.psnr import psnr
from gan_colorize.inference.predictor import Predictor
from gan_colorize.inference.upsample import render
from gan_colorize.zoo.checkpoint import load_model

CHUNK = 16


@dataclass
class Pictures:
    """truth (N, 3, S, S) uint8; its L (N, S, S); LPIPS features of the truth, a chunk at a time."""

    truth: Tensor
    lightness: np.ndarray
    lpips: object
    features: list


def load_pictures(folder: Path, limit: int | None) -> Pictures:
    source = open_source(folder)
    indices = evenly_spread(len(source), limit or len(source))
    frames = [f.rgb8 for f in read_frames(source, indices, "centre-crop", 256) if f.rgb8 is not None]
    truth = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).contiguous()
    lpips = load_lpips("alex")
    with torch.no_grad():
        features = [lpips.features(signed_rgb(part)) for part in truth.split(CHUNK)]
    return Pictures(truth, rgb8_to_lab(truth)[:, 0].numpy(), lpips, features)


def predict(predictor: Predictor, pictures: Pictures) -> tuple[Tensor, tuple]:
    """Logits (N, 313, h, w) or ab (N, 2, h, w), float16, and the extent that all pictures share."""
    parts = []
    for planes in np.array_split(pictures.lightness, max(1, len(pictures.lightness) // CHUNK)):
        seen = [predictor.see(plane) for plane in planes]
        prediction = predictor.predict(seen)
        values = prediction.ab if prediction.logits is None else prediction.logits
        parts.append(values.half().clone())
    return torch.cat(parts), seen[0].extent(predictor.contract.output_stride)


def decode(logits: Tensor, shift: Tensor | None, temperature: float) -> Tensor:
    """ab (N, 2, h, w)."""
    shift = 0.0 if shift is None else shift[:, None, None]
    return torch.cat([annealed_mean(part.float() + shift, temperature) for part in logits.split(CHUNK)])


@torch.no_grad()
def measure(pictures: Pictures, ab: Tensor, extent: tuple) -> tuple[float, float, float]:
    sums = np.zeros(3)
    start = 0
    for truth, features in zip(pictures.truth.split(CHUNK), pictures.features, strict=True):
        rows = range(start, start + len(truth))
        start += len(truth)
        coloured = np.stack([render(pictures.lightness[n], ab[n].numpy(), extent) for n in rows])
        coloured = torch.from_numpy(coloured).permute(0, 3, 1, 2)
        lpips = pictures.lpips.distance(features, pictures.lpips.features(signed_rgb(coloured)))
        sums += [float(lpips.sum()), float(psnr(truth, coloured).sum()), float(colorfulness(coloured).sum())]
    return tuple(sums / len(pictures.truth))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--temperatures", nargs="+", type=float, default=[0.38, 0.6, 0.8, 1.0])
    parser.add_argument("--saturations", nargs="+", type=float, default=[1.0])
    parser.add_argument("--sizes", nargs="+", type=int, help="default: the model's own")
    parser.add_argument("--views", nargs="+", type=int, default=[1], help="see colorize --views")
    parser.add_argument("--run", type=Path, help="run folder, for --uniform-shares")
    parser.add_argument("--train-data", type=Path, action="append", default=[])
    parser.add_argument("--uniform-shares", nargs="+", type=float, default=[None])
    parser.add_argument("--limit", type=int)
    options = parser.parse_args()
    if options.uniform_shares != [None] and not (options.run and options.train_data):
        parser.error("--uniform-shares needs --run and --train-data: they tell the prior")

    model = load_model(options.model)
    pictures = load_pictures(options.data, options.limit)
    truth = float(colorfulness(pictures.truth).mean())
    grey = measure(pictures, torch.zeros(len(pictures.truth), 2, 1, 1), (1, 1))
    print(f"{len(pictures.truth)} photographs; colourfulness of the truth {truth:.2f}")
    print("| size | views | shares | T | saturation | LPIPS | PSNR dB | colourfulness | of the truth's |")
    print("|---|---:|---|---:|---:|---:|---:|---:|---:|")
    print(f"| grey | | | | | {grey[0]:.4f} | {grey[1]:.2f} | {grey[2]:.2f} | {grey[2] / truth:.3f} |")
    sizes = options.sizes or [Predictor(model).size]
    for size, views in itertools.product(sizes, options.views):
        predictor = Predictor(model, views=views)
        predictor.size = size
        logits, extent = predict(predictor, pictures)
        for share, temperature in itertools.product(options.uniform_shares, options.temperatures):
            shift = None
            if share is not None:
                shift = rebalancing_shift(options.run, options.train_data, share)
            ab = decode(logits, shift, temperature)
            for saturation in options.saturations:
                lpips, decibels, colour = measure(pictures, ab * saturation, extent)
                print(
                    f"| {size} | {views} | {share or 'own'} | {temperature:g} | {saturation:g} | "
                    f"{lpips:.4f} | {decibels:.2f} | {colour:.2f} | {colour / truth:.3f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
