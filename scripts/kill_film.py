"""Kill a film that is being coloured five times, resume it each time, and see that the result is the same.

    python scripts/kill_film.py PHOTOGRAPHS [--seconds 20] [--images 60] [--kills 5] [--seed 0] [--model M]

An old film with sound (H.264 with frames that refer to later ones, AAC), and a folder of such frames, are
made of photographs as ``bench_film.py`` makes them. They are coloured by ``gan-colorize video --resume`` in a
process that is sent SIGKILL at moments drawn by the seed, one in every part of the run; the last one while
the film is put together. At the end the decoded frames, their times and the packets of sound must be those
of a run that nobody disturbed, nothing may be left behind, and no piece that was finished may be made again.
Prints what was found; the exit code is 1 if anything is not so.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import av
import cv2
import numpy as np
from bench_film import SIZE, Pan

from gan_colorize.data.image_io import IMAGE_SUFFIXES, read_rgb8

ROOT = Path(__file__).resolve().parents[1]
RATE, SOUND_RATE = 24, 48_000
# Frames of a shot; no multiple of those of a piece, so that pieces end anywhere in it.
SHOT = 60
_DEADLINE = 900.0


def old_frames(photographs: Path, count: int, seed: int) -> list[np.ndarray]:
    """Grey (H, W) uint8, ``SHOT`` of each photograph."""
    files = sorted(file for file in photographs.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
    random.Random(seed).shuffle(files)
    shots = -(-count // SHOT)
    if len(files) < shots:
        raise SystemExit(f"{photographs}: {shots} photographs are needed, and there are {len(files)}")
    pans = [Pan(read_rgb8(file), SHOT, seed + index) for index, file in enumerate(files[:shots])]
    return [frame[1] for pan in pans for frame in pan.frames][:count]


def write_film(path: Path, frames: list[np.ndarray], seed: int) -> None:
    """H.264 with B-frames and AAC, in MP4."""
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libx264", rate=RATE, options={"crf": "14", "bf": "3", "g": "72"})
        pictures.width, pictures.height, pictures.pix_fmt = *SIZE, "yuv420p"
        sound = container.add_stream("aac", rate=SOUND_RATE)
        for index, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, "gray").reformat(format="yuv420p")
            picture.pts, picture.time_base = index, Fraction(1, RATE)
            container.mux(pictures.encode(picture))
        container.mux(pictures.encode())
        noise = np.random.default_rng(seed).normal(0.0, 0.1, (2, len(frames) * SOUND_RATE // RATE))
        for at in range(0, noise.shape[1] - 1023, 1024):
            part = np.ascontiguousarray(noise[:, at : at + 1024], np.float32)
            tone = av.AudioFrame.from_ndarray(part, "fltp", "stereo")
            tone.sample_rate, tone.pts, tone.time_base = SOUND_RATE, at, Fraction(1, SOUND_RATE)
            container.mux(sound.encode(tone))
        container.mux(sound.encode())


@dataclass
class Trial:
    """A source and its two results: ``killed``, and ``whole`` of a run that nobody disturbed.

    state: lines about the finished pieces of the former. frames: of the source; segment: of them in a piece.
    problems: what is wrong.
    """

    kind: str
    source: Path
    killed: Path
    whole: Path
    state: Path
    frames: int
    segment: int
    model: str
    problems: list[str] = field(default_factory=list)

    def start(self, output: Path, *options: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "gan_colorize", "video", str(self.source), "--output", str(output)]
        command += ["--model", self.model, "--device", "cpu", "--segment", str(self.segment), *options]
        return subprocess.Popen(
            command,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(self, kills: int, seed: int) -> None:
        began = time.monotonic()
        self._see_end_of(self.start(self.whole), "the undisturbed run")
        print(f"{self.kind}: undisturbed {self.frames} frames, {time.monotonic() - began:.1f} s", flush=True)
        began, chance, found = time.monotonic(), random.Random(seed), []
        count = -(-self.frames // self.segment)
        moments = [int(count * (part + chance.random()) / kills) for part in range(kills - 1)]
        for moment in moments:
            self._kill(moment, chance.random() * (1.0 if self.kind == "film" else 0.2), found)  # in a piece
        # while the pieces are put together; images are not, and done with their last piece
        self._kill(count if self.kind == "film" else count - 1, chance.random() * 0.05, found)
        self._see_end_of(self.start(self.killed, "--resume"), "the last run")
        print(
            f"{self.kind}: killed with {found} of {count} pieces, {time.monotonic() - began:.1f} s",
            flush=True,
        )
        if len(found) < kills:
            self.problems.append(f"only {len(found)} runs were killed before their end")
        beside = {path.name for path in self.killed.parent.glob("killed*")}
        expected = {path.name.replace("whole", "killed") for path in self.whole.parent.glob("whole*")}
        if beside != expected:
            self.problems.append(f"left behind: {beside - expected}; lost: {expected - beside}")

    def _kill(self, moment: int, later: float, found: list[int]) -> None:
        """One run that is killed some time after it has so many pieces; adds how many it had to ``found``."""
        known, began = self.pieces(), time.monotonic()
        running = self.start(self.killed, "--resume")
        while running.poll() is None and len(self.pieces()) < moment and time.monotonic() - began < _DEADLINE:
            time.sleep(0.002)
        if moment == 0 or len(known) >= moment:  # it has them from the beginning, and has to load its model
            later += 3.0
        time.sleep(later)
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
            found.append(len(self.pieces()))
        words = running.communicate()[0].decode(errors="replace")
        if running.returncode not in (0, -signal.SIGKILL) or "Traceback" in words:
            self.problems.append(f"a resumed run ended with {running.returncode}: {words[-500:]}")
        now = self.pieces()
        # without a state it was killed when all was done, while it tidied up
        if self.state.exists() and now[: len(known)] != known:
            self.problems.append(f"{len(known)} pieces were there, and were made again")

    def pieces(self) -> list[bytes]:
        """The lines about the finished pieces."""
        try:
            return self.state.read_bytes().split(b"\n")[1:-1]
        except FileNotFoundError:
            return []

    def _see_end_of(self, running: subprocess.Popen, which: str) -> None:
        words = running.communicate(timeout=_DEADLINE)[0].decode(errors="replace")
        if running.returncode != 0:
            self.problems.append(f"{which} ended with {running.returncode}: {words[-500:]}")


def frames_of(path: Path) -> list[tuple[Fraction, np.ndarray]]:
    with av.open(str(path)) as container:
        return [(one.pts * one.time_base, one.to_ndarray()) for one in container.decode(video=0)]


def sound_of(path: Path) -> list[tuple[Fraction, bytes]]:
    with av.open(str(path)) as container:
        packets = container.demux(audio=0)
        return [(one.pts * one.time_base, bytes(one)) for one in packets if one.size]


def judge_film(trial: Trial) -> None:
    """Compare two films and their original, frame by frame and packet by packet."""
    one, other = frames_of(trial.killed), frames_of(trial.whole)
    times = [at for at, _ in frames_of(trial.source)]
    for path, found in ((trial.killed, one), (trial.whole, other)):
        if [at for at, _ in found] != times:
            trial.problems.append(f"{path.name}: {len(found)} frames at other times than the original's")
    differ = [at for (at, a), (_, b) in zip(one, other, strict=False) if not np.array_equal(a, b)]
    if differ:
        trial.problems.append(f"{len(differ)} frames differ, the first at {float(differ[0]):.2f} s")
    if not sound_of(trial.killed) == sound_of(trial.whole) == sound_of(trial.source):
        trial.problems.append("the sound is not the original's")


def judge_folder(trial: Trial) -> None:
    """Compare two folders of images, pixel by pixel."""
    names = sorted(path.name for path in trial.whole.iterdir())
    if sorted(path.name for path in trial.killed.iterdir()) != names:
        trial.problems.append("the folder has other files than that of an undisturbed run")
    for name in names:
        if name.endswith(".png"):
            pictures = [cv2.imread(str(folder / name)) for folder in (trial.killed, trial.whole)]
            if not np.array_equal(*pictures):
                trial.problems.append(f"{name}: not the pixels of an undisturbed run")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs", type=Path, help="a folder of colour photographs")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="default")
    options = parser.parse_args()
    problems: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        frames = old_frames(options.photographs, options.seconds * RATE, options.seed)
        write_film(folder / "old.mp4", frames, options.seed)
        (folder / "frames").mkdir()
        for index, frame in enumerate(frames[: options.images]):
            cv2.imwrite(str(folder / "frames" / f"{index:04d}.png"), frame)
        killed, whole = folder / "killed.mp4", folder / "whole.mp4"
        state = folder / "killed.mp4.parts" / "state.jsonl"
        film = Trial("film", folder / "old.mp4", killed, whole, state, len(frames), 32, options.model)
        killed, whole = folder / "out" / "killed", folder / "out" / "whole"
        count, state = min(options.images, len(frames)), killed / ".parts" / "state.jsonl"
        images = Trial("images", folder / "frames", killed, whole, state, count, 7, options.model)
        for trial, judge in ((film, judge_film), (images, judge_folder)):
            trial.run(options.kills, options.seed)
            if not any(line.startswith("the ") for line in trial.problems):
                judge(trial)
            problems += [f"{trial.kind}: {line}" for line in trial.problems]
    print(f"problems: {len(problems)}" + "".join(f"\n    {line}" for line in problems[:40]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
