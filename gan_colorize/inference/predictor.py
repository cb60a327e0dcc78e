"""The network's part of the work: lightness planes in, small chroma planes out. No files, no RGB."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..color import decode
from ..devices import choose_dtype
from ..errors import UserError
from ..models.contract import Conditions, Prediction
from ..zoo.checkpoint import default_temperature, working_size
from .ready import ready_for_inference
from .working_size import pad_to_multiple, shrink, working_shape


@dataclass(frozen=True)
class Settings:
    """How colours are drawn from the predicted distribution.

    temperature: below 1 vivid and sure, above 1 pale; None is the model's own (1.0 for samples: the
        distribution as it was learned).
    samples:    0 for the annealed mean, else how many different colourings.
    seed:       of the first sample; the others count up from it.
    confidence: also return how sure the network is.
    """

    temperature: float | None = None
    samples: int = 0
    seed: int = 0
    confidence: bool = False


@dataclass(frozen=True)
class Seen:
    """What the network sees of one photograph.

    plane: (h, w) float32 L, padded to the model's size divisor; shape: its part that is photograph.
    """

    plane: np.ndarray
    shape: tuple[int, int]


@dataclass(frozen=True)
class Chroma:
    """Small colour planes of one photograph, at the network's output size.

    ab:         one (2, h, w) float32 for each colouring.
    confidence: (h, w) float32 in 0..1, or None.
    extent:     rows and columns that the photograph covers; the rest is padding.
    """

    ab: list[np.ndarray]
    confidence: np.ndarray | None
    extent: tuple[float, float]

    def strength(self) -> float:
        """Mean distance from grey over the first colouring, in units of ab."""
        rows, columns = (max(1, round(side)) for side in self.extent)
        return float(np.linalg.norm(self.ab[0][:, :rows, :columns], axis=0).mean())


class Predictor:
    """A network on its device, with the size policy and the decoding around it."""

    def __init__(self, model: nn.Module, device: str = "cpu", precision: str = "auto") -> None:
        self.device = torch.device(device)
        self.dtype = choose_dtype(precision, self.device, "--precision")
        self.contract = model.contract
        self.size, self.temperature = working_size(model), default_temperature(model)
        self.model = ready_for_inference(model, self.device, self.dtype)

    def check(self, settings: Settings) -> None:
        """Raise a UserError for settings that no prediction of this model can satisfy."""
        if settings.temperature is not None and not 0.01 <= settings.temperature <= 10:
            raise UserError(f"--temperature {settings.temperature:g}: must lie between 0.01 and 10")
        if self.contract.returns != "distribution" and (settings.samples or settings.confidence):
            option = "--samples" if settings.samples else "--confidence"
            raise UserError(f"{option}: this model predicts one colour for a pixel, not a distribution")

    def temperature_of(self, settings: Settings) -> float | None:
        """What the colours are drawn with; None when the model returns no distribution."""
        if self.contract.returns != "distribution":
            return None
        return settings.temperature or (1.0 if settings.samples else self.temperature)

    def see(self, lightness: np.ndarray) -> Seen:
        """A photograph's full-size L (H, W) float32, as the network will see it."""
        shape = working_shape(*lightness.shape, self.size)
        return Seen(pad_to_multiple(shrink(lightness, shape), self.contract.size_divisor), shape)

    @torch.inference_mode()
    def predict(self, seen: list[Seen], conditions: Conditions | None = None) -> Prediction:
        """One pass over photographs whose padded planes have one size."""
        batch = torch.from_numpy(np.stack([one.plane for one in seen]))[:, None].to(self.device)
        half = self.dtype is not torch.float32
        with torch.autocast(self.device.type, self.dtype if half else None, enabled=half):
            return self.model(batch, None if conditions is None else conditions.to(self.device))

    @torch.inference_mode()
    def decode(self, prediction: Prediction, seen: list[Seen], settings: Settings) -> list[Chroma]:
        """Colours for each photograph of a batch; float32 throughout."""
        logits = prediction.logits
        if logits is None:
            colourings = [prediction.ab.float()] * max(1, settings.samples)
        elif settings.samples:
            colourings = self._samples(logits, seen, settings)
        else:
            colourings = [decode.annealed_mean(logits, self.temperature_of(settings))]
        confidence = None
        if settings.confidence and logits is not None:
            confidence = decode.confidence(logits).float().cpu().numpy()
        planes = [ab.cpu().numpy() for ab in colourings]
        stride = self.contract.output_stride
        return [
            Chroma(
                ab=[plane[index] for plane in planes],
                confidence=None if confidence is None else confidence[index, 0],
                extent=(one.shape[0] / stride, one.shape[1] / stride),
            )
            for index, one in enumerate(seen)
        ]

    def _samples(self, logits: Tensor, seen: list[Seen], settings: Settings) -> list[Tensor]:
        """Each (N, 2, h, w), photograph by photograph: a sample must not depend on the rest of its batch."""
        lightness = torch.from_numpy(np.stack([one.plane for one in seen]))[:, None].to(self.device)
        # A sample may land on any bin; at this lightness most of them are no colour that a screen can show.
        possible = decode.mask_impossible(
            logits.float(), F.avg_pool2d(lightness, self.contract.output_stride)
        )
        temperature = self.temperature_of(settings)
        return [
            torch.cat([decode.sample(one[None], settings.seed + offset, temperature) for one in possible])
            for offset in range(settings.samples)
        ]
