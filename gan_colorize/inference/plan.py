"""Which files are coloured and where each result goes. Originals are never a target."""

from __future__ import annotations

import glob
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePath

from ..data.image_io import IMAGE_SUFFIXES
from ..data.image_write import WRITE_SUFFIXES
from ..errors import UserError


@dataclass(frozen=True)
class Job:
    """One file to colour: ``outputs`` has one path for each colouring."""

    source: Path
    outputs: tuple[Path, ...]
    confidence: Path | None = None


@dataclass(frozen=True)
class Found:
    """An input file and the path below the output folder that it asks for."""

    source: Path
    relative: PurePath


@dataclass
class Plan:
    """jobs to do; skipped: inputs whose results are there; failures: (input, line) for the others."""

    jobs: list[Job]
    skipped: list[Path]
    failures: list[tuple[str, str]]


def find_inputs(inputs: list[str], output: Path) -> tuple[list[Found], list[tuple[str, str]]]:
    """Files for INPUT arguments: files as named, folders recursively, quoted globs with their tree.

    Below a folder or glob only images count, hidden ones and those inside ``output`` do not.
    Returns what was found, each file once, and (input, line) for every argument that gave nothing.
    """
    found: list[Found] = []
    failures: list[tuple[str, str]] = []
    folders = [name for name in inputs if Path(name).is_dir()]
    names = [Path(name) for name in inputs if Path(name).is_file()]
    for name in inputs:
        path = Path(name)
        if path.is_dir():
            # Several folders keep their own names, or equal names inside them would meet.
            own = PurePath(_folder_name(path)) if len(folders) > 1 else PurePath()
            new = [Found(file, own / file.relative_to(path)) for file in _images_below(path, output)]
            problem = f"{name}: no images in this folder ({', '.join(sorted(IMAGE_SUFFIXES))})"
        elif path.exists():
            new, problem = [Found(path, _short_name(path, names))], ""
        elif glob.has_magic(name):
            new, problem = _expand(name, output), f"{name}: no image matches"
        else:
            new, problem = [], f"{name}: no such file or folder"
        found += new
        if not new:
            failures.append((name, problem))
    unique = {os.path.realpath(one.source): one for one in reversed(found)}
    return list(reversed(unique.values())), failures


def plan(
    found: list[Found],
    output: Path,
    *,
    suffix: str | None,
    samples: int,
    confidence: bool,
    existing: str,
    single_file: bool,
) -> Plan:
    """Give every input its results' paths.

    suffix: of the results (".png"), or None for the input's own where it can be written, else ".png".
    existing: what to do about results that are there: "fail", "skip" or "overwrite".
    single_file: ``output`` is the one result itself.
    """
    result = Plan([], [], [])
    originals = {_key(os.path.realpath(one.source)) for one in found}
    wanted = [output if single_file else output / _renamed(one.relative, suffix) for one in found]
    count = Counter(_key(path) for path in wanted)
    taken: dict[str, Path] = {}
    for one, path in zip(found, wanted, strict=True):
        if count[_key(path)] > 1 and path.name != one.relative.name:
            # a.tif and a.png both become a.png: the one that changes its suffix keeps its whole name
            path = path.with_name(one.relative.name + path.suffix)
        outputs = tuple(_sample_path(path, index) for index in range(1, samples + 1)) or (path,)
        job = Job(one.source, outputs, path.with_name(f"{path.stem}.confidence.png") if confidence else None)
        every = (*outputs, *([job.confidence] if job.confidence else []))
        problem = _conflict(every, taken, originals)
        there = [target for target in every if target.exists()]
        if problem:
            result.failures.append((str(one.source), f"{one.source}: {problem}"))
        elif existing == "skip" and len(there) == len(every):
            result.skipped.append(one.source)
        elif existing == "fail" and there:
            line = f"{one.source}: {there[0]} exists; add --overwrite or --skip-existing"
            result.failures.append((str(one.source), line))
        else:
            result.jobs.append(job)
        taken |= dict.fromkeys(map(_key, every), one.source)
    return result


def names_one_file(inputs: list[str], output: Path, suffix: str | None) -> bool:
    """Whether ``output`` is the one result itself and not a folder.

    Raises:
        UserError: it can be neither, contradicts ``suffix``, or is an input folder, where results would
            land among the originals.
    """
    for name in inputs:
        if Path(name).is_dir() and output.exists() and output.samefile(name):
            raise UserError(f"--output {output}: is an input folder; choose another, such as {output}/colour")
    own = output.suffix.lower()
    if output.is_dir() or own not in {*IMAGE_SUFFIXES, *WRITE_SUFFIXES}:
        if output.is_file():
            raise UserError(f"--output {output}: is a file; name a folder")
        return False
    if own not in WRITE_SUFFIXES:
        raise UserError(f"--output {output}: cannot write {own}; use one of {' '.join(WRITE_SUFFIXES)}")
    if len(inputs) > 1 or not Path(inputs[0]).is_file():
        raise UserError(f"--output {output}: names one image, but the input is not one file; name a folder")
    if suffix and not _same_format(own, suffix):
        raise UserError(f"--output {output}: contradicts --format {suffix[1:]}; leave one of them out")
    return True


def _images_below(folder: Path, output: Path) -> list[Path]:
    skip = os.path.realpath(output)
    images = []
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and os.path.realpath(Path(where, name)) != skip
        )
        images += [Path(where, name) for name in sorted(files) if _is_image(name)]
    return images


def _expand(pattern: str, output: Path) -> list[Found]:
    """Images of a glob; their tree below its last folder without a wildcard is kept."""
    parts = Path(pattern).parts
    fixed = next(index for index, part in enumerate(parts) if glob.has_magic(part))
    base = Path(*parts[:fixed]) if fixed else Path()
    inside = os.path.realpath(output) + os.sep
    if os.path.realpath(base).startswith(inside.rstrip(os.sep)):
        inside = "\0"  # the pattern itself points into the output folder
    files: list[Path] = []
    try:
        matches = sorted(base.glob(str(PurePath(*parts[fixed:]))))
    except ValueError as error:  # such as "**x" before Python 3.13
        raise UserError(f"{pattern}: {error}") from error
    for path in matches:
        if path.is_dir():
            files += _images_below(path, output)
        elif _is_image(path.name):
            files.append(path)
    # a folder's rules: nothing hidden (a shell's * leaves it out, Python's does not), nothing of ours
    return [
        Found(file, file.relative_to(base))
        for file in files
        if not any(part.startswith(".") for part in file.relative_to(base).parts)
        and not os.path.realpath(file).startswith(inside)
    ]


def _is_image(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES


def _folder_name(folder: Path) -> str:
    return Path(os.path.realpath(folder)).name


def _short_name(file: Path, files: list[Path]) -> PurePath:
    """A named file's own name; with its folders below the common one where names repeat."""
    if sum(other.name == file.name for other in files) == 1:
        return PurePath(file.name)
    common = os.path.commonpath([other.parent.absolute() for other in files])
    return PurePath(os.path.relpath(file.absolute(), common))


def _renamed(relative: PurePath, suffix: str | None) -> PurePath:
    own = relative.suffix.lower()
    if suffix is None:
        suffix = own if own in WRITE_SUFFIXES else ".png"
    # the same format stays under the user's own spelling: .JPEG, .tif
    return relative if _same_format(own, suffix) else relative.with_suffix(suffix)


def _same_format(one: str, other: str) -> bool:
    return one == other or {one, other} in ({".jpg", ".jpeg"}, {".tif", ".tiff"})


def _sample_path(path: Path, index: int) -> Path:
    return path.with_name(f"{path.stem}.sample{index}{path.suffix}")


def _conflict(paths: tuple[Path, ...], taken: dict[str, Path], originals: set[str]) -> str | None:
    for path in paths:
        if _key(os.path.realpath(path)) in originals:
            return f"its result {path} would replace an original; choose another --output"
        if _key(path) in taken:
            return f"its result {path} is already that of {taken[_key(path)]}; colour them separately"
        if path.is_dir():
            return f"its result {path} is a folder"
    return None


def _key(path: str | Path) -> str:
    """Paths that are one file on this system have one key (Windows ignores case)."""
    return os.path.normcase(path)
