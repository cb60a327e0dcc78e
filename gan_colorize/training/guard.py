"""What happens when a loss stops being a number: name the term, go back, go on more slowly, or stop."""

from __future__ import annotations

import math

import torch

from ..errors import UserError
from .runlog import RunLog
from .state import RunState

# After this many rollbacks without a good checkpoint between them, another try would be hope.
MAX_FAILURES = 3
# Below this share of the learning rate a run that never recovers only looks as if it trained.
SLOWEST = 2.0**-6


class Guard:
    """Watches the terms of every step.

    Under fp16 gradients overflow by design: the scaler skips the step and lowers its scale. A gradient that
    is not finite at a scale of 1 or below is no overflow any more.
    """

    def __init__(self, state: RunState, log: RunLog, scaler: torch.amp.GradScaler) -> None:
        self.state, self.log, self.scaler = state, log, scaler

    def passes(self, terms: dict[str, float], position: int) -> bool:
        """Whether the step was good; if not, everything is back at the last good state.

        Args:
            terms: by name, as the step returned them.
            position: the image at which the batch begins.

        Raises:
            UserError: too many failures; names the term and the batch.
        """
        overflow_is_normal = self.scaler.is_enabled() and self.scaler.get_scale() > 1.0
        for name, value in terms.items():
            if not math.isfinite(value) and not (overflow_is_normal and name.endswith("_gradient")):
                self._recover(name, position)
                return False
        self.state.progress.good_batches += 1
        return True

    def checkpoint(self) -> None:
        """A checkpoint is due: after good batches it is the new state to go back to, and trust returns."""
        progress = self.state.progress
        if not progress.good_batches:
            return
        if progress.failures == 0:
            progress.rate = min(1.0, 2.0 * progress.rate)
        progress.failures = 0
        self.state.remember()

    def _recover(self, term: str, position: int) -> None:
        progress = self.state.progress
        progress.failures, progress.good_batches = progress.failures + 1, 0
        progress.rate *= 0.5
        progress.sums = {}
        self.state.roll_back()
        message = f"{term} is not finite in the batch that begins at image {position:,}"
        self.log.record(images=progress.images, rolled_back=term, batch=position)
        if progress.failures > MAX_FAILURES or progress.rate < SLOWEST:
            raise UserError(
                f"{message}, {progress.failures} times since the last good checkpoint; training stopped "
                "there. Lower optimizer.learning_rate or the term's weight and use --resume"
            )
        self.log.say(f"{message}; back to the last good state, learning rate now x{progress.rate:g}")
