"""Where a film's result goes, and what it is called."""

from __future__ import annotations

from pathlib import Path

from ...data.image_write import WRITE_SUFFIXES
from ...errors import UserError
from ...files import exists, is_folder
from .joining import CONTAINERS
from .source import FrameFolder, Source

# What people mean for a film and not for a folder, and what is not written here.
_OTHER_FILMS = frozenset(
    {".3gp", ".asf", ".avi", ".divx", ".flv", ".gif", ".m2ts", ".mpeg", ".mpg", ".mts"}
    | {".mxf", ".ogg", ".ogv", ".ts", ".vob", ".webm", ".wmv"}
)


def result_of(source: Source, output: Path, format_: str | None, codec: str) -> tuple[Path, bool]:
    """The result's path for an --output, and whether it is a folder of images and not a film.

    format_: of the images, such as "png", if it was asked for.

    Raises:
        UserError: it contradicts the source or the options, or would replace the source.
    """
    suffix = output.suffix.lower()
    if suffix in _OTHER_FILMS and not is_folder(output):
        raise UserError(
            f"--output {output}: cannot write this kind of film; use one of {' '.join(CONTAINERS)}"
        )
    named = suffix in CONTAINERS and not is_folder(output)
    frames = isinstance(source, FrameFolder)
    if named and format_:
        raise UserError(f"--output {output}: is a film, and --format is of images; leave one of them out")
    files = not named and (frames or bool(format_))
    if not named and not files:
        own = source.path.suffix.lower()
        suffix = ".mkv" if codec == "ffv1" else own if own in CONTAINERS else ".mp4"
        output = output / (source.path.stem + suffix)
    if not files and codec == "ffv1" and suffix != ".mkv":
        raise UserError(f"--output {output}: --codec ffv1 needs .mkv")
    if exists(output) and output.samefile(source.path):
        raise UserError(f"--output {output}: is the input; choose another")
    if exists(output) and is_folder(output) != files:
        raise UserError(f"--output {output}: is a {'file' if files else 'folder'}; choose another")
    if frames and files:
        _check_names(source, f".{format_}" if format_ else None)
    return output, files


def parts_folder(output: Path, files: bool) -> Path:
    """Where a film that is being made keeps what it needs to go on."""
    return output / ".parts" if files else output.with_name(output.name + ".parts")


def numbered(index: int) -> Path:
    """What a frame is called that has no name of its own."""
    return Path(f"{index:07d}")


def result_name(path: Path, suffix: str | None) -> str:
    """Of a frame's result: its own name where its format can be written, else PNG."""
    if suffix is None:
        suffix = path.suffix if path.suffix.lower() in WRITE_SUFFIXES else ".png"
    return path.stem + suffix


def _check_names(source: FrameFolder, suffix: str | None) -> None:
    taken: dict[str, Path] = {}
    for file in source.files:
        name = result_name(file, suffix)
        if name.casefold() in taken:
            raise UserError(f"{file}: its result {name} is already that of {taken[name.casefold()]}")
        taken[name.casefold()] = file
