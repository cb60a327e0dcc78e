"""Parts on disk: whole, never unpickled, of one measurement."""

from pathlib import Path

import numpy as np
import pytest

from gan_colorize.evaluation.benchmark.parts import Part, Parts, joined


def part(first: int, count: int = 2) -> Part:
    places = list(range(first, first + count))
    return Part(
        places,
        [f"{i}.png" for i in places],
        [f"{9 - i}" * 64 for i in places],  # hashes in the other order
        {"psnr": [float(i) for i in places], "top1": [None] * count},
        {"areas": np.array(places, np.float32)[:, None] * np.ones(3, np.float32)},
        {"mass": np.full(4, float(first))},
        [f"file {i}" for i in places],
    )


def test_there_and_back(tmp_path: Path) -> None:
    parts = Parts(tmp_path, {"size": 1})
    place = parts.place("set", "entry")
    parts.add(place, part(2))
    parts.add(place, part(0))
    one = joined(parts.load(place))
    assert one.index == [3, 2, 1, 0]  # by hash, wherever a file lay
    assert one.numbers == {"psnr": [3.0, 2.0, 1.0, 0.0], "top1": [None] * 4}
    assert one.arrays["areas"][:, 0].tolist() == [3, 2, 1, 0] and one.sums["mass"].tolist() == [2.0] * 4
    assert one.names[0] == "3.png" and len(one.files) == 4


def test_other_measurements_and_damaged_parts_are_not_met(tmp_path: Path) -> None:
    parts = Parts(tmp_path, {"size": 1})
    place = parts.place("set", "entry")
    parts.add(place, part(0))
    other = Parts(tmp_path, {"size": 2})
    assert other.load(other.place("set", "entry")) == []
    (place / "00000009-1.npz").write_bytes(b"cut short")
    (whole,) = place.glob("00000000*.npz")
    np.savez(place / "00000007-1.npz", about=np.array([{}], dtype=object))  # would have to be unpickled
    (place / "00000005-1.npz").write_bytes(whole.read_bytes()[:200])
    parts.add(place, part(1))  # photograph 1 is there already
    assert [one.index for one in parts.load(place)] == [[0, 1]]
    with pytest.raises(ValueError, match="no part"):
        Part.read(place / "00000009-1.npz")


def test_clear_takes_parts_and_nothing_else(tmp_path: Path) -> None:
    parts = Parts(tmp_path, {"size": 1})
    parts.add(parts.place("set", "entry"), part(0))
    Parts(tmp_path, {}).clear()
    assert not (tmp_path / "parts").exists()
    parts.add(parts.place("set", "entry"), part(0))
    (parts.folder / "mine.txt").write_text("keep")
    parts.clear()
    assert [path.name for path in (tmp_path / "parts").rglob("*") if path.is_file()] == ["mine.txt"]
    Parts(tmp_path / "never", {}).clear()
