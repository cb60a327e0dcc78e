"""How well a network is steered: PSNR against the number of revealed points, and told the truth's colours.

The protocol is that of Zhang, Zhu et al. 2017, figure 6: patches of 6x6 pixels of a picture of 256x256 reveal
their mean colour. Here a patch is a hint as a person gives it, so that what is measured is what people get.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ..color.fast import rgb8_to_lab
from ..color.palette import COLOURS, palette_to_rgb8, to_hex
from ..data.palettes import picture_palettes
from ..dealing import Hand, dealt
from ..distributed import from_main
from ..errors import UserError
from ..inference import steering
from ..inference.predictor import Predictor, Seen
from ..inference.predictor import Settings as Decoding
from ..inference.reference import reference_of
from ..inference.upsample import render
from ..inference.wishes import Hint, Wishes
from .colorfulness import colorfulness
from .frames import Frame, read_frames
from .protocol import LEAST_COLORFULNESS, Settings
from .psnr import psnr
from .runner import spread

if TYPE_CHECKING:
    from ..data.folder import ImageSource

POINTS = (0, 1, 2, 5, 10, 20, 50, 100, 500)
PATCH = 6
# dB at those points, on 1,000 ImageNet photographs: psnrs_siggraph.npy of the authors' repository; its last
# value is for 501 points.
PUBLISHED = (24.43, 25.37, 26.20, 27.39, 28.42, 29.34, 30.42, 31.13, 32.14)
# Outer radii of the rings in which one wrong hint's effect is measured, as shares of the shorter side.
RINGS = (0.05, 0.1, 0.2, 0.3, 0.5, 1.5)
# How far the wrong colour lies from the one that the network chose by itself, in units of ab.
_WRONG = 40.0


def evaluate_guided(
    model: nn.Module,
    source: ImageSource,
    settings: Settings,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Measure on the photographs that :func:`~gan_colorize.evaluation.runner.evaluate` measures.

    Returns:
        Plain types: ``points`` with ``psnr`` (dB, means over photographs), ``network_alone`` (the same
        without the correction of :mod:`~gan_colorize.inference.propagate`) and ``published``; ``overall``:
        PSNR with nothing, the truth's histogram and saturation, its palette; ``one_hint``: mean change of ab
        by one hint of another colour, at the hint and in rings around it, in units of ab. Empty on all
        processes of a job but the main one.

    Raises:
        UserError: the network does not listen to hints, or no photograph is there.
    """
    check_listens(model)
    predictor = Predictor(model, device, "fp32")
    subject = _Subject(predictor, Decoding(temperature=settings.temperature))
    indices = spread(len(source), settings.limit or len(source))
    position = {index: n for n, index in enumerate(indices)}

    def work(hand: Hand) -> Iterator[tuple[int, dict[str, list[float]] | None]]:
        wanted = (indices[n] for n in hand)
        for frame in read_frames(source, wanted, settings.resize, settings.size):
            usable = frame.reason is None and _has_colour(frame)
            yield position[frame.index], subject.measure(frame) if usable else None

    found: dict[int, dict[str, list[float]] | None] = {}
    for n, of_one in dealt([1.0] * len(indices), work):
        found[n] = of_one
        if progress:
            progress(len(found), len(indices))
    made: list[dict[str, Any]] = []
    numbers = [found[n] for n in sorted(found) if found[n] is not None]
    from_main(lambda: made.append(_report(numbers, subject.overall)))
    return made[0] if made else {}


def _report(numbers: list[dict[str, list[float]]], overall: list[str]) -> dict[str, Any]:
    if not numbers:
        raise UserError("--guided: no colour photograph could be measured")
    means = {key: np.mean([one[key] for one in numbers], 0).round(3).tolist() for key in numbers[0]}
    return {
        "photographs": len(numbers),
        "protocol": f"patches of {PATCH}x{PATCH} px at places drawn evenly, each set within the next; "
        "their mean ab as hints of that size",
        "points": list(POINTS),
        "psnr": means["psnr"],
        "network_alone": means["network_alone"],
        "published": {"source": "Zhang, Zhu et al. 2017 (on other photographs)", "psnr": list(PUBLISHED)},
        "overall": dict(zip(overall, means["overall"], strict=True)),
        "one_hint": {"rings": list(RINGS), "change_of_ab": means["one_hint"]},
    }


def check_listens(model: nn.Module) -> None:
    """Raise a UserError when a network does not listen to hints."""
    if "hints" not in model.contract.takes:
        raise UserError(f"--guided: this model ({model.name}) does not listen to hints")


class _Subject:
    """A network and the ways in which it is steered."""

    def __init__(self, predictor: Predictor, decoding: Decoding) -> None:
        self.predictor, self.decoding = predictor, decoding
        takes = predictor.contract.takes
        self.overall = ["nothing"]
        self.overall += ["histogram and saturation"] if "histogram" in takes else []
        self.overall += ["palette"] if "palette" in takes else []

    def measure(self, frame: Frame) -> dict[str, list[float]]:
        truth = torch.from_numpy(frame.rgb8.copy()).permute(2, 0, 1)[None]
        lab = rgb8_to_lab(truth)
        lightness, ab = lab[0, 0].contiguous().numpy(), lab[0, 1:].numpy()
        seen = self.predictor.see(lightness)
        # of the file's content: the same in a folder and in a shard
        chance = np.random.default_rng(int(frame.sha256[:12], 16))
        hints = revealed(ab, max(POINTS), chance)
        found: dict[str, list[float]] = {"psnr": [], "network_alone": [], "overall": []}
        for count in POINTS:
            for key, met in (("psnr", True), ("network_alone", False)):
                colours = self._colours(lightness, seen, Wishes(hints=hints[:count]), met)
                found[key].append(_psnr(lightness, seen, colours, truth))
        for wish in self.overall:
            colours = self._colours(lightness, seen, _overall(wish, frame.rgb8, lab, chance), True)
            found["overall"].append(_psnr(lightness, seen, colours, truth))
        found["one_hint"] = self._falloff(lightness, seen, chance)
        return found

    def _colours(self, lightness: np.ndarray, seen: Seen, wishes: Wishes, met: bool) -> Any:
        told = steering.tell(wishes, lightness.shape, seen, self.predictor.contract)
        settings = steering.settings_of(wishes, self.decoding)
        answer = steering.predict(self.predictor, [seen], told)
        told = told if met else replace(told, hints=None)
        return steering.decode(self.predictor, answer, [seen], told, settings)[0]

    def _falloff(self, lightness: np.ndarray, seen: Seen, chance: np.random.Generator) -> list[float]:
        """Mean change of ab at one hint of a colour that the network did not choose, and around it."""
        height, width = lightness.shape
        free = self._colours(lightness, seen, Wishes(), True)
        rows, columns = (max(1, round(side)) for side in free.extent)
        y, x = chance.uniform(0.2, 0.8, 2)
        at = free.ab[0][:, int(y * rows), int(x * columns)]
        turn = chance.uniform(0, 2 * np.pi)
        wrong = at + _WRONG * np.array([np.cos(turn), np.sin(turn)])
        hint = Hint(((x * width, y * height),), PATCH / 2, (float(wrong[0]), float(wrong[1])))
        told = self._colours(lightness, seen, Wishes(hints=(hint,)), True)
        change = np.linalg.norm(told.ab[0] - free.ab[0], axis=0)[:rows, :columns]
        down, across = np.mgrid[:rows, :columns] + 0.5
        distance = np.hypot((down / rows - y) * height, (across / columns - x) * width) / min(height, width)
        means = [change.flat[distance.argmin()]]
        for inner, outer in zip((0.0, *RINGS[:-1]), RINGS, strict=True):
            ring = (distance >= inner) & (distance < outer)
            means.append(change[ring].mean() if ring.any() else change.flat[distance.argmin()])
        return [float(mean) for mean in means]


def revealed(ab: np.ndarray, count: int, chance: np.random.Generator) -> tuple[Hint, ...]:
    """``count`` patches of a picture's ab (2, H, W) as hints, at places drawn evenly."""
    _, height, width = ab.shape
    hints = []
    for _ in range(count):
        top, left = int(chance.integers(0, height - PATCH + 1)), int(chance.integers(0, width - PATCH + 1))
        a, b = ab[:, top : top + PATCH, left : left + PATCH].mean((1, 2)).tolist()
        hints.append(Hint(((left + PATCH / 2, top + PATCH / 2),), PATCH / 2, (a, b)))
    return tuple(hints)


def _overall(wish: str, rgb8: np.ndarray, lab: Tensor, chance: np.random.Generator) -> Wishes:
    if wish == "palette":
        generator = torch.Generator().manual_seed(int(chance.integers(2**31)))
        draws = torch.rand(1, COLOURS, generator=generator, dtype=torch.float64)
        return Wishes(palette=tuple(to_hex(palette_to_rgb8(picture_palettes(lab, draws)[0]))))
    return Wishes() if wish == "nothing" else Wishes(reference=reference_of(rgb8))


def _psnr(lightness: np.ndarray, seen: Seen, chroma: Any, truth: Tensor) -> float:
    rgb8 = render(lightness, chroma.ab[0], chroma.extent, seen=chroma.seen)
    return float(psnr(torch.from_numpy(rgb8).permute(2, 0, 1)[None], truth)[0])


def _has_colour(frame: Frame) -> bool:
    rgb = torch.from_numpy(frame.rgb8.copy()).permute(2, 0, 1)[None]
    return float(colorfulness(rgb)) > LEAST_COLORFULNESS
