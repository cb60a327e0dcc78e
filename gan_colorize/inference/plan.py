"""Which files are coloured and where each result goes. Originals are never a target."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from ..data.image_io import IMAGE_SUFFIXES
from ..data.image_write import WRITE_SUFFIXES
from ..errors import UserError
from ..files import exists, is_file, is_folder
from .inputs import Found
from .wishes import Wishes


@dataclass(frozen=True)
class Job:
    """One file to colour: ``outputs`` has one path for each colouring; ``wishes`` steer it, and came from
    ``hints_file`` if they were in one; ``relative`` is its path below the input that it was found in."""

    source: Path
    outputs: tuple[Path, ...]
    confidence: Path | None = None
    wishes: Wishes | None = None
    hints_file: Path | None = None
    relative: PurePath | None = None


@dataclass
class Plan:
    """jobs to do; skipped: inputs whose results are there; failures: (input, line) for the others."""

    jobs: list[Job]
    skipped: list[Path]
    failures: list[tuple[str, str]]


def plan(
    found: list[Found],
    output: Path,
    *,
    suffix: str | None,
    samples: int,
    confidence: bool,
    existing: str,
    single_file: bool,
    made_from: Mapping[Path, str] | None = None,
) -> Plan:
    """Give every input its results' paths.

    suffix: of the results (".png"), or None for the input's own where it can be written, else ".png".
    existing: what to do about results that are there: "fail", "skip" or "overwrite".
    single_file: ``output`` is the one result itself.
    made_from: results of earlier runs and the real paths of their originals.
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
        sureness = path.with_name(f"{path.stem}.confidence.png") if confidence else None
        job = Job(one.source, outputs, sureness, relative=one.relative)
        every = (*outputs, *([job.confidence] if job.confidence else []))
        problem = _conflict(every, taken, originals)
        there = [target for target in every if exists(target)]
        other = _other_original(one.source, there, made_from or {})
        if problem:
            result.failures.append((str(one.source), f"{one.source}: {problem}"))
        elif existing == "skip" and other:
            line = f"{one.source}: {other}; choose another --output or another --format"
            result.failures.append((str(one.source), line))
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
            land among the originals; or the one input is not there.
    """
    for name in inputs:
        if is_folder(name) and exists(output) and output.samefile(name):
            raise UserError(f"--output {output}: is an input folder; choose another, such as {output}/colour")
    own = output.suffix.lower()
    if is_folder(output) or own not in {*IMAGE_SUFFIXES, *WRITE_SUFFIXES}:
        if is_file(output):
            raise UserError(f"--output {output}: is a file; name a folder")
        return False
    if own not in WRITE_SUFFIXES:
        raise UserError(f"--output {output}: cannot write {own}; use one of {' '.join(WRITE_SUFFIXES)}")
    if len(inputs) == 1 and not exists(inputs[0]) and not glob.has_magic(inputs[0]):
        raise UserError(f"{inputs[0]}: no such file or folder")
    if len(inputs) > 1 or not is_file(inputs[0]):
        raise UserError(f"--output {output}: names one image, but the input is not one file; name a folder")
    if suffix and not _same_format(own, suffix):
        raise UserError(f"--output {output}: contradicts --format {suffix[1:]}; leave one of them out")
    return True


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
        if is_folder(path):
            return f"its result {path} is a folder"
    return None


def _other_original(source: Path, there: list[Path], made_from: Mapping[Path, str]) -> str | None:
    for target in there:
        original = made_from.get(target)
        if original is None or _key(original) == _key(os.path.realpath(source)):
            continue
        # collections are moved: an original that is no longer where it was is known by its name
        if exists(original) or Path(original).name != source.name:
            return f"its result {target} exists and was made from {original}"
    return None


def _key(path: str | Path) -> str:
    """Paths that are one file on this system have one key (Windows ignores case)."""
    return os.path.normcase(path)
