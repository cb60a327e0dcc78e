"""What a run writes while it goes on and when it is done."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ..config import Config
from ..distributed import from_main
from ..errors import UserError
from ..evaluation.quick import measures_lpips
from ..zoo.checkpoint import load_model, save_model
from .curves import draw_curves
from .optim import Precision
from .run_folder import LAST, STATE
from .runlog import RunLog
from .state import RunState
from .task import Validator

# Between the paper's 0.38 and the plain expectation: a young network is too unsure for low temperatures.
TEMPERATURES = (0.38, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


class Keeper:
    """Saves, validates and finishes one run."""

    def __init__(
        self,
        config: Config,
        folder: Path,
        state: RunState,
        validator: Validator,
        precision: Precision,
        log: RunLog,
    ) -> None:
        self.config, self.folder, self.state, self.log = config, folder, state, log
        self.validator, self.precision = validator, precision

    def validate(self, phase: int) -> None:
        """Measure the averaged generator, keep a sample grid, and the weights if they are the best yet."""
        progress = self.state.progress
        metrics, pictures = self.validator(self.state.average.model, self.precision)
        self.log.record(
            images=progress.images, **{f"validation_{key}": value for key, value in metrics.items()}
        )
        shown = "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())
        self.log.say(f"{self.log.pace(progress.images)}  {shown}")
        sheet = self.folder / "samples" / f"{progress.images:09d}.jpg"
        from_main(lambda: self.validator.save_grid(pictures, sheet))
        best_by = self.config.run.best_by
        score = metrics[best_by] * (-1.0 if best_by == "psnr" else 1.0)
        # Each phase has its own best: losses before and after the discriminator joins are not comparable.
        # Written this way round, a score that is not a number never counts as better.
        if progress.best is None or progress.best_phase != phase or score < progress.best:
            progress.best, progress.best_phase = score, phase
            from_main(lambda: self._save_model(self.folder / "best" / "model.safetensors"))

    def begin(self) -> None:
        """A state of before the first step: whatever happens from here on, there is one to resume."""
        self.state.save(self.folder / LAST / STATE)

    def save(self) -> None:
        """The last state and weights, and the curves so far."""
        self.log.check_folder()
        self._save_model(self.folder / LAST / "model.safetensors")
        self.state.save(self.folder / LAST / STATE)
        draw_curves(self.log.read(), self.folder / "curves.png")

    def finish(self) -> Path:
        """Write RUN/model.safetensors: the best of the last phase that was validated, with the decode
        temperature that suits it best on the held-out pictures unless the config names one."""
        best = self.folder / "best" / "model.safetensors"
        source = best if best.exists() else self.folder / LAST / "model.safetensors"
        model = from_main(lambda: load_model(source))
        metadata = {key: value for key, value in model.metadata.items() if key not in OWN_KEYS}
        if not self.config.run.temperature and model.contract.returns == "distribution":
            model.to(self.precision.device)
            metadata["temperature"] = self._best_temperature(model)
        final = self.folder / "model.safetensors"
        from_main(lambda: save_model(final, model, metadata))
        return final

    def _best_temperature(self, model: nn.Module) -> float:
        """Lowest LPIPS; without LPIPS, mean colourfulness nearest to the truth's."""
        scores = {}
        for temperature in TEMPERATURES:
            self.validator.temperature = temperature
            metrics, _ = self.validator(model, self.precision)
            distance = abs(metrics["colorfulness"] - metrics["truth_colorfulness"])
            scores[temperature] = metrics.get("lpips", distance)
        chosen = min(scores, key=scores.get)
        measure = "LPIPS" if "lpips" in metrics else "distance to the truth's colourfulness"
        shown = ", ".join(f"{t:g}: {score:.4g}" for t, score in scores.items())
        self.log.say(f"temperature {chosen:g} chosen by {measure} on the held-out pictures ({shown})")
        return chosen

    def _save_model(self, path: Path) -> None:
        run, model = self.config.run, self.state.average.model
        metadata: dict[str, str | int | float] = {
            "images_seen": self.state.progress.images,
            "licence": run.licence,
            "training_data": run.training_data,
        }
        if model.contract.sees_pictures:
            metadata["temperature"] = run.temperature or self.config.loss.temperature
            metadata["working_size"] = run.working_size or self.config.phases[-1].crop_size * 4 // 3
        save_model(path, model, metadata)


# Written by save_model itself.
OWN_KEYS = ("model", "options", "bins_hash", "format_version")


def check_best_by(config: Config) -> None:
    """Raise a UserError now and not hours later when ``run.best_by`` cannot be measured here."""
    if config.run.best_by == "lpips" and not measures_lpips():
        raise UserError(
            "run.best_by: lpips needs AlexNet's weights in torch's cache (TORCH_HOME); choose loss or psnr"
        )
