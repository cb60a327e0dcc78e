"""The network's part: batches change nothing, samples are reproducible, decoding stays in float32."""

import copy

import numpy as np
import pytest
import torch
from skimage.color import rgb2lab
from torch import nn

from gan_colorize.color import decode
from gan_colorize.color.bins import bin_centres
from gan_colorize.errors import UserError
from gan_colorize.inference.predictor import LARGEST_SEED, Predictor, Settings
from gan_colorize.models.contract import Conditions, Contract, Prediction


def lightness(height, width, seed=0):
    return np.random.default_rng(seed).uniform(0, 100, (height, width)).astype(np.float32)


class Regression(nn.Module):
    """Predicts ab itself, at half the size."""

    contract = Contract(frozenset(), "ab", output_stride=2, size_divisor=8)

    def forward(self, plane, conditions=None):
        height, width = (side // 2 for side in plane.shape[-2:])
        return Prediction(ab=torch.full((len(plane), 2, height, width), 20.0, dtype=torch.bfloat16))


def chroma(predictor, planes, **settings):
    seen = [predictor.see(plane) for plane in planes]
    return predictor.decode(predictor.predict(seen), seen, Settings(**settings))


def test_sizes(predictor):
    seen = predictor.see(lightness(150, 100))
    assert seen.shape == (96, 64)
    assert seen.plane.shape == (96, 64)
    (one,) = chroma(predictor, [lightness(150, 110)])
    assert one.ab[0].shape == (2, 24, 16)
    assert one.extent == (pytest.approx(87 / 4), 16)


def test_a_photograph_does_not_depend_on_its_batch(predictor):
    planes = [lightness(64, 64, seed) for seed in range(3)]
    together = chroma(predictor, planes, confidence=True)
    for plane, batched in zip(planes, together, strict=True):
        (alone,) = chroma(predictor, [plane], confidence=True)
        np.testing.assert_allclose(alone.ab[0], batched.ab[0], atol=0.05)
        np.testing.assert_allclose(alone.confidence, batched.confidence, atol=1e-3)


def test_decoded_by_the_models_temperature_unless_told(predictor, network):
    plane = lightness(64, 64)
    with torch.no_grad():
        logits = network(torch.from_numpy(plane)[None, None]).logits
    for asked, used in ((None, 0.38), (1.0, 1.0)):
        weights = (logits.double() / used).softmax(1)  # the definition, in float64
        expected = torch.einsum("nqhw,qc->nchw", weights, bin_centres(torch.float64))
        (got,) = chroma(predictor, [plane], temperature=asked)
        np.testing.assert_allclose(got.ab[0], expected[0], atol=0.05)


def test_bfloat16_changes_little(predictor, network):
    plane = lightness(64, 64)
    (full,), (half,) = (
        chroma(one, [plane], temperature=1.0) for one in (predictor, Predictor(network, "cpu", "bf16"))
    )
    assert half.ab[0].dtype == np.float32
    assert np.abs(full.ab[0] - half.ab[0]).mean() < 0.03 * np.abs(full.ab[0]).mean() + 0.5


def test_samples_differ_and_repeat(predictor):
    planes = [lightness(64, 64, seed) for seed in range(2)]
    first, second = chroma(predictor, planes, samples=3, seed=7), chroma(predictor, planes, samples=3, seed=7)
    for one, again in zip(first, second, strict=True):
        for sample, repeated in zip(one.ab, again.ab, strict=True):
            np.testing.assert_array_equal(sample, repeated)
        assert np.abs(one.ab[0] - one.ab[1]).max() > 1
    # a seed is a colouring, wherever it stands in a series and in a batch
    (alone,) = chroma(predictor, [planes[1]], samples=1, seed=8)
    assert np.abs(alone.ab[0] - first[1].ab[1]).mean() < 1.0


def test_samples_are_possible_colours(predictor):
    # how far from grey sRGB gets at L 0..4, by scikit-image, and half a bin's diagonal more
    levels = np.arange(0, 90, 3, dtype=np.uint8)
    lab = rgb2lab(np.stack(np.meshgrid(levels, levels, levels), -1).reshape(1, -1, 3))[0]
    reach = np.linalg.norm(lab[lab[:, 0] < 4, 1:], axis=1).max() + 50**0.5
    assert reach < 60
    (got,) = chroma(predictor, [np.full((64, 64), 2.0, np.float32)], samples=4)
    assert max(np.linalg.norm(ab, axis=0).max() for ab in got.ab) <= reach


def test_confidence_range(predictor):
    (got,) = chroma(predictor, [lightness(64, 64)], confidence=True)
    assert got.confidence.shape == (16, 16)
    assert 0 <= got.confidence.min() <= got.confidence.max() <= 1


def test_strength_ignores_the_padding(predictor):
    from gan_colorize.inference.predictor import Chroma

    ab = np.full((2, 8, 8), 100.0, np.float32)
    ab[0, :4, :6], ab[1, :4, :6] = 3.0, 4.0
    assert Chroma([ab], None, (4.0, 6.0)).strength() == pytest.approx(5.0)


def test_regression_networks_have_colours_but_no_distribution():
    predictor = Predictor(Regression())
    (got,) = chroma(predictor, [lightness(30, 40)])
    assert got.ab[0].dtype == np.float32
    assert got.ab[0].shape == (2, 16, 20)
    assert got.extent == (15, 20)
    for wrong in (Settings(samples=2), Settings(confidence=True)):
        with pytest.raises(UserError, match="not a distribution"):
            predictor.check(wrong)


@pytest.mark.parametrize("temperature", [0.0, -1.0, 1e9, float("nan")])
def test_temperatures_that_are_none(predictor, temperature):
    with pytest.raises(UserError, match="--temperature"):
        predictor.check(Settings(temperature=temperature))


def test_conditions_reach_the_network(network):
    class Listening(type(network)):
        def forward(self, plane, conditions=None):
            assert conditions.saturation.tolist() == [[0.25]]
            return super().forward(plane, None)

    spy = Predictor(network, "cpu", "fp32")
    spy.model.__class__ = Listening
    spy.predict([spy.see(lightness(64, 64))], Conditions(saturation=torch.tensor([[0.25]])))


def test_possible_bins_are_used_for_samples(predictor, monkeypatch):
    calls = []
    original = decode.mask_impossible

    def spy(logits, plane):
        calls.append((tuple(logits.shape), tuple(plane.shape)))
        return original(logits, plane)

    monkeypatch.setattr(decode, "mask_impossible", spy)
    chroma(predictor, [lightness(64, 96)], samples=1)
    assert calls == [((1, 313, 16, 24), (1, 1, 16, 24))]


def test_saturation_scales_the_chroma_and_the_models_own_is_the_default(network):
    own = copy.copy(network)
    own.metadata = network.metadata | {"saturation": "0.5"}
    plane = lightness(64, 64)
    (full,) = chroma(Predictor(network, "cpu", "fp32"), [plane])
    predictor = Predictor(own, "cpu", "fp32")
    for asked, factor in ((None, 0.5), (0.0, 0.0), (1.5, 1.5)):
        (got,) = chroma(predictor, [plane], saturation=asked)
        np.testing.assert_allclose(got.ab[0], factor * full.ab[0], rtol=1e-5)
    # a sample is a colour as it was learned
    samples = [chroma(p, [plane], samples=1)[0].ab[0] for p in (predictor, Predictor(network, "cpu", "fp32"))]
    np.testing.assert_array_equal(*samples)


@pytest.mark.parametrize("saturation", [-0.1, 4.1, float("nan")])
def test_saturations_that_are_none(predictor, saturation):
    with pytest.raises(UserError, match=r"--saturation .* must lie between 0 and 4"):
        predictor.check(Settings(saturation=saturation))


@pytest.mark.parametrize("seed", [-1, 2**63, 2**64, 10**30])
def test_seeds_that_are_none(predictor, seed):
    with pytest.raises(UserError, match=r"--seed -?\d+: must lie between 0 and 9223372036854775807"):
        predictor.check(Settings(samples=1, seed=seed))


def test_the_largest_seed_can_be_counted_up_from(predictor):
    settings = Settings(samples=3, seed=LARGEST_SEED)
    predictor.check(settings)
    (got,) = chroma(predictor, [lightness(64, 64)], samples=3, seed=LARGEST_SEED)
    assert len(got.ab) == 3


@pytest.mark.parametrize("shape", [(8, 8), (200, 3), (5000, 1), (64, 64), (65, 70)])
def test_no_side_is_so_narrow_that_bfloat16_goes_wrong(network, shape):
    seen = Predictor(network, "cpu", "fp32").see(np.full(shape, 50, np.float32))
    divisor = network.contract.size_divisor
    assert min(seen.plane.shape) >= 2 * divisor
    assert all(side % divisor == 0 for side in seen.plane.shape)


@pytest.mark.parametrize("shape", [(5000, 1), (400, 7), (7, 400)])
def test_narrow_pictures_in_bfloat16_are_close_to_those_in_float32(network, shape):
    """In torch 2.15 convolutions of stride 2 read foreign memory where maps are two pixels wide."""
    lightness = np.random.default_rng(0).uniform(0, 100, shape).astype(np.float32)
    planes = []
    for precision in ("fp32", "bf16"):
        predictor = Predictor(network, "cpu", precision)
        seen = predictor.see(lightness)
        planes.append(predictor.decode(predictor.predict([seen]), [seen], Settings())[0].ab[0])
    assert np.isfinite(planes[1]).all()
    assert np.abs(planes[0] - planes[1]).mean() < 5
