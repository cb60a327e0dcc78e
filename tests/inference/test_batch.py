"""Many files: every one finished once, failures kept apart, memory bounded, out of memory survived."""

import sys
import threading
from concurrent.futures import wait as futures_wait

import numpy as np
import pytest
import torch
from PIL import Image

from gan_colorize.inference import batch, stages
from gan_colorize.inference.batch import colour_files, write_confidence
from gan_colorize.inference.plan import Job
from gan_colorize.inference.predictor import Predictor, Settings


@pytest.fixture
def jobs(tmp_path, grey_picture):
    """Nine photographs of three padded sizes; number 4 is damaged."""
    jobs = []
    for index in range(9):
        path = tmp_path / f"{index}.png"
        Image.fromarray(grey_picture(*[(70, 80), (80, 70), (64, 64)][index % 3], seed=index)).save(path)
        jobs.append(Job(path, (tmp_path / "out" / path.name,)))
    jobs[4].source.write_bytes(jobs[4].source.read_bytes()[:200])
    return jobs


@pytest.mark.parametrize("batch_size", [None, 1, 2, 16])
def test_every_file_once_and_the_broken_one_in_one_line(predictor, jobs, batch_size):
    results = {
        result.source: result for result in colour_files(predictor, jobs, Settings(), batch_size=batch_size)
    }
    assert len(results) == 9
    for job in jobs:
        result = results[job.source]
        if job is jobs[4]:
            assert (result.status, result.outputs) == ("failed", [])
            assert str(job.source) in result.error
            assert "\n" not in result.error
            assert not job.outputs[0].exists()
        else:
            assert (result.status, result.error) == ("coloured", None)
            assert result.outputs == list(job.outputs)
            with Image.open(job.source) as before, Image.open(job.outputs[0]) as after:
                assert before.size == after.size == result.size
            assert result.seconds > 0


def test_results_do_not_depend_on_the_batch_size(predictor, jobs):
    pictures = []
    for batch_size in (1, 4):
        list(colour_files(predictor, jobs, Settings(), batch_size=batch_size))
        pictures.append(
            [np.asarray(Image.open(job.outputs[0])).astype(int) for job in jobs if job is not jobs[4]]
        )
    for one, other in zip(*pictures, strict=True):
        assert np.abs(one - other).max() <= 1


def test_no_files(predictor):
    assert list(colour_files(predictor, [], Settings())) == []


def test_samples_and_confidence_are_written(predictor, jobs, tmp_path):
    outputs = tuple(tmp_path / f"sample{index}.png" for index in (1, 2))
    job = Job(jobs[0].source, outputs, tmp_path / "sure.png")
    (result,) = colour_files(predictor, [job], Settings(samples=2, confidence=True))
    assert result.error is None
    assert result.outputs == [*outputs, tmp_path / "sure.png"]
    first, second = (np.asarray(Image.open(path)).astype(int) for path in outputs)
    assert np.abs(first - second).max() > 3
    with Image.open(tmp_path / "sure.png") as sure:
        assert (sure.mode, sure.size) == ("L", (80, 70))


def test_confidence_is_white_where_sure(tmp_path):
    write_confidence(tmp_path / "c.png", np.float32([[0.0, 0.5, 1.0]]))
    assert np.asarray(Image.open(tmp_path / "c.png")).tolist() == [[0, 128, 255]]


class Accelerator:
    """Claims to be a GPU, works on the CPU, and notes how it was fed."""

    device = torch.device("cuda")

    def __init__(self, real):
        self.real, self.threads, self.sizes = real, set(), []

    def __getattr__(self, name):
        return getattr(self.real, name)

    def predict(self, seen, conditions=None):
        self.threads.add(threading.get_ident())
        self.sizes.append(len(seen))
        return self.real.predict(seen, conditions)


def test_accelerators_are_fed_batches_by_one_thread(predictor, jobs):
    accelerator = Accelerator(predictor)
    results = list(colour_files(accelerator, jobs, Settings(), batch_size=3))
    assert sum(result.status == "coloured" for result in results) == 8
    assert len(accelerator.threads) == 1
    assert max(accelerator.sizes) == 3
    assert sum(accelerator.sizes) == 8


class Small(Predictor):
    """A device that holds ``most`` photographs."""

    most = 2

    def predict(self, seen, conditions=None):
        if len(seen) > self.most:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried ...")
        return super().predict(seen, conditions)


def test_out_of_memory_halves_the_batch_aloud(network, tmp_path, grey_picture):
    jobs = []
    for index in range(8):
        path = tmp_path / f"{index}.png"
        Image.fromarray(grey_picture(64, 64, seed=index)).save(path)
        jobs.append(Job(path, (tmp_path / "out" / path.name,)))
    lines = []
    # Fed as an accelerator is: a CPU takes what has been read as soon as a core is idle, be it 7 or 8.
    small = Accelerator(Small(network, "cpu", "fp32"))
    results = list(colour_files(small, jobs, Settings(), batch_size=8, say=lines.append))
    assert [result.error for result in results] == [None] * 8
    assert lines[0] == "out of memory with 8 photographs at once; going on with 4"
    assert lines[1] == "out of memory with 4 photographs at once; going on with 2"


def test_out_of_memory_with_one_photograph_is_its_failure(network, jobs):
    small = Small(network, "cpu", "fp32")
    small.most = 0
    (result,) = colour_files(small, jobs[:1], Settings())
    assert result.status == "failed"
    assert "not enough memory" in result.error


def test_a_bug_in_one_file_does_not_stop_the_others(predictor, jobs, monkeypatch):
    original = stages.Rendering

    def rendering(lightness, ab, extent, **options):
        if lightness.shape == (64, 64):
            raise ZeroDivisionError("division\nby zero")
        return original(lightness, ab, extent, **options)

    monkeypatch.setattr(stages, "Rendering", rendering)
    results = list(colour_files(predictor, jobs, Settings()))
    failed = [result.error for result in results if result.error and "damaged" not in result.error]
    assert len(results) == 9
    assert len(failed) >= 3
    assert any(line.endswith("unexpected ZeroDivisionError: division by zero") for line in failed)


def test_photographs_in_flight_are_bounded(predictor, jobs, monkeypatch):
    most = 0
    original = batch._Pipeline._submit_reads

    def spy(self):
        nonlocal most
        more = original(self)
        most = max(most, len(self.in_flight))
        return more

    monkeypatch.setattr(batch._Pipeline, "_submit_reads", spy)
    monkeypatch.setattr(batch, "_PIXELS_IN_FLIGHT", 2 * 64 * 64)
    results = list(colour_files(predictor, jobs, Settings(), batch_size=4))
    assert len(results) == 9
    assert most <= 2  # a photograph is let in while what is there stays below the bound


def test_one_photograph_larger_than_the_bound_still_goes_through(predictor, jobs, monkeypatch):
    monkeypatch.setattr(batch, "_PIXELS_IN_FLIGHT", 1)
    assert len(list(colour_files(predictor, jobs, Settings(), batch_size=3))) == 9


def test_stopping_early_leaves_no_threads_and_no_part_files(predictor, jobs):
    results = colour_files(predictor, jobs, Settings())
    next(results)
    results.close()
    assert not [thread for thread in threading.enumerate() if "ThreadPoolExecutor" in thread.name]
    assert not list(jobs[0].source.parent.rglob(".part-*"))


def test_interrupted_in_the_middle_tells_all_that_was_written(predictor, jobs, monkeypatch):
    folder = jobs[0].outputs[0].parent

    def wait(*arguments, **options):
        if folder.exists() and list(folder.glob("[!.]*")):  # the first is written, others are under way
            raise KeyboardInterrupt
        return futures_wait(*arguments, **options)

    monkeypatch.setattr(batch, "wait", wait)
    told = []
    with pytest.raises(KeyboardInterrupt):
        for result in colour_files(predictor, jobs, Settings()):
            told += result.outputs
    assert sorted(told) == sorted(jobs[0].outputs[0].parent.glob("*"))
    assert told


def test_turns_of_threads_are_as_before_afterwards(predictor, jobs):
    before, within = sys.getswitchinterval(), set()
    for _ in colour_files(predictor, jobs, Settings()):
        within.add(sys.getswitchinterval())
    assert max(within) < before == sys.getswitchinterval()
    started = colour_files(predictor, jobs, Settings())
    next(started)
    started.close()
    assert sys.getswitchinterval() == before


def test_threads_of_the_caller_stay_as_they_were(predictor, jobs):
    before = torch.get_num_threads()
    list(colour_files(predictor, jobs, Settings()))
    assert torch.get_num_threads() == before


def _many(folder, grey_picture, shapes):
    jobs = []
    for index, shape in enumerate(shapes):
        path = folder / f"{index}.png"
        Image.fromarray(grey_picture(*shape, index)).save(path)
        jobs.append(Job(path, (folder / "out" / path.name,)))
    return jobs


def test_no_core_waits_for_a_photograph_of_the_same_size(network, tmp_path, grey_picture, monkeypatch):
    original, idle = batch._Pipeline._flush, []

    def spy(self, more):
        original(self, more)
        idle.append(bool(self.buckets) and len(self.running) < self.workers)

    monkeypatch.setattr(batch._Pipeline, "_flush", spy)
    jobs = _many(tmp_path, grey_picture, [(64, 64 + 32 * index) for index in range(16)])
    results = list(colour_files(Predictor(network, "cpu", "fp32"), jobs, Settings()))
    assert [result.status for result in results] == ["coloured"] * 16
    assert idle and not any(idle)


@pytest.mark.parametrize(("samples", "most"), [(0, 8), (2, 1)])
def test_photographs_of_one_size_go_together_but_not_for_samples(
    network, tmp_path, grey_picture, samples, most
):
    class Counting(Predictor):
        sizes = ()

        def predict(self, seen, conditions=None):
            self.sizes += (len(seen),)
            return super().predict(seen, conditions)

    predictor = Counting(network, "cpu", "fp32")
    jobs = _many(tmp_path, grey_picture, [(64, 64)] * 32)
    jobs = [Job(job.source, job.outputs * max(1, samples)) for job in jobs]
    list(colour_files(predictor, jobs, Settings(samples=samples)))
    assert sum(predictor.sizes) == 32
    assert max(predictor.sizes) <= most
