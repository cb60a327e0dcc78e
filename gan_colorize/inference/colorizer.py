"""The Python interface: a model kept ready, photographs in, colour photographs out."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ..devices import choose_device
from ..zoo.checkpoint import load_model
from .predictor import Predictor
from .result import Result, Source, as_photo
from .session import Session

__all__ = ["Colorizer", "Result", "Session", "Source", "as_photo", "colorize"]


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
        name = Path(source).name if isinstance(source, str | Path) else ""
        return Session(self.predictor, as_photo(source), name)

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
