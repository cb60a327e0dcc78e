"""The id changes with everything that changes a number, and with nothing else."""

from pathlib import Path

import pytest
import torch

from gan_colorize.evaluation.benchmark import bootstrap
from gan_colorize.evaluation.benchmark.protocol import Tools, describe_benchmark, differing
from gan_colorize.evaluation.lpips_metric import load_lpips
from gan_colorize.evaluation.protocol import Settings

FILES = [("a" * 64, "x/one.jpg"), ("b" * 64, "two.jpg")]


def described(tools: Tools, settings: Settings = Settings(), **sets: list) -> dict:  # noqa: B008
    return describe_benchmark(settings, tools, sets or {"val": FILES})


def test_what_changes_the_id(tools: Tools, random_trunk: Path, tmp_path: Path, monkeypatch) -> None:
    state = torch.load(random_trunk, weights_only=True)
    state["features.0.bias"] += 1e-3
    torch.save(state, tmp_path / "other.pth")
    other_trunk = {"lpips_alex": load_lpips("alex", tmp_path / "other.pth")}
    protocols = {
        "plain": described(tools),
        "stretch": described(tools, Settings("stretch")),
        "native": described(tools, Settings("native")),
        "size": described(tools, Settings(size=128)),
        "trunk": described(Tools(other_trunk, samples=2)),
        "no lpips": described(Tools({}, samples=2)),
        "samples": described(Tools(tools.lpips, samples=3)),
        "seed": described(Tools(tools.lpips, samples=2, seed=1)),
        "photographs": described(tools, val=FILES[:1]),
        "two sets": described(tools, a=FILES[:1], b=FILES[1:]),
    }
    monkeypatch.setattr(bootstrap, "RESAMPLES", 500)
    protocols["resamples"] = described(tools)
    ids = {name: protocol["id"] for name, protocol in protocols.items()}
    assert len(set(ids.values())) == len(ids)
    assert differing(protocols["plain"], protocols["trunk"]) == ["lpips"]
    assert differing(protocols["plain"], protocols["size"]) == ["size"]
    assert differing(protocols["plain"], protocols["seed"]) == ["samples"]
    assert differing(protocols["plain"], protocols["photographs"]) == ["sets"]
    assert differing(protocols["plain"], protocols["resamples"]) == ["bootstrap"]


def test_what_does_not(tools: Tools, monkeypatch) -> None:
    plain = described(tools)
    for batch_size in (1, 64):
        assert described(tools, Settings(batch_size=batch_size)) == plain
    monkeypatch.setattr(torch, "get_num_threads", lambda: 64)
    assert described(tools) == plain
    renamed = [("b" * 64, "elsewhere/2.png"), ("a" * 64, "1.png")]
    assert described(tools, other_name=renamed)["id"] == plain["id"]
    assert differing(plain, described(tools, other_name=renamed)) == []
    two = described(tools, a=FILES[:1], b=FILES[1:])
    assert described(tools, b=FILES[1:], a=FILES[:1])["id"] == two["id"]


def test_names_count_where_the_recogniser_reads_them(tools: Tools) -> None:
    class Recogniser:
        name = "known"

    with_names = Tools(tools.lpips, Recogniser(), samples=2)
    one = described(with_names, val=[("a" * 64, "tench_1.jpg")])
    assert described(with_names, val=[("a" * 64, "tench/7.jpg")])["id"] == one["id"]  # the same class
    other = described(with_names, val=[("a" * 64, "goldfish_1.jpg")])
    assert other["id"] != one["id"] and differing(one, other) == ["sets"]


@pytest.mark.parametrize("sha256", ["c" * 64, "d" * 64])
def test_inception_weights_are_in_it(tools: Tools, sha256: str) -> None:
    class Inception:
        pass

    one = Inception()
    one.sha256 = sha256
    protocol = described(Tools(tools.lpips, None, one, samples=2))
    assert sha256 in protocol["inception"] and protocol["kid"] is not None
    assert protocol["id"] != described(tools)["id"]
