"""How much of training is training: the loop's images/s against bare forward, backward and optimizer.

    python scripts/bench_train.py --data FOLDER [--config configs/flagship.yaml] [--set a.b=c]

Both run the same networks on batches of one shape, in turns, in one process; the bare generator gets no
conditions, the loop's does. The ratio of medians is the figure to quote (machines are noisy, ratios less so).
Also prints the peak resident memory.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gan_colorize.config import Config, Phase, load_config
from gan_colorize.devices import choose_dtype, keep_freed_memory
from gan_colorize.models import create_discriminator, create_model
from gan_colorize.training import colorize_task, loop
from gan_colorize.training.optim import Precision, adamw
from gan_colorize.training.setup import prepare_data


def bare(config: Config, steps: int) -> float:
    """Seconds an image of forward + backward + step of the generator on random input, nothing else."""
    phase, device = config.phases[0], torch.device("cpu")
    precision = Precision(device, choose_dtype(config.run.precision, device))
    model = create_model(config.model.name, config.model.options).to(memory_format=torch.channels_last)
    optimizer = adamw(model, 1e-4, [0.9, 0.99], 0.01)
    discriminator = create_discriminator(config.discriminator.name, config.discriminator.options)
    discriminator.to(memory_format=torch.channels_last)
    second = adamw(discriminator, 1e-4, [0.0, 0.99], 0.0)
    size, batch = phase.crop_size, phase.batch_size
    lightness, ab = torch.rand(batch, 1, size, size) * 100, torch.rand(batch, 2, size, size)
    for step in range(steps + 2):
        if step == 2:
            started = time.perf_counter()
        if phase.train == "both":
            with precision.autocast():
                scores = discriminator(lightness.repeat(2, 1, 1, 1), ab.repeat(2, 1, 1, 1))
            _step(second, scores)
        with precision.autocast():
            logits = model(lightness).logits
            if phase.train == "both":
                discriminator.requires_grad_(False)
                fake = torch.nn.functional.interpolate(logits[:, :2].float(), scale_factor=4.0)
                logits = logits.mean() + discriminator(lightness, fake).mean()
                discriminator.requires_grad_(True)
        _step(optimizer, logits)
    return (time.perf_counter() - started) / steps / batch


def _step(optimizer: torch.optim.Optimizer, output: torch.Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    output.mean().backward()
    optimizer.step()


def whole(config: Config, data: colorize_task.TrainingData, steps: int) -> float:
    """Seconds an image of the real loop; its first two steps, which allocate, are not counted."""
    marks: list[float] = []
    step_class = colorize_task.GanStep
    original = step_class.__call__

    def timed(self, batch, train):
        marks.append(time.perf_counter())
        return original(self, batch, train)

    step_class.__call__ = timed
    try:
        with tempfile.TemporaryDirectory() as folder:
            loop.train(config, data, Path(folder), "cpu", False, None)
    finally:
        step_class.__call__ = original
    return (marks[steps + 2] - marks[2]) / steps / config.phases[0].batch_size


# Data, targets, losses and logging must not be what training waits for.
WANTED = 0.85


def main() -> int:
    """Parse, run in turns, print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--train", default="generator", choices=("generator", "both"))
    parser.add_argument("--crop-size", type=int, default=96)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    config = load_config(options.config or [], options.overrides)
    images = (options.steps + 3) * options.batch_size
    config.phases = [Phase(options.train, images, options.crop_size, options.batch_size)]
    config.model.pretrained_encoder = False
    # Bookkeeping at the intervals of a real run: one log line, no validation inside the timed stretch.
    config.run.validate_every = config.run.checkpoint_every = 10**9
    config.run.log_every = 256
    with tempfile.TemporaryDirectory() as folder:
        data = prepare_data(config, [options.data], [], Path(folder), print, lambda done, total: None)
    keep_freed_memory()  # as the loop does: the bare networks get it too
    times: dict[str, list[float]] = {"bare": [], "loop": []}
    for _ in range(options.repeats):
        times["bare"].append(bare(config, options.steps))
        times["loop"].append(whole(config, data, options.steps))
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(f"bare {1 / medians['bare']:.1f} images/s, loop {1 / medians['loop']:.1f} images/s")
    ratio = medians["bare"] / medians["loop"]
    print(f"ratio loop/bare {ratio:.3f} (wanted: {WANTED} or more)")
    if sys.platform != "win32":
        import resource

        own, child = (
            resource.getrusage(w).ru_maxrss for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )
        unit = 2**30 if sys.platform == "darwin" else 2**20
        print(f"peak resident memory {own / unit:.2f} GiB, and {child / unit:.2f} GiB in a data worker")
    return 0 if ratio >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
