"""Put a trained generator into the package: fp16, with the metadata that a stranger needs.

    python scripts/ship_weights.py RUN [RUN ...] [--temperature T] [--saturation C] [--working-size PX]
        [--uniform-share S --data D ...]

Decode temperature, working size and the strength of rebalancing are measured after training (``evaluate``
with several values), so they may replace those that the run was trained with. Rebalancing multiplies a bin's
probability by its weight; going from one share of the uniform distribution to another is therefore a
constant added to each logit (logit adjustment: Menon et al. 2021, section 4), which fits in the head's bias.
Several runs from the same start are averaged, weight by weight (Wortsman et al. 2022, "Model soups"); their
recipe and metadata are taken from the first.
"""

from __future__ import annotations

import argparse
import functools
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from gan_colorize.color.prior import rebalancing_weights, smooth_prior
from gan_colorize.config import load_config
from gan_colorize.training.checkpoints import OWN_KEYS
from gan_colorize.training.setup import prepare_data
from gan_colorize.zoo.checkpoint import load_model, read_metadata, save_model

TARGET = Path(__file__).resolve().parents[1] / "gan_colorize" / "zoo" / "weights" / "default.safetensors"
# The repository keeps every version of the file.
LARGEST_MEGABYTES = 20.0


@functools.cache
def _prior(run: Path, data: tuple[Path, ...]) -> tuple[torch.Tensor, float]:
    """The run's smoothed prior over bins, and the share of the uniform distribution it was trained with."""
    config = load_config(run / "config.yaml")
    with tempfile.TemporaryDirectory() as folder:
        scan = prepare_data(config, list(data), [], Path(folder), print, lambda done, total: None).scan
    prior = smooth_prior(torch.as_tensor(scan.histogram), config.target.prior_sigma)
    return prior, config.target.uniform_share


def rebalancing_shift(run: Path, data: list[Path], share: float) -> torch.Tensor:
    """(313,) what to add to logits to go from the run's ``target.uniform_share`` to ``share``."""
    prior, trained = _prior(run, tuple(data))
    old, new = (rebalancing_weights(prior, value).log() for value in (trained, share))
    return new - old


def average(models: list[torch.nn.Module]) -> torch.nn.Module:
    """The first model with the mean of all models' weights and norm statistics."""
    states = [model.state_dict() for model in models]
    if any(model.options != models[0].options for model in models):
        sys.exit("only runs of one network can be averaged")
    for name, tensor in states[0].items():
        if tensor.is_floating_point():
            tensor.copy_(torch.stack([state[name] for state in states]).mean(0))
    return models[0]


def main() -> int:
    """Convert, check the size, check that the file loads."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="run folders")
    parser.add_argument("--output", type=Path, default=TARGET)
    parser.add_argument("--temperature", type=float)
    parser.add_argument("--saturation", type=float)
    parser.add_argument("--working-size", type=int)
    parser.add_argument("--uniform-share", type=float)
    parser.add_argument("--data", type=Path, action="append", default=[], help="the run's photographs")
    options = parser.parse_args()
    first = options.runs[0]
    metadata = {key: value for key, value in read_metadata(first).items() if key not in OWN_KEYS}
    model = average([load_model(run) for run in options.runs])
    if len(options.runs) > 1:
        metadata["averaged_runs"] = len(options.runs)
    for key in ("temperature", "saturation", "working_size", "uniform_share"):
        if getattr(options, key) is not None:
            metadata[key] = getattr(options, key)
    if options.uniform_share is not None:
        with torch.no_grad():
            model.head.bias += rebalancing_shift(first, options.data, options.uniform_share)
    save_model(options.output, model, metadata, half=True)
    megabytes = options.output.stat().st_size / 1e6
    print(f"{options.output}: {megabytes:.1f} MB, {read_metadata(options.output)}")
    load_model(options.output)
    if megabytes > LARGEST_MEGABYTES:
        print(f"larger than {LARGEST_MEGABYTES} MB", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
