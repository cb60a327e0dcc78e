"""The one training loop, read from top to bottom."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import torch

from ..config import Config, Phase, save_config
from ..data.loader import dead_workers_told
from ..devices import choose_dtype, keep_freed_memory
from ..distributed import current, from_main, lost_peers_told, mean
from ..errors import UserError
from ..signals import stop_on_signals
from .checkpoints import Keeper, check_best_by
from .ema import Average
from .guard import Guard
from .optim import Precision, rate_factor
from .run_folder import LAST, STATE
from .runlog import open_log
from .state import Progress, RunState
from .task import begin_phase, create_task


def train(config: Config, data: object, folder: Path, device: str, resume: bool, init: Path | None) -> bool:
    """Train until the phases are done or a signal comes -> True when done.

    data: what the ``prepare`` of ``config.task`` made (see :mod:`gan_colorize.training.task`).

    One of several processes (:mod:`gan_colorize.distributed`) trains on its rows of every batch; all make the
    same decisions, since they decide by numbers of all, and the main one writes.

    Raises:
        UserError: repeated non-finite losses, an unreadable state, a full disk.
        PeerLost: another process is gone.
    """
    group = current()
    torch.manual_seed(config.run.seed)
    place = torch.device(device)
    if place.type == "cpu":
        keep_freed_memory()
    precision = Precision(place, choose_dtype(config.run.precision, place))
    task = create_task(config, data, place, precision, resume, init)
    players = task.networks
    average = Average(players.generator, config.optimizer.ema_images)
    state = RunState(players, average, task.step, task.fingerprint)
    known_data = state.load(folder / LAST / STATE) if resume else True
    check_best_by(config)
    from_main(lambda: save_config(config, folder / "config.yaml"))
    total = sum(phase.images for phase in config.phases)
    progress = state.progress
    state.remember()

    with (
        open_log(folder, progress.images, total) as log,
        stop_on_signals() as stop,
        dead_workers_told(),
        lost_peers_told(),
    ):
        guard = Guard(state, log, task.step.scaler)
        keeper = Keeper(config, folder, state, task.validator, precision, log)
        verb = "resuming" if resume else "training"
        processes = f"; {group.world} processes" if group.world > 1 else ""
        log.say(f"{verb} at {log.pace(progress.images)}; {device}, {precision.dtype}{processes}")
        if state.notice:
            log.say(state.notice)
        if not known_data:
            log.say("the data are not those of the saved run: its numbers will not go on exactly")
        if not resume:
            from_main(keeper.begin)
        for index, phase, first in _remaining_phases(config.phases, progress):
            last = first + phase.images
            name = f"phase {index + 1}/{len(config.phases)} {phase.train} {phase.crop_size} px"
            log.say(f"{name}: {last - progress.images:,} images")
            if index > progress.begun:
                progress.begun = index
                if begin_phase(task, index, progress.images):
                    average.restart(players.generator)  # a mean of before and after would be neither
                    state.remember()
            for batch in task.batches(phase, progress.images):
                factor = rate_factor(config.optimizer, phase, progress.images - first, progress.images)
                rate = progress.rate * factor
                players.set_rates(config.optimizer, rate)
                # What layers draw (stochastic depth) must follow from the position, or resuming would differ.
                torch.manual_seed(config.run.seed * 1_000_003 + batch.position + (group.rank << 40))
                terms = task.step(batch, phase.train)
                before, progress.images = progress.images, batch.position

                # A signal may come between two processes' looks at it: they stop at the same step.
                told = next(iter(terms.values())).new_tensor(float(stop.is_set()))
                *means, stopped = mean(torch.stack([*terms.values(), told])).tolist()
                values = dict(zip(terms, means, strict=True))
                if guard.passes(values, before):
                    _add(progress.sums, values)
                    if phase.train != "discriminator":
                        average.update(players.generator, phase.batch_size, progress.images)

                done = progress.images >= last
                due = {
                    key: done or _crosses(before, progress.images, getattr(config.run, key))
                    for key in ("log_every", "validate_every", "checkpoint_every")
                }
                log.progress(progress.images, name)
                if due["log_every"] and progress.sums:
                    averages = {key: entry[0] / entry[1] for key, entry in progress.sums.items()}
                    progress.sums = {}
                    log.record(images=progress.images, phase=index, rate=rate, **averages)
                if due["validate_every"] and phase.train != "discriminator":
                    keeper.validate(index)
                if due["checkpoint_every"] or stopped:
                    guard.checkpoint()
                    from_main(keeper.save)
                if stopped:
                    log.say(f"stopped at {progress.images:,} images; the state is saved")
                    return False
                if done:
                    break
        if not progress.good_batches:
            raise UserError("training ended on a loss that is not finite; see train.log in the run folder")
        final = keeper.finish()
        log.say(f"done: {log.pace(progress.images)}; the model is {final}")
    return True


def _remaining_phases(phases: list[Phase], progress: Progress) -> Iterator[tuple[int, Phase, int]]:
    """Asked anew when a phase ends: it may have passed its mark by part of a batch, and a run that is
    resumed there must come to the same answer."""
    first = 0
    for index, phase in enumerate(phases):
        if progress.images < first + phase.images:
            yield index, phase, first
        first += phase.images


def _add(sums: dict[str, list[float]], values: dict[str, float]) -> None:
    for key, value in values.items():
        if math.isfinite(value):  # an overflow that the fp16 scaler skipped is no part of the mean
            entry = sums.setdefault(key, [0.0, 0.0])
            entry[0], entry[1] = entry[0] + value, entry[1] + 1.0


def _crosses(before: int, after: int, interval: int) -> bool:
    return before // interval != after // interval
