"""Run by torchrun, and alone: gradients of one step on the same batch, saved for the test to compare.

python gradients_job.py FOLDER NETWORK OPTIONS TRAIN MICRO_BATCH LOSS NORMS
"""

import json
import sys
from dataclasses import fields, replace
from pathlib import Path

import torch

from gan_colorize.color.grid import GRID_CLASSES, GridEncoder
from gan_colorize.color.targets import SoftEncoder
from gan_colorize.config import Data, Loss
from gan_colorize.distributed import current, join, launched
from gan_colorize.models import create_discriminator, create_model
from gan_colorize.training.batch import BatchMaker
from gan_colorize.training.gan_step import GanStep, Networks
from gan_colorize.training.optim import Precision, adamw
from gan_colorize.training.sync_norm import synchronise_norms

CPU = torch.device("cpu")
IMAGES, SIZE = 8, 64


def step(network: str, options: dict, loss: dict, micro_batch: int, norms: str) -> GanStep:
    torch.manual_seed(0)
    generator = create_model(network, options)
    # Spectral norms take a step of the power iteration with every micro-batch, and are a little another norm.
    spectral = "spectral" if norms == "of batches" else "none"
    discriminator = create_discriminator("patchgan", {"width": 4, "norm": spectral})
    with torch.no_grad():  # heads start at next to nothing, and new blocks at nothing: gradients would too
        for parameter in generator.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    # As a process of a job would have them: what was drawn elsewhere must not matter.
    if current().rank:
        with torch.no_grad():
            for parameter in (*generator.parameters(), *discriminator.parameters()):
                parameter.mul_(1.5)
    if norms == "of groups":
        _without_batch_norms(generator)
    if current().world > 1:
        synchronise_norms(generator, CPU)
    # In float64 the order of sums is nothing; in float32 norms over few pixels make it 1 % of a gradient.
    generator.double().register_forward_pre_hook(lambda module, inputs: tuple(map(_double, inputs)))
    players = Networks(
        generator,
        discriminator,
        adamw(generator, 0.0, [0.9, 0.99], 0.0),
        adamw(discriminator, 0.0, [0.9, 0.99], 0.0),
    )
    exact = Precision(CPU, torch.float32)
    return GanStep(players, Loss(**loss), exact, 1e9, None, micro_batch)


def _double(value: object) -> object:
    if isinstance(value, torch.Tensor):
        return value.double()
    given = {f.name: getattr(value, f.name) for f in fields(value)}
    return replace(value, **{name: tensor.double() for name, tensor in given.items() if tensor is not None})


def _without_batch_norms(module: torch.nn.Module) -> None:
    for name, part in module.named_children():
        if isinstance(part, torch.nn.BatchNorm2d):
            setattr(module, name, torch.nn.GroupNorm(1, part.num_features))
        else:
            _without_batch_norms(part)


def batch(contract: object) -> object:
    """This process's rows of a batch of IMAGES, as the stream deals them."""
    group = current()
    rows = torch.arange(group.rank, IMAGES, group.world)
    chance = torch.Generator().manual_seed(1)
    smooth = torch.rand(IMAGES, 3, 6, 6, generator=chance)
    rgb = torch.nn.functional.interpolate(smooth, (SIZE, SIZE), mode="bicubic").clamp(0, 1)
    grid = contract.classes == "grid"
    encoder = GridEncoder() if grid else SoftEncoder()
    weights = torch.ones(GRID_CLASSES if grid else 313)
    maker = BatchMaker(contract, encoder, weights, Data(), seed=3)
    return maker.training((rgb * 255).byte()[rows], rows, IMAGES)


def main() -> None:
    folder, cases = Path(sys.argv[1]), json.loads(sys.argv[2])
    with join(launched(), "cpu") as group:
        for number, (network, options, train, micro_batch, loss, norms) in enumerate(cases):
            game = step(network, options, loss, micro_batch, norms)
            own = batch(game.networks.generator.contract)
            terms = game(own, train)
            game(own, train)  # a second step meets what the first one left behind
            found = {"terms": terms}
            for player in ("generator", "discriminator"):
                module = getattr(game.networks, player)
                gradients = {name: p.grad for name, p in module.named_parameters() if p.grad is not None}
                found |= {player: gradients, f"{player}_buffers": dict(module.named_buffers())}
            torch.save(found, folder / f"{number}-{group.world}-{group.rank}.pt")


main()
