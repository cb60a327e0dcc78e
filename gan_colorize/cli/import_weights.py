"""``gan-colorize import``: published weights of others -> a model file."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..zoo.registry import PUBLISHED
from .output import check_download


@click.command()
@click.argument("name", type=click.Choice(list(PUBLISHED)))
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    help="The authors' .pth file. Without it torch's cache is looked into.",
)
@click.option("--download", is_flag=True, help="Fetch the file into torch's cache if it is not there.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="The .safetensors to write.")
def command(name: str, file: Path | None, download: bool, output: Path) -> None:
    """Turn the authors' published weights of NAME into a model file.

    The file is recognised by its sha256; nothing in it is ever run. Its licence goes into the model file.
    """
    if file is not None and download:
        raise click.UsageError("--file and --download exclude each other")
    check_download(download)
    if output.suffix != ".safetensors":
        raise click.UsageError(f"--output {output}: must end in .safetensors")

    from ..errors import UserError
    from ..zoo import published

    entry = PUBLISHED[name]
    if file is None:
        file = published.download(name, sys.stderr.isatty()) if download else published.cached_file(name)
        if not file.exists():
            raise UserError(
                f"{entry.file_name} is not in torch's cache ({file.parent}): add --download, or fetch "
                f"{entry.url} and name it with --file"
            )
    published.import_published(name, file, output)
    click.echo(f"{output}: {name} from {entry.file_name} ({entry.licence}; {entry.source})")
