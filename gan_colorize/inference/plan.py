"""Which files are coloured and where each result goes. Originals are never a target."""

from __future__ import annotations

import glob
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath

from ..data.image_io import IMAGE_SUFFIXES
from ..data.image_write import WRITE_SUFFIXES
from ..errors import UserError
from ..file_names import NameRules, short_enough, windows_path
from ..files import exists, file_hash, is_file, is_folder
from .inputs import Found
from .search import is_inside
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

    @property
    def targets(self) -> tuple[Path, ...]:
        """Every file that comes of it."""
        return self.outputs if self.confidence is None else (*self.outputs, self.confidence)

    def hints_hash(self) -> str | None:
        """sha256 of its file of hints, if it has one that can be read."""
        with suppress(OSError):
            return file_hash(self.hints_file) if self.hints_file is not None else None
        return None


@dataclass
class Plan:
    """jobs to do; skipped: inputs whose results are there; failures: (input, line) for the others. resume:
    None, or what to do about results that would be made in another way now: "keep" or "overwrite"."""

    jobs: list[Job]
    skipped: list[Path]
    failures: list[tuple[str, str]]
    resume: str | None = None


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
    existing: what to do about results that are there: "fail", "skip", "overwrite", or "resume", which leaves
        it to :mod:`resume`.
    single_file: ``output`` is the one result itself.
    made_from: results of earlier runs and the real paths of their originals.
    """
    result = Plan([], [], [])
    originals = _Originals(found)
    relatives = [windows_path(one.relative) if sys.platform == "win32" else one.relative for one in found]
    wanted = [output if single_file else output / _renamed(relative, suffix) for relative in relatives]
    key = NameRules(output, wanted).key
    count = Counter(map(key, wanted))
    taken: dict[str, Path] = {}
    within = _Within(output)
    for one, relative, path in zip(found, relatives, wanted, strict=True):
        if count[key(path)] > 1 and path.name != relative.name:
            # a.tif and a.png both become a.png: the one that changes its suffix keeps its whole name
            path = path.with_name(relative.name + path.suffix)
        outputs = tuple(_sample_path(path, index) for index in range(1, samples + 1)) or (path,)
        sureness = path.with_name(f"{path.stem}.confidence.png") if confidence else None
        if not single_file:
            outputs = tuple(map(short_enough, outputs))
            sureness = short_enough(sureness) if sureness else None
        job = Job(one.source, outputs, sureness, relative=one.relative)
        meets = next((taken[key(target)] for target in job.targets if key(target) in taken), None)
        problem = _conflict(job, meets, originals) or (None if single_file else within.problem(path))
        there = [target for target in job.targets if os.path.lexists(target)]
        other = _other_original(one.source, there, made_from or {})
        if problem:
            result.failures.append((str(one.source), f"{one.source}: {problem}"))
        elif existing == "skip" and other:
            line = f"{one.source}: {other}; choose another --output or another --format"
            result.failures.append((str(one.source), line))
        elif existing == "skip" and len(there) == len(job.targets):
            result.skipped.append(one.source)
        elif existing == "fail" and there:
            line = f"{one.source}: {there[0]} exists; add --overwrite or --skip-existing"
            result.failures.append((str(one.source), line))
        else:
            result.jobs.append(job)
        taken |= dict.fromkeys(map(key, job.targets), one.source)
    return result


def names_one_file(inputs: Sequence[str], output: Path, suffix: str | None) -> bool:
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


class _Originals:
    """The inputs, however a path to one of them is spelt: through links, or in other case."""

    def __init__(self, found: list[Found]) -> None:
        self.paths = {_key(os.path.realpath(one.source)) for one in found}
        self.numbers = {_number(one.source) for one in found}

    def __contains__(self, path: Path) -> bool:
        if _key(os.path.realpath(path)) in self.paths:
            return True
        number = _number(path)
        return number is not None and number in self.numbers


def _number(path: Path) -> tuple[int, int] | None:
    """What the file system knows a file by; None where there is none, or it has no numbers."""
    with suppress(OSError, ValueError):
        found = path.stat()
        return (found.st_dev, found.st_ino) if found.st_ino else None
    return None


class _Within:
    """Whether results land in the output folder, and not where a link in it leads."""

    def __init__(self, output: Path) -> None:
        self.output = os.path.realpath(output)
        self._problems: dict[Path, str | None] = {}

    def problem(self, path: Path) -> str | None:
        folder = path.parent
        if folder not in self._problems:
            real = os.path.realpath(folder)
            inside = real == self.output or is_inside(real, self.output)
            self._problems[folder] = None if inside else f"{folder} leads out of --output, to {real}"
        return self._problems[folder]


def _conflict(job: Job, meets: Path | None, originals: _Originals) -> str | None:
    """meets: the input whose result has one of the job's names already."""
    if meets is not None:
        return f"its result {job.outputs[0]} is already that of {meets}; colour them separately"
    for path in job.targets:
        if path in originals:
            return f"its result {path} would replace an original; choose another --output"
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
