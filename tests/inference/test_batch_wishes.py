"""Many photographs, each with wishes of its own or none: everyone gets what was wished of it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_colorize.inference.batch import colour_files
from gan_colorize.inference.colorizer import Colorizer
from gan_colorize.inference.plan import Job
from gan_colorize.inference.predictor import Predictor, Settings
from gan_colorize.inference.wishes import Hint, Reference, Wishes

HINT = Hint(((20.0, 30.0), (50.0, 30.0)), 4.0, (40.0, -35.0))
# by number of the photograph; the others wish for nothing
WISHES = {
    1: Wishes(hints=(HINT,)),
    2: Wishes(palette=("c01010",)),
    3: Wishes(palette=("c01010",), hints=(HINT,), temperature=2.0),
    5: Wishes(palette=("c01010",)),
    6: Wishes(seed=4),
    7: Wishes(seed=4),
    8: Wishes(reference=Reference(((200, 1.0),), 0.6), saturation=1.4),
    9: Wishes(),
}


@pytest.fixture
def jobs(tmp_path, grey_picture):
    """Twelve photographs of one size."""
    made = []
    for index in range(12):
        path = tmp_path / f"{index}.png"
        Image.fromarray(grey_picture(64, 80, seed=index)).save(path)
        made.append(Job(path, (tmp_path / "out" / path.name,), wishes=WISHES.get(index)))
    return made


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


@pytest.mark.parametrize("batch_size", [None, 1, 4])
def test_everyone_gets_its_own_wishes(listener, jobs, batch_size):
    results = list(colour_files(Predictor(listener, "cpu", "fp32"), jobs, Settings(), batch_size=batch_size))
    assert [result.error for result in results] == [None] * 12
    colorizer = Colorizer(listener, "cpu", "fp32")
    for index, job in enumerate(jobs):
        session = colorizer.open(job.source)
        unwished = session.predict().rgb8
        session.wish(WISHES.get(index, Wishes()))
        expected = session.predict().rgb8
        difference = np.abs(pixels(job.outputs[0]) - expected)
        if index in (1, 3):  # never in a batch
            assert difference.max() == 0
        # a sample of a pass that several share may fall on another bin here and there
        assert difference.max() <= 1 or (index in (6, 7) and batch_size and (difference > 1).mean() < 0.01)
        if index in WISHES and WISHES[index] != Wishes():
            assert np.abs(expected.astype(int) - unwished).max() > 5


class Counting(Predictor):
    """Notes how many photographs are in a pass, and whether they have hints; holds at most ``most``."""

    most = 99

    def predict(self, seen, conditions=None):
        self.passes = [*getattr(self, "passes", []), (len(seen), conditions and conditions.hints is not None)]
        if len(seen) > self.most:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried ...")
        return super().predict(seen, conditions)


def test_those_with_hints_or_samples_are_alone(listener, jobs):
    predictor = Counting(listener, "cpu", "fp32")
    list(colour_files(predictor, jobs, Settings(), batch_size=8))
    assert [count for count, hinted in predictor.passes if hinted] == [1] * 4  # told of them, and of none
    assert sum(count for count, _ in predictor.passes) == 12 + 2
    predictor = Counting(listener, "cpu", "fp32")
    sampled = [Job(job.source, job.outputs, wishes=Wishes(seed=4)) for job in jobs]
    list(colour_files(predictor, sampled, Settings()))
    assert [count for count, _ in predictor.passes] == [1] * 12


class Accelerator:
    """A predictor that looks as if it were on another device, where photographs wait for companions."""

    device = torch.device("meta")

    def __init__(self, real):
        self.real = real

    def __getattr__(self, name):
        return getattr(self.real, name)


def test_hints_do_not_join_those_who_wait(listener, jobs):
    """The others wish for the same of the whole picture."""
    real = Counting(listener, "cpu", "fp32")
    wishes = [Wishes(), Wishes(hints=(HINT,)), Wishes(), Wishes(hints=(HINT,)), Wishes()]
    mixed = [Job(job.source, job.outputs, wishes=one) for job, one in zip(jobs, wishes, strict=False)]
    results = list(colour_files(Accelerator(real), mixed, Settings(), batch_size=8))
    assert [result.error for result in results] == [None] * 5
    assert sorted(real.passes, key=str) == [(1, True)] * 4 + [(3, None)]
    for job in mixed:
        session = Colorizer(listener, "cpu", "fp32").open(job.source)
        session.wish(job.wishes)
        assert np.abs(pixels(job.outputs[0]) - session.predict().rgb8).max() <= 1


def test_out_of_memory_with_hints(listener, jobs):
    predictor, lines = Counting(listener, "cpu", "fp32"), []
    predictor.most = 1
    results = list(colour_files(predictor, jobs, Settings(), batch_size=4, say=lines.append))
    assert [result.status for result in results] == ["coloured"] * 12
    session = Colorizer(listener, "cpu", "fp32").open(jobs[1].source)
    session.wish(WISHES[1])
    np.testing.assert_array_equal(pixels(jobs[1].outputs[0]), session.predict().rgb8)
    predictor.most = 0
    (result,) = colour_files(predictor, jobs[1:2], Settings())
    assert result.status == "failed" and "not enough memory for the network" in result.error


def test_hints_that_do_not_fit_fail_their_photograph_alone(listener, jobs):
    outside = Wishes(hints=(Hint(((500.0, 3.0),), 2.0, (1.0, 1.0)),))
    other = Wishes(hints=(HINT,), size=(300, 300))
    jobs[0] = Job(jobs[0].source, jobs[0].outputs, wishes=outside, hints_file=Path("a.hints.json"))
    jobs[1] = Job(jobs[1].source, jobs[1].outputs, wishes=other, hints_file=Path("b.hints.json"))
    results = {one.source: one for one in colour_files(Predictor(listener, "cpu", "fp32"), jobs, Settings())}
    first, second = (results[job.source].error for job in jobs[:2])
    assert first.endswith("a.hints.json: hint 1 at (500, 3) lies outside the photograph (80x64)")
    assert "b.hints.json: its hints are for a photograph of 300x300; this one has 80x64" in second
    assert "\n" not in first + second
    assert [results[job.source].status for job in jobs[2:]] == ["coloured"] * 10


def test_options_go_before_wishes_and_the_result_says_how_it_was_drawn(listener, jobs):
    wishes = Wishes(hints=(HINT,), temperature=2.0, saturation=1.5, seed=7)
    job = Job(jobs[0].source, jobs[0].outputs, wishes=wishes, hints_file=Path("a.hints.json"))
    three = Job(jobs[0].source, tuple(job.outputs[0].with_name(f"{n}.png") for n in "abc"), None, wishes)
    three = Job(three.source, three.outputs, wishes=wishes, hints_file=job.hints_file)

    def drawn(settings, job=job):
        (result,) = colour_files(Predictor(listener, "cpu", "fp32"), [job], settings)
        assert result.error is None and result.hints == Path("a.hints.json")
        return tuple(result.drawn[key] for key in ("temperature", "saturation", "seed"))

    assert drawn(Settings()) == (2.0, 1.5, 7)
    session = Colorizer(listener, "cpu", "fp32").open(job.source)
    session.wish(wishes)
    np.testing.assert_array_equal(pixels(job.outputs[0]), session.predict().rgb8)
    assert drawn(Settings(temperature=0.5, saturation=1.0)) == (0.5, 1.0, 7)
    assert drawn(Settings(samples=3), three) == (2.0, 1.5, 7)
    for offset, path in enumerate(three.outputs):
        expected = session.colorize(seed=7 + offset).rgb8
        np.testing.assert_array_equal(pixels(path), expected)
    assert drawn(Settings(samples=3, seed=0), three) == (2.0, 1.5, 0)
    np.testing.assert_array_equal(pixels(three.outputs[0]), session.colorize(seed=0).rgb8)
