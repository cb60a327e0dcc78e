"""One batch of photographs through the model, the two references and every metric."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from .auc import RebalancedAuc
from .lpips_metric import Lpips
from .ruler import Numbers, Ruler
from .semantic import Recogniser
from .subject import Subject, grey_pictures

# row -> metric -> one number a photograph; None where the metric does not apply to it
Values = dict[str, Numbers]


class Measure(Subject):
    """Colours pictures and measures them against the truth.

    Args:
        model, temperature: as :class:`Subject`; ``lpips`` and ``recogniser`` are on the same ``device``.
    """

    def __init__(
        self,
        model: nn.Module,
        device: str,
        temperature: float | None,
        lpips: Lpips | None,
        recogniser: Recogniser | None = None,
    ) -> None:
        super().__init__(model, device, temperature)
        self.ruler = Ruler(self.predictor.device, {} if lpips is None else {"lpips": lpips}, recogniser)
        self.rebalanced = RebalancedAuc(("grey", self.ceiling, "model"))

    def __call__(
        self, truth: Tensor, names: list[str], rebalanced: RebalancedAuc | None = None
    ) -> tuple[Values, dict[str, np.ndarray]]:
        """Measure truth (N, 3, H, W) uint8, of files called ``names``; each photograph once.

        Args:
            rebalanced: takes what is no mean over photographs; None: :attr:`rebalanced` does.

        Returns:
            numbers by row and metric, and the rows' pictures (N, H, W, 3) uint8.
        """
        known = self.ruler.truth(truth, names)
        seen, prediction = self.look(known.lightness)
        pictures = {
            "grey": grey_pictures(known.lightness, seen),
            self.ceiling: self.ceiling_pictures(known.lightness, known.ab, seen),
            "model": self.pictures(known.lightness, seen, prediction),
        }
        values: Values = {"truth": self.ruler.of_truth(known)}
        rebalanced = self.rebalanced if rebalanced is None else rebalanced
        rebalanced.count(known.classes)
        for row, picture in pictures.items():
            values[row], scores = self.ruler(known, picture)
            rebalanced.add(row, known.classes, scores)
        return values, pictures

    def over_all(self) -> dict[str, dict[str, float]]:
        """Numbers by row and metric of all photographs measured so far, where no mean over them will do."""
        return {row: {"auc_rebalanced": value} for row, value in self.rebalanced.values().items()}
