"""The options of ``colorize`` that steer: hints, a palette, words, a reference."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import click

from ..errors import UserError
from ..files import is_file, is_folder
from .lines import tell

if TYPE_CHECKING:
    from ..inference.palettes import PaletteDrawer
    from ..inference.plan import Job, Plan
    from ..inference.predictor import Predictor, Settings
    from ..inference.wishes import Wishes

_OPTIONS = (
    click.option(
        "--hints",
        type=click.Path(path_type=Path),
        help="Colours at points: a project of the editor, or a folder of NAME.hints.json.",
    ),
    click.option(
        "--reference", type=click.Path(path_type=Path), help="A colour picture whose colours to use."
    ),
    click.option("--palette", metavar="HEX,...", help="One to five colours to use, such as a1b2c3,d4e5f6."),
    click.option("--text", help='Words to draw the palette for, such as "autumn forest".'),
)


def steering_options(command: Callable) -> Callable:
    """--hints, --reference, --palette and --text."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def colour_options(command: Callable) -> Callable:
    """--reference, --palette and --text: what can be wished of many pictures at once."""
    for option in reversed(_OPTIONS[1:]):
        command = option(command)
    return command


def wishes_of(palette: str | None, text: str | None, seed: int, reference: Path | None) -> Wishes | None:
    """What the options wish of every photograph; None without any. Says what palette was drawn.

    Raises:
        UserError: no colours, no known words, a reference that cannot be read or is grey.
    """
    if palette is None and text is None and reference is None:
        return None
    from ..color.palette import to_hex
    from ..inference.palettes import named_palette
    from ..inference.reference import reference_of
    from ..inference.steering import with_drawn_palette
    from ..inference.wishes import Wishes

    wishes = Wishes(text=text, text_seed=seed)
    if palette is not None:
        wishes = replace(wishes, palette=tuple(to_hex(named_palette(palette.replace(",", " ").split()))))
    if reference is not None:
        wishes = replace(wishes, reference=reference_of(reference))
    wishes, warning = with_drawn_palette(wishes)
    if warning:
        click.echo(f"Warning: {warning}", err=True)
    return wishes


def steer(plan: Plan, hints: Path | None, wishes: Wishes | None) -> None:
    """Give every job of the plan what is wished of it; options go before what stands in a file of hints.

    A file of hints that cannot be used fails its photograph; the others go on.

    Raises:
        UserError: ``hints`` is not there, or is one file for several photographs.
    """
    files = {} if hints is None else _hints_files(plan, hints)
    kept, drawer = [], cache(_palette_drawer)  # loaded for the first file that needs it
    for job in plan.jobs:
        try:
            kept.append(_steered(job, files.get(job.source), wishes, drawer))
        except UserError as error:
            plan.failures.append((str(job.source), str(error)))
    plan.jobs[:] = kept


def _steered(job: Job, file: Path | None, wishes: Wishes | None, drawer: Callable[[], PaletteDrawer]) -> Job:
    if file is None:
        return job if wishes is None else replace(job, wishes=wishes)
    from ..inference.steering import with_drawn_palette
    from ..inference.wishes import read_wishes

    own = read_wishes(file)
    if wishes is not None and wishes.palette is not None:
        own = replace(own, palette=wishes.palette, text=wishes.text, text_seed=wishes.text_seed)
    if wishes is not None and wishes.reference is not None:
        own = replace(own, reference=wishes.reference)
    if own.text is not None and own.palette is None:
        try:
            own, warning = with_drawn_palette(own, drawer())
        except UserError as error:
            raise UserError(f"{file}: {error}") from error
        if warning:
            tell(f"Warning: {file}: {warning}", err=True)
    return replace(job, wishes=own, hints_file=file)


def _palette_drawer() -> PaletteDrawer:
    from ..inference.palettes import PaletteDrawer

    return PaletteDrawer()


def check_wishes(predictor: Predictor, job: Job, settings: Settings, asked: dict[str, Any]) -> None:
    """Raise a UserError for wishes of a job that the network cannot meet; it names the file or the options.

    asked: the options --palette, --text and --reference as they were given.
    """
    from ..inference.steering import check_takes, settings_of

    where = str(job.hints_file)
    if job.hints_file is None:
        options = [name for name in ("text", "palette", "reference") if asked[name]]
        if asked["text"]:  # which the palette was drawn for
            options.remove("palette")
        where = " and ".join(f"--{name}" for name in options)
    check_takes(predictor.name, predictor.contract, job.wishes, where)
    if job.hints_file is not None:
        try:
            predictor.check(settings_of(job.wishes, settings))
        except UserError as error:
            raise UserError(f"{where}: its seed wishes for a sample, but {error}") from error


def _hints_files(plan: Plan, hints: Path) -> dict[Path, Path]:
    """Files of hints by the photograph that they are for."""
    from ..inference.wishes import SUFFIX

    if is_file(hints):
        count = len(plan.jobs) + len(plan.skipped) + len(plan.failures)
        if count > 1:
            raise UserError(
                f"--hints {hints}: is for one photograph, and there are {count}; name a folder that has a "
                f"NAME{SUFFIX} for each of those that have hints"
            )
        return {job.source: hints for job in plan.jobs}
    if not is_folder(hints):
        raise UserError(f"--hints {hints}: not found; name a file of hints or a folder of NAME{SUFFIX}")
    found = {}
    for job in plan.jobs:
        for name in _names(job, SUFFIX):
            if is_file(hints / name):
                found[job.source] = hints / name
                break
    if plan.jobs and not found:
        example = _names(plan.jobs[0], SUFFIX)[1]
        raise UserError(f"--hints {hints}: has none for these photographs; they would be called {example}")
    _tell_unused(hints.rglob(f"*{SUFFIX}"), {*found.values()}, plan, SUFFIX)
    return found


def _names(job: Job, suffix: str) -> tuple[PurePath, PurePath]:
    """What the hints of a photograph may be called, the first where a.jpg and a.png are different ones."""
    own = job.relative or PurePath(job.source.name)
    return own.with_name(own.name + suffix), own.with_name(own.stem + suffix)


def _tell_unused(files: Iterable[Path], used: set[Path], plan: Plan, suffix: str) -> None:
    # of photographs that are done already, hints may well be there
    done = [*map(PurePath, plan.skipped), *(PurePath(source) for source, _ in plan.failures)]
    names = {stem + suffix for photograph in done for stem in (photograph.name, photograph.stem)}
    for file in sorted(set(files) - used):
        if file.name not in names:
            tell(f"Warning: {file}: no photograph for these hints", err=True)
