"""What several processes cost over the ideal: each works on its part and knows nothing of the others.

    python scripts/bench_processes.py [--processes 2] [--repeats 5] [--photos 96]
        [--work colorize evaluate train train_both]

The same processes of one thread each, started once by torchrun, do the same work again and again in three
ways, one after the other in every repeat, so that neighbours on the machine disturb all alike:

- together: as torchrun -m gan_colorize does it;
- apart: at the same time, each a part of equal size by itself: the ideal;
- alone: the main process by itself, with as many threads as there are processes.

Told are medians, and their ratios; wanted is at most 1.10 times the ideal. Starting (imports, weights,
meeting) is left out of them and told beside. A kind of work is a class in ``WORKS``: ``prepare`` once, then
``run`` on all or on a part.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from PIL import Image

from gan_colorize import distributed
from gan_colorize.cli.processes import joined
from gan_colorize.distributed import SINGLE, Group, wait_for_all

MOST = 1.10
WAYS = ("together", "apart", "alone")


class Work(Protocol):
    """A kind of work."""

    def prepare(self, folder: Path, photos: int, group: Group) -> None:
        """Load what is needed; ``folder`` has the photographs, and takes what is made."""

    def run(self, part: tuple[int, int] | None) -> None:
        """Do the work: of the current group (None), or of one part of so many by itself."""


class Colorize:
    """Photographs of 0.1 to 3 megapixels, with report and manifest."""

    def prepare(self, folder: Path, photos: int, group: Group) -> None:
        from gan_colorize.inference.predictor import Predictor
        from gan_colorize.zoo.checkpoint import load_model

        self.folder, self.group, self.runs = folder, group, 0
        self.predictor = Predictor(load_model("default"), "cpu")
        # by size, so that parts dealt in turn are of equal size
        self.sources = sorted((folder / "grey").iterdir(), key=lambda path: -path.stat().st_size)[:photos]

    def run(self, part: tuple[int, int] | None) -> None:
        from gan_colorize.cli.progress import Progress
        from gan_colorize.cli.run_task import Task
        from gan_colorize.inference.batch import colour_files
        from gan_colorize.inference.manifest import MANIFEST_NAMES, Manifest
        from gan_colorize.inference.plan import Job
        from gan_colorize.inference.predictor import Settings
        from gan_colorize.inference.report import RunReport
        from gan_colorize.signals import Stop

        self.runs += 1
        sources = _part(self.sources, part)
        output = self.folder / f"out-{self.runs}-{part[0] if part else 'all'}"
        jobs = [Job(source, (output / source.name,)) for source in sources]
        report = None
        if part or distributed.current().main:
            manifest = Manifest(output / MANIFEST_NAMES["colorize"])
            report = RunReport({"samples": 0}, output / "report.json", "coloured", manifest)
            report.expect(jobs)
            report.about_model(Path("default"), "", {}, temperature=None, saturation=None)
        task = Task(jobs, "bench", report, Progress(len(jobs)) if report else None)
        stop = Stop()
        task.do(lambda dealt, say: colour_files(self.predictor, dealt, Settings(), say=say, stop=stop), stop)
        if report is not None:
            if report.counts()["coloured"] != len(jobs):
                sys.exit(f"not all were coloured: {report.counts()}")
            report.write()
            report.close()
            shutil.rmtree(output)


class Evaluate:
    """All metrics, with LPIPS where its trunk is, on pictures of 256x256."""

    def prepare(self, folder: Path, photos: int, group: Group) -> None:
        from gan_colorize.evaluation.lpips_metric import LpipsUnavailable, load_lpips
        from gan_colorize.zoo.checkpoint import load_model

        self.paths = sorted((folder / "colour").iterdir())[:photos]
        self.model = load_model("default")
        try:
            self.lpips = load_lpips("alex", None, "cpu", False)
        except LpipsUnavailable:
            self.lpips = None

    def run(self, part: tuple[int, int] | None) -> None:
        from gan_colorize.data.folder import FileSource
        from gan_colorize.evaluation.protocol import Settings
        from gan_colorize.evaluation.runner import evaluate

        paths = _part(self.paths, part)
        report, _ = evaluate(self.model, FileSource(paths, paths[0].parent), Settings(), "cpu", self.lpips)
        if report and len(report["per_image"]) != len(paths):
            sys.exit(f"not all were measured: {len(report['per_image'])} of {len(paths)}")


class Train:
    """Steps of configs/flagship.yaml on 96-pixel crops: 32 images a process, so that "alone" does as many."""

    train, batch, size, steps = "generator", 32, 96, 6

    def prepare(self, folder: Path, photos: int, group: Group) -> None:
        self.group = group
        self.shared = self._task()
        with _by_itself(1):
            self.single = self._task()
        chance = torch.Generator().manual_seed(group.rank)
        shape = (self.batch * group.world, 3, self.size, self.size)
        self.rgb = torch.randint(0, 256, shape, dtype=torch.uint8, generator=chance)

    def _task(self) -> Any:
        from gan_colorize.color.bins import NUM_BINS
        from gan_colorize.config import load_config
        from gan_colorize.devices import choose_dtype
        from gan_colorize.training import colorize_task
        from gan_colorize.training.ema import Average
        from gan_colorize.training.optim import Precision
        from gan_colorize.training.photographs import TrainingData

        config = load_config(Path(__file__).resolve().parents[1] / "configs" / "flagship.yaml")
        config.model.pretrained_encoder = False  # the same work, whatever the weights
        config.phases[0].train = self.train
        scan = SimpleNamespace(histogram=np.full(NUM_BINS, 1 / NUM_BINS))
        truth = torch.zeros(1, 3, self.size, self.size, dtype=torch.uint8)
        data = TrainingData(None, scan, np.arange(0), truth, "")
        device = torch.device("cpu")
        precision = Precision(device, choose_dtype("auto", device))
        task = colorize_task.ColorizeTask(config, data, device, precision, False, None)
        task.average = Average(task.networks.generator, 10_000)
        return task

    def run(self, part: tuple[int, int] | None) -> None:
        task = self.shared if part is None else self.single
        count = self.batch * (self.group.world if part == (0, 1) else 1)
        numbers = torch.arange(count)
        for step in range(self.steps):
            batch = task.prepare_batch.maker.training(self.rgb[:count], numbers + step * count, step * count)
            terms = task.step(batch, self.train)
            distributed.mean(torch.stack(list(terms.values()))).tolist()
            task.average.update(task.networks.generator, count, 1_000)


class TrainBoth(Train):
    """Both players: generator and discriminator."""

    train = "both"


WORKS: dict[str, Callable[[], Work]] = {
    "colorize": Colorize,
    "evaluate": Evaluate,
    "train": Train,
    "train_both": TrainBoth,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--photos", type=int, default=96)
    parser.add_argument("--work", nargs="+", choices=WORKS, default=list(WORKS))
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)  # of processes that were started
    arguments = parser.parse_args()
    if arguments.folder is not None:
        _measure(arguments)
        return
    with tempfile.TemporaryDirectory() as name:
        _photographs(Path(name), arguments.photos)
        for work in arguments.work:
            told = _start(work, arguments, Path(name))
            _tell(work, arguments.processes, told)


def _start(work: str, arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc_per_node", str(arguments.processes), __file__, "--folder", str(folder)]
    command += ["--repeats", str(arguments.repeats), "--photos", str(arguments.photos), "--work", work]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "BENCH_STARTED": str(time.time())}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{work}: the processes ended with {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def _measure(arguments: argparse.Namespace) -> None:
    """In every process of the job: the seconds of each way in every repeat, printed by the main one."""
    work = WORKS[arguments.work[0]]()
    with joined("cpu") as (group, _):
        work.prepare(arguments.folder, arguments.photos, group)
        wait_for_all()
        start = time.time() - float(os.environ["BENCH_STARTED"])
        seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        for repeat in range(arguments.repeats + 1):
            for way in WAYS:
                wait_for_all()
                started = time.perf_counter()
                _go(work, way, group)
                wait_for_all()
                if repeat:  # the first makes tables and fills caches
                    seconds[way].append(time.perf_counter() - started)
        if group.main:
            print(json.dumps({"start": start, "seconds": seconds}))


def _go(work: Work, way: str, group: Group) -> None:
    if way == "together":
        work.run(None)
    elif way == "apart":
        with _by_itself(1):
            work.run((group.rank, group.world))
    elif group.main:
        with _by_itself(group.world):
            work.run((0, 1))


@contextmanager
def _by_itself(threads: int) -> Iterator[None]:
    """Within the block this process knows of no others, and has so many threads."""
    before, distributed._current = distributed._current, SINGLE
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(1)
        distributed._current = before


def _part(items: Sequence[Any], part: tuple[int, int] | None) -> list[Any]:
    """Every n-th item there and back (0 1 1 0 0 1 ...), so that parts of a sorted list weigh the same."""
    if part is None:
        return list(items)
    number, count = part
    there_and_back = [*range(count), *reversed(range(count))]
    return [item for index, item in enumerate(items) if there_and_back[index % (2 * count)] == number]


def _photographs(folder: Path, count: int) -> None:
    chance = np.random.default_rng(0)
    for kind in ("grey", "colour"):
        (folder / kind).mkdir()
    for index in range(count):
        coarse = chance.integers(0, 256, (24, 32, 3), dtype=np.uint8)
        noise = chance.normal(0, 6, (256, 256, 3))
        picture = np.asarray(Image.fromarray(coarse).resize((256, 256), Image.Resampling.BICUBIC)) + noise
        colour = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
        colour.save(folder / "colour" / f"{index:04d}.png")
        width = int(np.exp(chance.uniform(np.log(360), np.log(2000))))
        large = colour.convert("L").resize((width, width * 3 // 4), Image.Resampling.BICUBIC)
        large.save(folder / "grey" / f"{index:04d}.jpg", quality=92)


def _tell(work: str, processes: int, told: dict[str, Any]) -> None:
    middle = {way: statistics.median(values) for way, values in told["seconds"].items()}
    over = middle["together"] / middle["apart"]
    print(f"{work}, {processes} processes of one thread; medians of {len(told['seconds']['apart'])}")
    for way in WAYS:
        values = told["seconds"][way]
        print(f"  {way:9s}{middle[way]:8.2f} s   {min(values):.2f} to {max(values):.2f}")
    print(f"  {over:.3f} of the ideal; wanted at most {MOST:.2f}: {'met' if over <= MOST else 'MISSED'}")
    print(f"  {middle['together'] / middle['alone']:.3f} of one process with {processes} threads")
    print(f"  starting took {told['start']:.1f} s")
    print(json.dumps({"work": work, "over_ideal": round(over, 4)} | told))


if __name__ == "__main__":
    main()
