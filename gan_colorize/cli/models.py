"""``gan-colorize models``: every network that can be trained, with its contract, size and source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from torch import nn

_HEADINGS = ("network", "takes", "returns", "stride", "million", "source")


@click.command()
def command() -> None:
    """List the networks: what they take and return, parameters in millions, source.

    takes: what they listen to beside lightness. stride: pixels of the photograph per predicted one. What is
    listed is the networks with their default options, which can add to what they take (the weights that ship
    have such), see configs/ for recipes.
    """
    import json

    import torch

    from ..models import DISCRIMINATORS, MODELS, create_discriminator, create_model
    from ..zoo.checkpoint import DEFAULT_WEIGHTS, model_metadata

    # Nothing is computed on the meta device: the largest network is built in milliseconds.
    with torch.device("meta"):
        generators = [_generator(name, create_model(name)) for name in MODELS]
        shipped = []
        if DEFAULT_WEIGHTS.is_file():
            about = model_metadata(DEFAULT_WEIGHTS)
            model = create_model(about["model"], json.loads(about["options"]))
            shipped = [_generator(f"default weights, {about['model']}", model)]
        generators[1:1] = shipped
        discriminators = [_discriminator(name, create_discriminator(name)) for name in DISCRIMINATORS]
    table = [_HEADINGS, *generators, ("discriminator", *_HEADINGS[1:]), *discriminators]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for number, row in enumerate(table):
        if number == len(generators) + 1:
            click.echo()
        cells = [
            cell.rjust(width) if heading in ("stride", "million") else cell.ljust(width)
            for cell, width, heading in zip(row, widths, _HEADINGS, strict=True)
        ]
        click.echo("  ".join(cells).rstrip())


def _generator(name: str, model: nn.Module) -> tuple[str, ...]:
    contract = model.contract
    result = {"ab": contract.space, "distribution": ""}.get(contract.returns, contract.returns)
    classes = {"gamut": "313 bins", "grid": "529 classes"}.get(contract.classes, "")
    returns = " + ".join(filter(None, (result, classes)))
    takes = _names(contract.takes) if contract.sees_pictures else "words"
    stride = str(contract.output_stride) if contract.sees_pictures else "-"
    return name, takes, returns, stride, _millions(model), model.source


def _discriminator(name: str, model: nn.Module) -> tuple[str, ...]:
    return name, _names(model.takes), "scores", "-", _millions(model), model.source


def _names(takes: frozenset[str]) -> str:
    return ", ".join(sorted(takes)) or "-"


def _millions(model: nn.Module) -> str:
    return f"{sum(parameter.numel() for parameter in model.parameters()) / 1e6:.2f}"
