"""The network's part of the work: lightness planes in, small chroma planes out. No files, no RGB."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..color import decode
from ..devices import choose_dtype
from ..errors import UserError
from ..models.contract import Conditions, Prediction
from ..zoo.checkpoint import default_saturation, default_temperature, weights_of, working_size
from .ready import ready_for_inference
from .views import VIEWS, View, resample
from .working_size import Rows, pad_to_multiple, shrink, working_shape

# Torch takes 64 bits; the seeds of a run's samples, which count up from the first, fit as well.
LARGEST_SEED = 2**63 - 1

# Of the size divisor, in a side of what the network sees. In bfloat16 on a CPU, convolutions of stride 2 over
# maps two pixels wide (which 32 become after four halvings) read memory that is not theirs: torch 2.15.
_LEAST_MULTIPLES = 2


@dataclass(frozen=True)
class Settings:
    """How colours are drawn from the predicted distribution.

    temperature: below 1 vivid and sure, above 1 pale; None is the model's own (1.0 for samples: the
        distribution as it was learned).
    saturation: factor on the chroma; None is the model's own, but 1 for samples.
    samples:    0 for the annealed mean, else how many different colourings.
    seed:       of the first sample, 0 to LARGEST_SEED; the others count up from it; None is 0.
    confidence: also return how sure the network is.
    """

    temperature: float | None = None
    samples: int = 0
    seed: int | None = None
    confidence: bool = False
    saturation: float | None = None

    @property
    def first_seed(self) -> int:
        """Of the first sample."""
        return self.seed or 0


@dataclass(frozen=True)
class Seen:
    """What the network sees of one photograph.

    plane:  (h, w) float32 L, padded to the model's size divisor; shape: its part that is photograph.
    others: the same at the other sizes of the predictor's views, by their scale.
    """

    plane: np.ndarray
    shape: tuple[int, int]
    others: dict[float, Seen] = field(default_factory=dict)

    def extent(self, stride: int) -> tuple[float, float]:
        """Rows and columns of a grid of that stride which the photograph covers."""
        return self.shape[0] / stride, self.shape[1] / stride


@dataclass(frozen=True)
class Chroma:
    """Small colour planes of one photograph, at the network's output size.

    ab:         one (2, h, w) float32 for each colouring.
    confidence: (h, w) float32 in 0..1, or None.
    extent:     rows and columns that the photograph covers; the rest is padding.
    seen:       the L of which the colours were made, as in :class:`Seen`.
    """

    ab: list[np.ndarray]
    confidence: np.ndarray | None
    extent: tuple[float, float]
    seen: np.ndarray | None = None

    def strength(self) -> float:
        """Mean distance from grey over the first colouring, in units of ab."""
        rows, columns = (max(1, round(side)) for side in self.extent)
        return float(np.linalg.norm(self.ab[0][:, :rows, :columns], axis=0).mean())


class Predictor:
    """A network on its device, with the size policy and the decoding around it.

    views: how many views of each photograph are averaged: 1, 2 (mirrored), 4 (two sizes) or 6 (three sizes).
    """

    def __init__(
        self, model: nn.Module, device: str = "cpu", precision: str = "auto", views: int = 1
    ) -> None:
        if views not in VIEWS:
            raise UserError(f"--views {views}: must be one of {', '.join(map(str, VIEWS))}")
        self.views = VIEWS[views]
        self.device = torch.device(device)
        # where full-size colours are made; elsewhere than with CUDA that is not known to pay
        self.render_device = self.device if self.device.type == "cuda" else torch.device("cpu")
        self.dtype = choose_dtype(precision, self.device, "--precision")
        self.contract, self.name = model.contract, getattr(model, "name", type(model).__name__)
        if self.contract.returns == "lightness":
            raise UserError(f"this model ({model.name}) restores grey pictures and knows no colours")
        if not self.contract.sees_pictures:
            raise UserError(f"this model ({model.name}) reads words and colours no photographs; see palette")
        self.size, self.temperature = working_size(model), default_temperature(model)
        self.saturation = default_saturation(model)
        self._network = model
        self.model = ready_for_inference(model, self.device, self.dtype)

    def weights(self) -> tuple[str, str | None]:
        """What the weights are called, and the sha256 of their file (None: of no file)."""
        return weights_of(self._network)

    def check(self, settings: Settings) -> None:
        """Raise a UserError for settings that no prediction of this model can satisfy."""
        if settings.temperature is not None and not 0.01 <= settings.temperature <= 10:
            raise UserError(f"--temperature {settings.temperature:g}: must lie between 0.01 and 10")
        if settings.saturation is not None and not 0.0 <= settings.saturation <= 4.0:
            raise UserError(f"--saturation {settings.saturation:g}: must lie between 0 and 4")
        if not 0 <= settings.first_seed <= LARGEST_SEED:
            raise UserError(f"--seed {settings.seed}: must lie between 0 and {LARGEST_SEED}")
        if self.contract.returns != "distribution" and (settings.samples or settings.confidence):
            option = "--samples" if settings.samples else "--confidence"
            raise UserError(f"{option}: this model predicts one colour for a pixel, not a distribution")

    def temperature_of(self, settings: Settings) -> float | None:
        """What the colours are drawn with; None when the model returns no distribution."""
        if self.contract.returns != "distribution":
            return None
        return settings.temperature or (1.0 if settings.samples else self.temperature)

    def saturation_of(self, settings: Settings) -> float:
        """What the colours are multiplied with."""
        if settings.saturation is not None:
            return settings.saturation
        return 1.0 if settings.samples else self.saturation

    def see(self, lightness: Rows, scale: float = 1.0) -> Seen:
        """A photograph's full-size L (H, W) float32, as the network will see it: at ``scale`` of its size."""
        scales = {view.scale for view in self.views} - {1.0}
        plain = self._seen(lightness, scale)
        return replace(plain, others={other: self._seen(lightness, scale * other) for other in scales})

    def on_cpu(self) -> Predictor:
        """The same on the CPU, in the arithmetic that it is best at."""
        return Predictor(self._network, "cpu", views=len(self.views))

    def _seen(self, lightness: Rows, scale: float) -> Seen:
        shape = working_shape(*lightness.shape, round(self.size * scale))
        plane = shrink(lightness, shape)
        return Seen(pad_to_multiple(plane, self.contract.size_divisor, _LEAST_MULTIPLES), shape)

    @torch.inference_mode()
    def predict(self, seen: list[Seen], conditions: Conditions | None = None) -> Prediction:
        """The network's answer for photographs whose padded planes have one size.

        With hints it is that of the plain view: a hint has its place in no other.
        """
        plain = self._pass([one.plane for one in seen], conditions)
        if len(self.views) == 1 or (conditions is not None and conditions.hints is not None):
            return plain
        total = _comparable(plain)
        for view in self.views[1:]:
            total += self._view(view, seen, total, conditions)
        mean = total / len(self.views)
        return Prediction(logits=mean) if plain.ab is None else Prediction(ab=mean)

    def _view(self, view: View, seen: list[Seen], like: Tensor, conditions: Conditions | None) -> Tensor:
        """What one view says, on the grid of the plain one, which ``like`` has."""
        if view.scale == 1.0:  # only mirrored
            return _comparable(self._pass([one.plane[:, ::-1] for one in seen], conditions)).flip(-1)
        others = [one.others[view.scale] for one in seen]
        by_shape: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for index, other in enumerate(others):  # photographs that agree in one padded size may not in another
            by_shape[other.plane.shape].append(index)
        stride, results = self.contract.output_stride, {}
        for indices in by_shape.values():
            planes = [others[i].plane[:, ::-1] if view.mirrored else others[i].plane for i in indices]
            wishes = None if conditions is None else conditions.rows(indices)
            values = _comparable(self._pass(planes, wishes))
            values = values.flip(-1) if view.mirrored else values
            for i, one in zip(indices, values.split(1), strict=True):
                results[i] = resample(one, others[i].extent(stride), like, seen[i].extent(stride))
        return torch.cat([results[i] for i in range(len(seen))])

    def _pass(self, planes: list[np.ndarray], conditions: Conditions | None = None) -> Prediction:
        batch = torch.from_numpy(np.stack(planes))[:, None]
        if self.device.type == "cuda":  # from pinned memory the copy does not wait for the work before it
            batch = batch.pin_memory()
        batch = batch.to(self.device, non_blocking=True)
        half = self.dtype is not torch.float32
        with torch.autocast(self.device.type, self.dtype if half else None, enabled=half):
            return self.model(batch, None if conditions is None else conditions.to(self.device))

    @torch.inference_mode()
    def decode(self, prediction: Prediction, seen: list[Seen], settings: Settings) -> list[Chroma]:
        """Colours for each photograph of a batch; float32 throughout."""
        # Classes beside a regressed colour are a suggestion; the colour is what the network was made for.
        logits = prediction.logits if prediction.ab is None else None
        if logits is None:
            colourings = [prediction.ab.float()] * max(1, settings.samples)
        elif settings.samples:
            colourings = self._samples(logits, seen, settings)
        else:
            colourings = [decode.annealed_mean(logits, self.temperature_of(settings))]
        confidence = None
        if settings.confidence and logits is not None:
            confidence = decode.confidence(logits).float().cpu().numpy()
        saturation = self.saturation_of(settings)
        planes = [(ab * saturation).cpu().numpy() for ab in colourings]
        stride = self.contract.output_stride
        return [
            Chroma(
                ab=[plane[index] for plane in planes],
                confidence=None if confidence is None else confidence[index, 0],
                extent=one.extent(stride),
                seen=one.plane,
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
        temperature, seed = self.temperature_of(settings), settings.first_seed
        return [
            torch.cat([decode.sample(one[None], seed + offset, temperature) for one in possible])
            for offset in range(settings.samples)
        ]


def _comparable(prediction: Prediction) -> Tensor:
    """What may be averaged over views, float32: log-probabilities (a geometric mean), or ab."""
    return prediction.logits.float().log_softmax(1) if prediction.ab is None else prediction.ab.float()
