"""``gan-colorize export``: a model file -> an ONNX file."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option("--model", default="default", show_default=True, help="A .safetensors file or a run folder.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="The .onnx file to write.")
def command(model: str, output: Path) -> None:
    """Write a model as an ONNX file for other programs, and for colorize --runtime onnx.

    The graph takes any number of pictures of any size that is a multiple of the network's divisor: lightness
    (0 to 100), and whatever the network may be told; zeros, and a saturation of -1, tell it nothing. It is
    compared with torch before the file gets its name. What the file says of itself (contract, licence,
    training data, hash of the weights) is in its metadata. Needs the extra "onnx".
    """
    if output.suffix.lower() != ".onnx":
        raise click.UsageError(f"--output {output}: must end in .onnx")

    from ..inference.export import TOLERANCE, export_model
    from ..zoo.checkpoint import file_hash, load_model, resolve_model

    path = resolve_model(model)
    result = export_model(load_model(path), output, file_hash(path))
    click.echo(
        f"{output}: {result.megabytes:.1f} MB; {', '.join(result.inputs)} -> {' and '.join(result.outputs)}"
    )
    click.echo(
        f"largest difference from torch in {result.comparisons} comparisons: {result.difference:.1e} of the "
        f"largest value (allowed: {TOLERANCE:g})"
    )
