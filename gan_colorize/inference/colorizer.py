"""The Python interface: a model kept ready, photographs in, colour photographs out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from torch import nn

from ..data.image_io import Photo, read_photo, write_photo
from ..devices import choose_device
from ..errors import UserError
from ..models.contract import Conditions, Prediction
from ..zoo.checkpoint import load_model
from .notices import input_notices, result_notices
from .predictor import Chroma, Predictor, Settings
from .upsample import enlarge, render

Source = str | Path | bytes | np.ndarray


@dataclass(frozen=True)
class Result:
    """One coloured photograph.

    rgb8:       (H, W, 3) uint8 sRGB, at the photograph's size, with the photograph's lightness.
    confidence: (H, W) float32 in 0..1, or None when it was not asked for.
    warnings:   findings in words: already coloured input, nearly grey result, ...
    photo:      the input, whose alpha, EXIF and resolution :meth:`save` carries over.
    """

    rgb8: np.ndarray
    confidence: np.ndarray | None
    warnings: list[str]
    photo: Photo = field(repr=False)

    def save(self, path: str | Path, quality: int = 95) -> None:
        """Write the photograph; the format follows the suffix."""
        write_photo(Path(path), self.rgb8, self.photo, quality=quality)


class Colorizer:
    """A model on a device.

    Args:
        model: "default", a .safetensors file, a run folder, or a network that carries its contract.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        precision: "auto", "fp32", "bf16" or "fp16".
        views: looks at each photograph that are averaged: 1, 2, 4 or 6.

    Raises:
        UserError: the model cannot be loaded or the device is not there.
    """

    def __init__(
        self,
        model: str | Path | nn.Module = "default",
        device: str = "auto",
        precision: str = "auto",
        views: int = 1,
    ) -> None:
        chosen = choose_device(device)
        network = model if isinstance(model, nn.Module) else load_model(model)
        self.predictor = Predictor(network, chosen, precision, views)

    def open(self, source: Source) -> Session:
        """Read a photograph once, to colour it several times."""
        return Session(self.predictor, as_photo(source))

    def colorize(
        self,
        source: Source,
        *,
        temperature: float | None = None,
        saturation: float | None = None,
        seed: int | None = None,
        confidence: bool = False,
    ) -> Result:
        """Colour one photograph; arguments as in :meth:`Session.colorize`."""
        return self.open(source).colorize(
            temperature=temperature, saturation=saturation, seed=seed, confidence=confidence
        )


class Session:
    """One photograph under a model: the network runs once, colours are then drawn cheaply."""

    def __init__(self, predictor: Predictor, photo: Photo) -> None:
        self.photo = photo
        self.lightness = photo.lightness()
        self.seen = predictor.see(self.lightness)
        self._predictor = predictor
        self._prediction: Prediction | None = None
        self._wishes: Conditions | None = None

    def colorize(
        self,
        *,
        temperature: float | None = None,
        saturation: float | None = None,
        seed: int | None = None,
        confidence: bool = False,
        conditions: Conditions | None = None,
    ) -> Result:
        """Colour the photograph.

        Args:
            temperature: of the distribution; None is the model's own.
            saturation: factor on the chroma; None is the model's own, and 1 for samples and with wishes,
                which are to be met as they are.
            seed: draw a sample with this seed; None for the annealed mean.
            confidence: also return the map of how sure the network is.
            conditions: wishes, for a batch of one; hint planes have the size of ``self.seen.plane``.
                The network runs again only when they are another object than the last time.
        """
        if conditions is not None and saturation is None:
            saturation = 1.0
        settings = Settings(temperature, 0 if seed is None else 1, seed or 0, confidence, saturation)
        self._predictor.check(settings)
        if self._prediction is None or conditions is not self._wishes:
            self._prediction = self._predictor.predict([self.seen], conditions)
            self._wishes = conditions
        (chroma,) = self._predictor.decode(self._prediction, [self.seen], settings)
        return Result(
            rgb8=render(self.lightness, chroma.ab[0], chroma.extent, seen=chroma.seen),
            confidence=confidence_map(chroma, self.lightness.shape),
            warnings=notices(self.photo, chroma, self.seen.shape, self._predictor.size),
            photo=self.photo,
        )


def colorize(
    source: Source,
    output: str | Path | None = None,
    *,
    model: str | Path | nn.Module = "default",
    device: str = "auto",
    views: int = 1,
    temperature: float | None = None,
    saturation: float | None = None,
    seed: int | None = None,
    confidence: bool = False,
) -> Result:
    """Colour one photograph and, with ``output``, write it. For several, keep a :class:`Colorizer`."""
    result = Colorizer(model, device, views=views).colorize(
        source, temperature=temperature, saturation=saturation, seed=seed, confidence=confidence
    )
    if output is not None:
        result.save(output)
    return result


def as_photo(source: Source) -> Photo:
    """A file's path, its bytes, or an array (H, W), (H, W, 3) of uint8 or uint16 as a Photo."""
    if isinstance(source, str | Path | bytes):
        return read_photo(Path(source) if isinstance(source, str) else source)
    found = f"{source.dtype} {source.shape}"
    if source.dtype not in (np.uint8, np.uint16) or source.ndim not in (2, 3) or 0 in source.shape:
        raise UserError(f"an array must be (H, W) or (H, W, 3) of uint8 or uint16; got {found}")
    if source.ndim == 3 and source.shape[2] != 3:
        raise UserError(f"an array's last side must be 3 (red, green, blue); got {source.shape}")
    return Photo(pixels=source, bits=8 * source.itemsize)


def confidence_map(chroma: Chroma, shape: tuple[int, int]) -> np.ndarray | None:
    """The map at the photograph's (H, W), in 0..1; None when there is none."""
    if chroma.confidence is None:
        return None
    return enlarge(chroma.confidence, shape, chroma.extent).clip(0.0, 1.0)


def notices(photo: Photo, chroma: Chroma, seen: tuple[int, int], working: int) -> list[str]:
    """The reader's warnings and all findings on one photograph."""
    size = photo.pixels.shape[:2]
    found = input_notices(photo.pixels) + result_notices(chroma.strength(), size, seen, working)
    depth = ["written with 8 bits a channel; the colours were made from all 16"] if photo.bits > 8 else []
    return [*photo.warnings, *depth, *found]
