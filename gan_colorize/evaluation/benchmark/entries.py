"""What can be measured: grey, networks, the best that their formats allow, and folders of results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from torch import nn

from ...errors import UserError
from ...inference.predictor import Settings as Decoding
from ..frames import Frame
from ..ruler import Truth
from ..subject import Subject, grey_pictures, rendered
from .calibration import Calibration, calibration
from .external import ExternalResults, Matches, missing_line, read_result

if TYPE_CHECKING:
    from ...data.folder import ImageSource


@dataclass(frozen=True)
class Coloured:
    """What an entry makes of a batch.

    pictures:    (N, H, W, 3) uint8.
    samples:     more of the same, each another colouring; empty where it has but one.
    calibration: of its distribution; None where it has none.
    files:       sha256 of the files that the pictures came from; empty where they came from a network.
    """

    pictures: np.ndarray
    samples: list[np.ndarray]
    calibration: Calibration | None = None
    files: tuple[str, ...] = ()


class Entry(Protocol):
    """name: unique; kind: grey, model, ceiling or external; about: what the report says of it."""

    name: str
    kind: str
    about: dict[str, Any]

    def open(self, source: ImageSource, indices: list[int]) -> list[str]:
        """Before the first photograph of a set: what to tell about it. Raises UserError."""

    def colour(self, truth: Truth, frames: list[Frame], whole: bool = True) -> Coloured:
        """Pictures of a batch; ``whole``: with samples and calibration."""


class Grey:
    """The input as it is: what no colour at all is worth."""

    name = kind = "grey"

    def __init__(self) -> None:
        self.about: dict[str, Any] = {"fingerprint": "grey"}

    def open(self, source: ImageSource, indices: list[int]) -> list[str]:
        return []

    def colour(self, truth: Truth, frames: list[Frame], whole: bool = True) -> Coloured:
        return Coloured(grey_pictures(truth.lightness), [])


class Model:
    """One of our networks.

    Args:
        samples, seed: how many colourings are drawn, and the first one's seed.
    """

    kind = "model"

    def __init__(
        self, name: str, network: nn.Module, file: str, sha256: str, device: str, samples: int, seed: int
    ) -> None:
        self.name, self.samples, self.seed = name, samples, seed
        self.subject = Subject(network, device)
        carried = ("images_seen", "training_data", "licence")
        self.about = {"file": file, "fingerprint": sha256, "network": self.subject.name}
        self.about |= {k: v for k, v in self.subject.about().items() if k not in ("name", "device")}
        self.about |= {"parameters": sum(p.numel() for p in network.parameters())}
        self.about |= {key: network.metadata[key] for key in carried if key in network.metadata}

    def open(self, source: ImageSource, indices: list[int]) -> list[str]:
        return []

    def colour(self, truth: Truth, frames: list[Frame], whole: bool = True) -> Coloured:
        subject = self.subject
        seen, prediction = subject.look(truth.lightness)
        pictures = subject.pictures(truth.lightness, seen, prediction)
        if not (whole and subject.distribution):
            return Coloured(pictures, [])
        extent = seen[0].extent(subject.contract.output_stride)
        known = calibration(prediction.logits, subject.target(truth.ab, seen[0]), extent, subject.encoder)
        samples = []
        if self.samples:
            drawn = subject.predictor.decode(prediction, seen, Decoding(samples=self.samples, seed=self.seed))
            samples = [
                rendered(truth.lightness, [one.ab[number] for one in drawn], extent, seen)
                for number in range(self.samples)
            ]
        return Coloured(pictures, samples, known)


class Ceiling:
    """The truth through a network's output format: what a perfect network of its kind would reach."""

    kind = "ceiling"

    def __init__(self, subject: Subject, models: list[str]) -> None:
        self.subject = subject
        through = "bins" if subject.distribution else "output size"
        self.name = f"truth through the {through} of {', '.join(models)}"
        self.about = {"fingerprint": repr(ceiling_key(subject)), "models": models}

    def open(self, source: ImageSource, indices: list[int]) -> list[str]:
        return []

    def colour(self, truth: Truth, frames: list[Frame], whole: bool = True) -> Coloured:
        seen = [self.subject.predictor.see(plane) for plane in truth.lightness]
        return Coloured(self.subject.ceiling_pictures(truth.lightness, truth.ab, seen), [])


def ceiling_key(subject: Subject) -> tuple[Any, ...]:
    """Networks that agree in this have the same ceiling."""
    contract = subject.contract
    temperature = subject.temperature if subject.distribution else None
    return (
        subject.distribution,
        temperature,
        contract.output_stride,
        contract.size_divisor,
        subject.predictor.size,
    )


def ceilings(models: list[Model]) -> list[Ceiling]:
    """One for every kind of output among the models."""
    groups: dict[tuple[Any, ...], list[Model]] = {}
    for model in models:
        groups.setdefault(ceiling_key(model.subject), []).append(model)
    return [Ceiling(group[0].subject, [model.name for model in group]) for group in groups.values()]


class External:
    """A folder of somebody else's results.

    resize, size: how photographs become what is measured.
    """

    kind = "external"

    def __init__(self, name: str, folder: str, resize: str, size: int) -> None:
        self.name, self.resize, self.size = name, resize, size
        self.results = ExternalResults(folder)
        self.about = {"file": self.results.folder.name, "fingerprint": self.results.fingerprint}
        self.matches = Matches({})
        self.total = 0

    def open(self, source: ImageSource, indices: list[int]) -> list[str]:
        from .external import extra_line

        self.total = len(indices)
        self.matches = self.results.match(source, indices)
        return [extra_line(self.matches)] if self.matches.extra else []

    def colour(self, truth: Truth, frames: list[Frame], whole: bool = True) -> Coloured:
        if any(frame.index not in self.matches.of for frame in frames):
            raise UserError(missing_line(self.matches, self.total))
        read = [read_result(self.matches.of[f.index], f, self.resize, self.size) for f in frames]
        return Coloured(np.stack([rgb8 for rgb8, _ in read]), [], files=tuple(sha256 for _, sha256 in read))
