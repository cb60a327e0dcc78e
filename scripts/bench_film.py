"""What smoothing over time is worth: old films made of photographs, whose true colours are known.

    python scripts/bench_film.py PHOTOGRAPHS [--films 12] [--frames 48] [--smooth 0 0.5 0.8 0.95]

Every film pans and zooms over one photograph, shaken, with film grain and a lamp that flickers. Told of each
strength: flicker in ab a frame (along the true motion, which is known here, and along the found one), PSNR to
the true colours, the colourfulness of Hasler and Suesstrunk, and cuts that were found but are none.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch

from gan_colorize.color.lab import rgb_to_lab
from gan_colorize.data.image_io import IMAGE_SUFFIXES, Photo, read_rgb8
from gan_colorize.evaluation.colorfulness import colorfulness
from gan_colorize.evaluation.flicker import flicker
from gan_colorize.evaluation.psnr import psnr
from gan_colorize.inference.predictor import Predictor, Settings
from gan_colorize.inference.video.frame import Frame
from gan_colorize.inference.video.motion import flow_between, visible
from gan_colorize.inference.video.pipeline import Pipeline
from gan_colorize.zoo.checkpoint import load_model

SIZE = (320, 240)
# Pixels of shake, levels of grain, and share of the lamp's brightness: one standard deviation each.
SHAKE, GRAIN, LAMP = 1.0, 7.0, 0.06


class Pan:
    """A film of ``count`` frames: (true colours (H, W, 3) uint8, old film (H, W) uint8, way from picture)."""

    def __init__(self, photograph: np.ndarray, count: int, seed: int) -> None:
        random = np.random.default_rng(seed)
        side = min(photograph.shape[0] / SIZE[1], photograph.shape[1] / SIZE[0])
        first, last = random.uniform(0.6, 0.85, 2)
        begin, end = random.uniform(0.1, 0.9, (2, 2))
        self.frames = []
        for at in np.linspace(0.0, 1.0, count):
            zoom = side * (first + (last - first) * at)
            room = np.array([photograph.shape[1] - SIZE[0] * zoom, photograph.shape[0] - SIZE[1] * zoom])
            corner = room * (begin + (end - begin) * at) + random.normal(0.0, SHAKE * zoom, 2)
            way = np.array([[zoom, 0.0, corner[0]], [0.0, zoom, corner[1]]], np.float32)
            true = cv2.warpAffine(
                photograph,
                way,
                SIZE,
                flags=cv2.INTER_AREA | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REFLECT,
            )
            grain = cv2.GaussianBlur(random.normal(size=true.shape[:2]).astype(np.float32), (0, 0), 0.7)
            lamp = 1.0 + random.normal(0.0, LAMP)
            old = cv2.cvtColor(true, cv2.COLOR_RGB2GRAY) * lamp + GRAIN / 0.4 * grain
            self.frames.append((true, np.clip(np.rint(old), 0, 255).astype(np.uint8), way))

    def motion(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Where each pixel of a frame was in the one before, (H, W, 2), and whether it was there."""
        zoom, before = self.frames[index][2], self.frames[index - 1][2]
        places = np.stack(np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1])), -1).astype(np.float32)
        scale, shift = zoom[0, 0] / before[0, 0], (zoom[:, 2] - before[:, 2]) / before[0, 0]
        then = places * scale + shift
        inside = ((then >= 0) & (then <= np.float32(SIZE) - 1)).all(-1)
        return then - places, inside

    def source(self) -> Iterator[Frame]:
        for index, (_, old, _) in enumerate(self.frames):
            yield Frame(index, index, 1, lambda old=old: Photo(old))


def lab_of(rgb8: np.ndarray) -> np.ndarray:
    return rgb_to_lab(torch.from_numpy(rgb8.transpose(2, 0, 1) / 255.0)).numpy()


def measure(pan: Pan, predictor: Predictor, strength: float) -> dict[str, float]:
    """Means over a film coloured with one strength."""
    pipeline = Pipeline(predictor, Settings(), strength=strength, segment=10**9, pixels=SIZE[0] * SIZE[1])
    results = list(pipeline.run(pan.source()))
    coloured = torch.from_numpy(np.stack([frame.rgb8 for frame in results])).permute(0, 3, 1, 2)
    true = torch.from_numpy(np.stack([frame[0] for frame in pan.frames])).permute(0, 3, 1, 2)
    lab, lights = (
        [lab_of(frame.rgb8) for frame in results],
        [lab_of(np.dstack([f[1]] * 3))[0] for f in pan.frames],
    )
    along_true, along_found = [], []
    for index in range(1, len(lab)):
        along_true.append(flicker(lab[index][1:], lab[index - 1][1:], *pan.motion(index)))
        now, before = (lights[i].astype(np.float32) for i in (index, index - 1))
        flow = flow_between(now, before)
        seen = visible(flow, flow_between(before, now))
        along_found.append(flicker(lab[index][1:], lab[index - 1][1:], flow, seen))
    # the lamp and the grain are no errors of colour: truth has the film's own lightness
    ab = [
        np.concatenate([light[None], lab_of(f[0])[1:]]) for light, f in zip(lights, pan.frames, strict=True)
    ]
    error = [float(np.square(a[1:] - b[1:]).sum(0).mean()) for a, b in zip(ab, lab, strict=True)]
    return {
        "flicker (true motion)": float(np.mean(along_true)),
        "flicker (found motion)": float(np.mean(along_found)),
        "psnr": float(psnr(true, coloured).mean()),
        "ab error": float(np.sqrt(np.mean(error))),
        "colourfulness": float(colorfulness(coloured).mean()),
        "false cuts": float(sum(frame.kind != "follows" for frame in results) - 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photographs", type=Path, help="a folder of colour photographs")
    parser.add_argument("--films", type=int, default=12)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--smooth", type=float, nargs="+", default=[0.0, 0.5, 0.8, 0.95])
    parser.add_argument("--model", default="default")
    options = parser.parse_args()
    files = sorted(f for f in options.photographs.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES)
    files = files[:: max(1, len(files) // options.films)][: options.films]
    predictor = Predictor(load_model(options.model))
    pans = [Pan(read_rgb8(file), options.frames, seed) for seed, file in enumerate(files)]
    for strength in options.smooth:
        found = [measure(pan, predictor, strength) for pan in pans]
        means = {key: np.mean([one[key] for one in found]) for key in found[0]}
        print(
            f"smooth {strength:g}: " + ", ".join(f"{key} {mean:.3f}" for key, mean in means.items()),
            flush=True,
        )


if __name__ == "__main__":
    main()
