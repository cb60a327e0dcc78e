"""``gan-colorize ui --turing``: the options of the test of real against computed colours, and its run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from .main import termination_interrupts
from .numbers import NumberRange

_LISTED = 10  # files without a partner that are told by name; the results file has them all

# What the test can be told; the defaults are those of Zhang et al. 2016, section 3.1.
_OPTIONS = (
    click.option(
        "--turing",
        nargs=2,
        type=click.Path(path_type=Path),
        metavar="DIR_A DIR_B",
        help="Instead of the editor, show people a photograph of DIR_A and its coloured version of the same "
        "name in DIR_B, and ask which had the computer's colours.",
    ),
    click.option(
        "--output",
        type=click.Path(path_type=Path, dir_okay=False),
        default=Path("turing.json"),
        show_default=True,
        help="Results of --turing; a file that is there is continued.",
    ),
    click.option(
        "--rounds",
        type=click.IntRange(1, 10_000),
        default=40,
        show_default=True,
        help="Pairs a participant judges; a tenth of them check attention.",
    ),
    click.option(
        "--practice",
        type=click.IntRange(0, 1000),
        default=10,
        show_default=True,
        help="Pairs before that, told whether the answer was right.",
    ),
    click.option(
        "--seconds",
        type=NumberRange(0.1, 60),
        default=1.0,
        show_default=True,
        help="How long each picture is shown.",
    ),
    click.option(
        "--side",
        type=click.IntRange(32, 2048),
        default=256,
        show_default=True,
        help="Longer side of the pictures shown, in pixels.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        help="Of which pairs, and their order.",
    ),
)
_NAMES = ("output", "rounds", "practice", "seconds", "side", "seed")


def turing_options(command: Callable) -> Callable:
    """--turing and what goes with it."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def check_turing(ctx: click.Context, turing: tuple[Path, Path] | None) -> None:
    """Raise a UsageError for options that do not go together."""
    default = click.core.ParameterSource.DEFAULT
    given = [name for name in ctx.params if ctx.get_parameter_source(name) is not default]
    if turing is None:
        for name in _NAMES:
            if name in given:
                raise click.UsageError(f"--{name} goes with --turing")
        return
    if ctx.params["folder"] is not None:
        raise click.UsageError("--turing has its own two folders; leave FOLDER out")
    for name in ("model", "device"):
        if name in given:
            raise click.UsageError(f"--{name} does not go with --turing, which needs no model")


def run_turing(truth: Path, coloured: Path, output: Path, port: int, browser: bool, **settings: Any) -> None:
    """Serve the test until Ctrl-C, then tell what the answers say.

    settings: those of :class:`gan_colorize.ui.turing_results.Settings`.
    """
    from ..ui.serve import listen, serve

    listening = listen(port)
    with termination_interrupts():
        from ..ui.turing import create_turing_app
        from ..ui.turing_results import Settings

        app, test = create_turing_app(
            truth, coloured, output, listening.getsockname()[1], Settings(**settings)
        )
        for name, why in test.pairing.unpaired[:_LISTED]:
            click.echo(f"left out: {name}: {why}", err=True)
        if (more := len(test.pairing.unpaired) - _LISTED) > 0:
            click.echo(f"left out: {more} more; {output} lists them", err=True)
        count = len(test.pairing.pairs)
        click.echo(f"{count} pair{'' if count == 1 else 's'}; results in {output}", err=True)
        serve(app, listening, browser, click.echo)
    click.echo(test.results.summary()["reading"])
