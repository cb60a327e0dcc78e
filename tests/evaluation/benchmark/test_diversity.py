"""Diversity of samples whose distances are known."""

import numpy as np
import pytest
import torch

from gan_colorize.evaluation.benchmark.diversity import mean_pairwise, of_samples
from gan_colorize.evaluation.benchmark.protocol import Tools
from gan_colorize.evaluation.lpips_metric import signed_rgb
from gan_colorize.evaluation.ruler import Ruler


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (2, 40, 40, 3), dtype=np.uint8)


def test_the_mean_over_all_pairs(tools: Tools) -> None:
    lpips = tools.lpips["lpips_alex"]
    batches = [torch.from_numpy(noise(seed)).permute(0, 3, 1, 2) for seed in range(3)]
    features = [lpips.features(signed_rgb(batch)) for batch in batches]
    signed = [signed_rgb(batch) for batch in batches]
    expected = (lpips(signed[0], signed[1]) + lpips(signed[0], signed[2]) + lpips(signed[1], signed[2])) / 3
    assert mean_pairwise(lpips, features).tolist() == pytest.approx(expected.tolist(), rel=1e-5)
    assert mean_pairwise(lpips, [features[0]] * 4).tolist() == [0, 0]
    with pytest.raises(ValueError, match="two samples"):
        mean_pairwise(lpips, features[:1])


def test_the_best_of_the_samples(tools: Tools) -> None:
    lpips = tools.lpips["lpips_alex"]
    ruler = Ruler("cpu", tools.lpips)
    truth = ruler.truth(torch.from_numpy(noise(0)).permute(0, 3, 1, 2), ["a", "b"])
    found = of_samples(truth, [noise(1), noise(0), noise(2)], "lpips_alex", lpips)
    assert found["best_psnr"] == [100, 100] and found["best_lpips"] == [0, 0]
    assert min(found["diversity"]) > 0
    assert of_samples(truth, [noise(1)], None, None).keys() == {"best_psnr"}
