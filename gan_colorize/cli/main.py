"""``gan-colorize``: finds the verb, imports only that one, turns errors into one line and an exit code."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from .. import __version__
from ..errors import UserError
from ..signals import Terminated
from .lines import tell
from .processes import check_shared, linger, prefix, tells

# verb -> (module with a ``command``, line of help): --help must not import a verb, torch takes seconds
COMMANDS = {
    "colorize": ("gan_colorize.cli.colorize", "Colour photographs: files, folders, globs."),
    "denoise": ("gan_colorize.cli.denoise", "Restore noisy grey photographs with a model that learned to."),
    "video": ("gan_colorize.cli.video", "Colour a film, or a folder of frames, without flicker."),
    "palette": ("gan_colorize.cli.palette", "Draw palettes of five colours for words."),
    "ui": ("gan_colorize.cli.ui", "Colour by hand in the browser: an editor on this machine."),
    "train": ("gan_colorize.cli.train", "Train a model on a folder of colour photographs."),
    "pack": ("gan_colorize.cli.pack", "Pack photographs into tar shards for training far away."),
    "evaluate": ("gan_colorize.cli.evaluate", "Measure a model on colour photographs."),
    "benchmark": ("gan_colorize.cli.benchmark", "Compare colorizers on the same photographs."),
    "models": ("gan_colorize.cli.models", "List the networks with contract, size and source."),
    "export": ("gan_colorize.cli.export", "Write a model as an ONNX file."),
    "import": ("gan_colorize.cli.import_weights", "Make a model file of weights that others published."),
}
# where the context's meta keeps what was typed, the verb first
ARGUMENTS = "gan_colorize.arguments"


@contextmanager
def termination_interrupts() -> Iterator[None]:
    """Within the block SIGTERM raises Terminated: what is done is reported before the program ends."""

    def stop(number: int, frame: object) -> None:
        raise Terminated

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


class LazyGroup(click.Group):
    """Imports a command when it is run; exit code 1 for a UserError, 130 for Ctrl-C, 143 for SIGTERM."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        check_shared(name)
        return importlib.import_module(COMMANDS[name][0]).command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[ARGUMENTS] = list(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        for stream in (sys.stdout, sys.stderr):  # file names need not be valid Unicode
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        try:
            return super().invoke(ctx)
        except UserError as error:
            failure = error
        except click.UsageError as error:
            tells(error)
            raise
        except KeyboardInterrupt as error:
            if not prefix():
                click.echo("interrupted", err=True)
            ctx.exit(143 if isinstance(error, Terminated) else 130)
        if tells(failure):
            tell(f"Error: {prefix()}{failure}", err=True)
        _tell_launcher(failure)
        linger(failure)
        ctx.exit(1)


def _tell_launcher(error: UserError) -> None:
    """torchrun ends a job with a table of what its processes left in this file, the first one on top."""
    if "TORCHELASTIC_ERROR_FILE" in os.environ:
        from torch.distributed.elastic.multiprocessing.errors import get_error_handler

        # a new one, outside of any handler: that which was raised would bring its traceback
        get_error_handler().record_exception(UserError(str(error)))


@click.group(cls=LazyGroup)
@click.version_option(__version__, prog_name="gan-colorize")
def main() -> None:
    """Colour black-and-white photographs; train and measure the networks that do it."""
