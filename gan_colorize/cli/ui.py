"""``gan-colorize ui``: the editor in the browser, served to this machine alone."""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from pathlib import Path
from typing import Any

import click

from .main import termination_interrupts
from .turing import check_turing, run_turing, turing_options

_NEEDED = ("fastapi", "uvicorn")


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option(
    "--port", type=click.IntRange(0, 65535), default=7860, show_default=True, help="0 takes a free one."
)
@click.option("--model", default="default", show_default=True, help="A .safetensors file or a run folder.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N, mps.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@turing_options
@click.pass_context
def command(
    ctx: click.Context,
    folder: Path | None,
    port: int,
    model: str,
    device: str,
    no_browser: bool,
    turing: tuple[Path, Path] | None,
    **turing_settings: Any,
) -> None:
    """Colour photographs by hand, in the browser.

    Points and strokes of colour, palettes and references steer the colours; projects can be saved, and
    results exported at full size. With FOLDER its photographs can be chosen from the page, and nothing
    else on this machine; FOLDER itself is never written to. Other machines cannot reach the server.
    """
    check_turing(ctx, turing)
    check_installed()
    if turing is not None:
        run_turing(*turing, port=port, browser=not no_browser, **turing_settings)
        return
    from ..ui.folder import Folder
    from ..ui.serve import listen, serve

    opened = None if folder is None else Folder(folder)
    listening = listen(port)  # before the model is loaded, which takes seconds
    with termination_interrupts():
        click.echo("loading the model ...", err=True)
        from ..inference.colorizer import Colorizer
        from ..ui.app import create_app
        from ..ui.editor import Editor

        editor = Editor(Colorizer(model, device), Path(model).name, opened)
        app = create_app(editor, listening.getsockname()[1])
        serve(app, listening, not no_browser, click.echo)
        end_now()


def check_installed() -> None:
    """Raise a UserError when what the server is made of is not there."""
    from ..errors import UserError

    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"the editor needs {' and '.join(missing)}: python -m pip install 'gan_colorize[ui]'")


def end_now() -> None:
    """End with 0 at once if a thread of the server's is still at work: a network in the middle of a large
    photograph cannot be asked to stop, and would hold up or break the exit."""
    from ..ui.work import THREAD_NAME

    if any(thread.name == THREAD_NAME for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
