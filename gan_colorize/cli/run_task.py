"""What a process does of a run over files: its part of the jobs, of which the main process is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..dealing import Hand, dealt
from ..distributed import from_main
from ..errors import UserError
from ..files import journalled

if TYPE_CHECKING:
    from ..inference.batch import FileResult
    from ..inference.plan import Job
    from ..inference.report import RunReport
    from ..signals import Stop
    from .progress import Progress

# How dear a photograph is beside its bytes: the network sees a small one no faster than a large one.
_BYTES_OF_A_PASS = 100_000


@dataclass
class Task:
    """The jobs of a run, in every process that works on it; the main one has ``report`` and ``progress``."""

    jobs: list[Job]
    run_id: str
    report: RunReport | None = None
    progress: Progress | None = None

    def say(self, line: str) -> None:
        """A line that all processes would say: the main one does."""
        if self.progress is not None:
            self.progress.say(line)

    def begin(self, *model: Any, **more: Any) -> None:
        """The work begins, with a model as :meth:`RunReport.about_model` is told of it.

        Raises:
            UserError: as there, in every process.
        """
        from_main(lambda: self.report.about_model(*model, **more))
        if self.progress is not None:
            self.progress.start()

    def do(self, start: Callable[[Dealt, Callable[[str], None]], Iterator[FileResult]], stop: Stop) -> None:
        """Do the jobs, together with the other processes, and report what comes of them.

        Args:
            start: begins on the jobs it is given; the other argument takes lines for a person.

        Raises:
            PeerLost: a process has ended before the work was done. KeyboardInterrupt: what ``stop`` stands
            for, once all is reported.
        """
        numbers = {job.source: number for number, job in enumerate(self.jobs)}

        def work(hand: Hand) -> Iterator[tuple[int, FileResult]]:
            with journalled(self.run_id, lambda temporary, target: hand.ask("place", temporary, target)):
                for result in start(Dealt(self.jobs, hand), lambda line: hand.ask("say", line)):
                    yield numbers[result.source], result

        if self.report is None:
            for _ in dealt([0.0] * len(self.jobs), work, stop=stop, even=True):
                pass  # the main process has it
            stop.raise_if_set()
            return
        weights = [self.report.source_bytes(job.source) + _BYTES_OF_A_PASS for job in self.jobs]
        answers = {"place": self.report.place, "say": self.progress.say}
        outcomes = dealt(weights, work, answers, stop, even=True)
        _take_results(self._all_told(outcomes, stop), self.report, self.progress, stop)

    def _all_told(self, outcomes: Iterator[tuple[int, FileResult]], stop: Stop) -> Iterator[FileResult]:
        """Results, and "not tried" for jobs that were left when every process had stopped for a full disk."""
        from ..inference.batch import FileResult

        left = {job.source for job in self.jobs}
        for _, result in outcomes:
            left.discard(result.source)
            yield result
        if left and not stop.is_set():
            for job in self.jobs:
                if job.source in left:
                    yield FileResult(job.source, "not tried")


class Dealt:
    """The jobs that a process is dealt, one after the other. ``len()`` is about its share of all.

    As with :class:`~gan_colorize.dealing.Hand`, there may be more after there was none.
    """

    def __init__(self, jobs: list[Job], hand: Hand) -> None:
        self._jobs, self._hand = jobs, hand

    def __len__(self) -> int:
        return self._hand.share

    def __iter__(self) -> Dealt:
        return self

    def __next__(self) -> Job:
        return self._jobs[next(self._hand)]


def _take_results(results: Iterable[FileResult], report: RunReport, progress: Progress, stop: Stop) -> None:
    """Report files as they are finished; raises what a signal stands for once that is done.

    A manifest that cannot be written stops the run as a full disk does: the others are "not tried".
    """
    broken = False
    for result in results:
        problems = [result.error] if result.error else []
        try:
            report.add(result)
        except UserError as error:
            if not broken:
                problems.append(f"{error}; stopped")
            broken = True
            stop.set()
        for line in problems:
            progress.say(f"Error: {line}")
        width, height = result.size or (0, 0)
        progress.step(
            megapixels=width * height / 1e6,
            work=report.source_bytes(result.source),
            failed=result.error is not None,
        )
    if broken:
        report.failed_to_write = True
        report.add_missing()
    if stop.number is not None or not broken:
        stop.raise_if_set()
