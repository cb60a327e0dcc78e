"""The fuzzer itself: the same inputs every time, and crashes, hangs and leaks that it does not miss."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("cv2", reason="one of the encoders of the inputs")

TARGETS = """
import os, time

def crash(data):
    if len(data) % 3 == 0:
        os._exit(11)
    return "picture"

def hang(data):
    time.sleep(100)

def wrong(data):
    if len(data) % 2:
        raise KeyError("colour")
    return "picture"
"""


@pytest.fixture
def fuzz(script: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable:
    """A function that runs a few inputs on one of TARGETS."""
    module = script("fuzz_decoders")
    (tmp_path / "fuzz_targets.py").write_text(TARGETS)
    monkeypatch.syspath_prepend(str(tmp_path))
    files = [bytes(range(50)), b"\x89PNG\r\n\x1a\n" + bytes(90)]

    def run(name: str, inputs: int, deadline: float = 60.0) -> Any:
        target, folder = f"fuzz_targets:{name}", tmp_path / "findings"
        return module.fuzz(inputs, 0, 0, deadline, folder, target, files, lambda line: None)

    return run


def test_exceptions_are_kinds_with_their_inputs(fuzz: Callable, tmp_path: Path) -> None:
    tally = fuzz("wrong", 12)
    ((kind, words), inputs) = next(iter(tally.findings.items()))
    assert (kind, len(tally.findings)) == ("exception", 1) and "KeyError" in words
    assert len(inputs) + tally.outcomes["picture"] == 12
    for index in inputs[:3]:
        assert len((tmp_path / "findings" / f"0-{index}.bin").read_bytes()) % 2 == 1


def test_a_crash_costs_one_input_and_is_kept(fuzz: Callable, tmp_path: Path) -> None:
    tally = fuzz("crash", 8)
    crashed = sorted(
        index for (kind, _), inputs in tally.findings.items() for index in inputs if kind == "crash"
    )
    assert crashed and len(tally.memory) == len(crashed) + (crashed[-1] != 7)
    assert all(len((tmp_path / "findings" / f"0-{index}.bin").read_bytes()) % 3 == 0 for index in crashed[:3])


def test_a_hang_is_ended_at_the_deadline(fuzz: Callable) -> None:
    tally = fuzz("hang", 2, deadline=0.5)
    assert [(kind, inputs) for (kind, _), inputs in tally.findings.items()] == [("hang", [0, 1])]


def test_inputs_depend_on_seed_and_index_only(script: Callable[[str], ModuleType]) -> None:
    module = script("fuzz_decoders")
    files = [bytes(range(200)), b"II*\0\x08\0\0\0" + bytes(100)]
    again = [module.input_of(index, 3, files) for index in range(40)]
    random.seed(99)
    assert [module.input_of(index, 3, files) for index in reversed(range(40))] == again[::-1]
    assert len(set(again)) > 30
    assert again != [module.input_of(index, 4, files) for index in range(40)]


def test_growth_of_memory(script: Callable[[str], ModuleType]) -> None:
    grown = script("fuzz_decoders").grown
    filling = [(index, 100 + min(index, 10) * 50) for index in range(80)]
    assert grown([filling]) == 0
    leaking = [(index, 1000 * index) for index in range(80)]
    assert grown([filling[:5], leaking]) == (60 - 20) * 1000
    assert grown([]) == 0


def test_damage_gets_past_check_sums(script: Callable[[str], ModuleType]) -> None:
    """Half of the damaged PNG files still have nothing but right check sums."""
    import struct
    import zlib

    mutate, by_hand = script("hostile.mutate").mutate, script("hostile.by_hand")
    import numpy as np

    seed = by_hand.png(np.arange(48, dtype=np.uint8).reshape(6, 8), 8, 0)

    def sound(data: bytes) -> bool:
        at = 8
        while at + 12 <= len(data):
            (length,) = struct.unpack_from(">I", data, at)
            body = data[at + 4 : at + 8 + length]
            if data[at + 8 + length : at + 12 + length] != struct.pack(">I", zlib.crc32(body)):
                return False
            at += 12 + length
        return at == len(data)

    damaged = [mutate(random.Random(index), [seed]) for index in range(200)]
    assert sum(sound(data) and data != seed for data in damaged) > 80
