"""Calibration of distributions whose errors can be worked out by hand."""

import math

import numpy as np
import pytest
import torch

from gan_colorize.color.bins import NUM_BINS, bin_centres
from gan_colorize.color.targets import SoftEncoder
from gan_colorize.evaluation.benchmark.calibration import (
    CONFIDENCE,
    RIGHT,
    RIGHT_SOFT,
    SHARE,
    calibration,
    classwise_ece,
    ece,
)

A, B = 100, 200  # two bins far from each other


@pytest.fixture(scope="module")
def encoder() -> SoftEncoder:
    return SoftEncoder()


def two_bins(share: float, height: int = 1, width: int = 10) -> torch.Tensor:
    """Logits of a distribution with that share on A and the rest on B."""
    logits = torch.full((1, NUM_BINS, height, width), -60.0)
    logits[:, A], logits[:, B] = math.log(share), math.log(1 - share)
    return logits


def truth(*bins: int, height: int = 1) -> torch.Tensor:
    """True ab, a column of pixels at the centre of each bin."""
    return bin_centres()[list(bins)].T[None, :, None].expand(1, 2, height, len(bins)).contiguous()


def test_confidence_against_being_right(encoder: SoftEncoder) -> None:
    # 80 % sure of A and right 7 times of 10: a gap of 0.1
    of = calibration(two_bins(0.8), truth(*[A] * 7, *[B] * 3), (1, 10), encoder)
    assert ece(of.reliability.sum(0), RIGHT) == pytest.approx(0.1, abs=1e-6)
    (cell,) = np.flatnonzero(of.reliability[0, :, SHARE])
    assert cell == 11  # (11/15, 12/15] holds 0.8, give or take a rounding
    assert of.reliability[0, cell, CONFIDENCE] == pytest.approx(0.8)
    assert of.reliability[0, cell, RIGHT] == pytest.approx(0.7)
    # exactly as sure as right
    of = calibration(two_bins(0.7), truth(*[A] * 7, *[B] * 3), (1, 10), encoder)
    assert ece(of.reliability.sum(0), RIGHT) == pytest.approx(0.0, abs=1e-6)


def test_gaps_of_different_confidence_do_not_cancel(encoder: SoftEncoder) -> None:
    # too sure by 0.4 on one half, not sure enough by 0.4 on the other
    logits = torch.cat([two_bins(0.9), two_bins(0.6)], dim=3)
    of = calibration(logits, truth(*[A] * 5, *[B] * 5, *[A] * 10), (1, 20), encoder)
    assert ece(of.reliability.sum(0), RIGHT) == pytest.approx(0.4, abs=1e-6)


def test_soft_truth_is_the_share_that_the_training_target_has(encoder: SoftEncoder) -> None:
    of = calibration(two_bins(0.8), truth(*[A] * 10), (1, 10), encoder)
    # a colour on a node of the grid: itself exp(0), its four neighbours at distance 10 exp(-100 / 50)
    share = 1 / (1 + 4 * math.exp(-2))
    assert of.reliability[0].sum(0)[RIGHT_SOFT] == pytest.approx(share, rel=1e-4)


def test_nll_is_the_cross_entropy_of_the_soft_target(encoder: SoftEncoder) -> None:
    flat = torch.zeros(1, NUM_BINS, 2, 3)
    of = calibration(flat, truth(A, A, B, height=2), (2, 3), encoder)
    assert of.nll[0] == pytest.approx(math.log(NUM_BINS), rel=1e-5)
    # the target itself: nothing is below its own entropy
    indices, shares = encoder(truth(A, A, B, height=2))
    logits = torch.zeros(1, NUM_BINS, 2, 3).scatter(1, indices, shares).clamp_min(1e-20).log()
    of = calibration(logits, truth(A, A, B, height=2), (2, 3), encoder)
    p = [1.0] + [math.exp(-2)] * 4
    entropy = -sum(q / sum(p) * math.log(q / sum(p)) for q in p)
    assert of.nll[0] == pytest.approx(entropy, rel=1e-4)
    assert of.floor[0] == pytest.approx(entropy, rel=1e-4)


def test_classwise_error_and_mass(encoder: SoftEncoder) -> None:
    of = calibration(two_bins(0.8), truth(*[A] * 7, *[B] * 3), (1, 10), encoder)
    # A is off by 0.1 and so is B, all other bins are right about never occurring
    assert classwise_ece(of.classwise) == pytest.approx(0.2 / NUM_BINS, rel=1e-4)
    predicted, observed, soft = of.mass.T
    assert predicted[[A, B]] == pytest.approx([0.8, 0.2], rel=1e-5)
    assert observed[[A, B]] == pytest.approx([0.7, 0.3])
    assert predicted.sum() == pytest.approx(1, rel=1e-5) and soft.sum() == pytest.approx(1, rel=1e-5)


def test_padding_says_nothing(encoder: SoftEncoder) -> None:
    """Cells that the photograph does not cover wholly are left out."""
    logits = torch.cat([two_bins(0.8), two_bins(0.1)], dim=3)
    alone = calibration(two_bins(0.8), truth(*[A] * 10), (1, 10), encoder)
    padded = calibration(logits, truth(*[A] * 20), (1, 10.5), encoder)
    assert np.array_equal(padded.reliability, alone.reliability)
    assert np.array_equal(padded.nll, alone.nll) and np.array_equal(padded.mass, alone.mass)
