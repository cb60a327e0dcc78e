"""A run's diary: ``stats.jsonl`` for machines, ``train.log`` for people, a progress line, curves."""

from __future__ import annotations

import json
import logging
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..distributed import current
from ..errors import UserError
from ..files import atomic_path
from .run_folder import Watch

logger = logging.getLogger("gan_colorize.training")


class RunLog:
    """Writes records as they happen.

    ``stats.jsonl`` holds only what the data and the seed decide, no clock times: a run that was killed and
    resumed leaves the same file as one that was not.
    """

    def __init__(self, folder: Path, images: int, total: int) -> None:
        self.folder, self.total = folder, total
        self.stats = folder / "stats.jsonl"
        self._forget_after(images)
        try:
            self._handler = _QuietFileHandler(folder / "train.log", encoding="utf-8")
        except OSError as error:
            raise UserError(f"cannot write {folder / 'train.log'}: {error.strerror or error}") from error
        self._handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logging.getLogger("gan_colorize").addHandler(self._handler)
        logging.getLogger("gan_colorize").setLevel(logging.INFO)
        self._watch = Watch(folder)
        self._tensorboard = _tensorboard_writer(folder)
        self._clock = (time.monotonic(), images)
        self._shown = 0.0
        self._open_line = False

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, *_: object) -> None:
        """Detach from logging, whatever ended the run; the files stay."""
        if self._open_line:
            print(file=sys.stderr)
        logging.getLogger("gan_colorize").removeHandler(self._handler)
        with suppress(OSError):  # a full disk: what could not be written is written once more, in vain
            self._handler.close()
        if self._tensorboard is not None:
            self._tensorboard.close()

    def record(self, **values: Any) -> None:
        """Append one line to ``stats.jsonl`` and to TensorBoard."""
        self.check_folder()
        try:
            with self.stats.open("a", encoding="utf-8") as file:
                file.write(json.dumps(values) + "\n")
        except OSError as error:
            reason = error.strerror or error
            raise UserError(f"cannot write {self.stats}: {reason}; make room and use --resume") from error
        if self._tensorboard is not None:
            for key, value in values.items():
                if isinstance(value, float):
                    self._tensorboard.add_scalar(key, value, values["images"])

    def check_folder(self) -> None:
        """Raise a UserError when the run folder is there no more: writing would make a new, empty one."""
        self._watch.check()

    def say(self, message: str) -> None:
        """One line for people, in the log and on the terminal."""
        if self._open_line:
            print(file=sys.stderr)
            self._open_line = False
        logger.info(message)
        print(message, file=sys.stderr, flush=True)

    def progress(self, images: int, phase: str) -> None:
        """A line rewritten in place on a terminal, twice a second at most; nothing in a pipe."""
        now = time.monotonic()
        if not sys.stderr.isatty() or now - self._shown < 0.5:
            return
        self._shown, self._open_line = now, True
        print(f"\r{self.pace(images)}  {phase}\033[K", end="", file=sys.stderr, flush=True)

    def pace(self, images: int) -> str:
        """ "12,000/300,000 images  110.3 images/s  43 min left", by the speed since the run was started."""
        started, before = self._clock
        speed = (images - before) / max(time.monotonic() - started, 1e-9)
        left = max(0, self.total - images) / speed / 60 if speed else float("inf")
        text = f"{left:.0f} min left" if left >= 1 else f"{left * 60:.0f} s left"
        return f"{images:,}/{self.total:,} images  {speed:.1f} images/s  {text if speed else ''}".rstrip()

    def read(self) -> list[dict[str, Any]]:
        """Every record so far."""
        if not self.stats.exists():
            return []
        return [json.loads(line) for line in self.stats.read_text(encoding="utf-8").splitlines()]

    def _forget_after(self, images: int) -> None:
        """Drop records past the checkpoint that is resumed, and a line that a kill cut short."""
        if not self.stats.exists():
            return
        kept = []
        for line in self.stats.read_text(encoding="utf-8").splitlines():
            try:
                if json.loads(line)["images"] <= images:
                    kept.append(line + "\n")
            except (json.JSONDecodeError, KeyError):
                break
        with atomic_path(self.stats) as temporary:
            temporary.write_text("".join(kept), encoding="utf-8")


def open_log(folder: Path, images: int, total: int) -> RunLog:
    """The run's diary; of many processes only the main one's is written."""
    return RunLog(folder, images, total) if current().main else _NoLog(folder, images, total)


class _NoLog(RunLog):
    """The diary of a process that is not the main one: it keeps none."""

    def __init__(self, folder: Path, images: int, total: int) -> None:
        self.folder, self.total = folder, total
        self._clock = (time.monotonic(), images)

    def __exit__(self, *_: object) -> None:
        pass

    def record(self, **values: Any) -> None:
        pass

    def say(self, message: str) -> None:
        pass

    def progress(self, images: int, phase: str) -> None:
        pass


class _QuietFileHandler(logging.FileHandler):
    """A log that cannot be written must not bury the reason under logging's own traceback."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass


def _tensorboard_writer(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"))
