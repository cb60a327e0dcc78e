"""Decoding against the plain formula in numpy and torch, closed forms and autograd."""

import math

import numpy as np
import pytest
import torch

from gan_colorize.color import decode
from gan_colorize.color.bins import NUM_BINS, bin_centres


@pytest.fixture(scope="module")
def logits() -> torch.Tensor:
    """More pixels than are decoded at a time, and not a multiple of it."""
    return torch.randn(2, NUM_BINS, 17, 19, generator=torch.Generator().manual_seed(0)) * 3


def _plain(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """Equation 5 of the paper, word for word: f_T(z) = exp(log z / T) / sum exp(log z / T)."""
    log_shares = logits.log_softmax(dim=1) / temperature
    shares = log_shares.exp() / log_shares.exp().sum(dim=1, keepdim=True)
    return torch.einsum("nqhw,qc->nchw", shares, bin_centres(logits.dtype))


def _two_bins(odds: float) -> torch.Tensor:
    """All mass on (0, 0) and (40, 0), the second `odds` times as likely."""
    bins = bin_centres(torch.int64).tolist()
    logits = torch.full((1, NUM_BINS, 1, 1), -1e4)
    logits[0, bins.index([0, 0])] = 0.0
    logits[0, bins.index([40, 0])] = math.log(odds)
    return logits


@pytest.mark.parametrize("temperature", [0.2, 0.38, 1.0])
def test_annealed_mean_is_the_formula(logits, temperature):
    got = decode.annealed_mean(logits, temperature)
    assert got.shape == (2, 2, 17, 19) and got.dtype == torch.float32 and got.is_contiguous()
    expected = _plain(logits.double(), temperature).float()
    torch.testing.assert_close(got, expected, atol=2e-4, rtol=0)
    channels_last = logits.to(memory_format=torch.channels_last)
    torch.testing.assert_close(decode.annealed_mean(channels_last, temperature), expected, atol=2e-4, rtol=0)


def test_default_temperature_is_the_papers():
    # Two bins: the share of the likelier is odds^(1/T) / (1 + odds^(1/T)).
    sharpened = 2.0 ** (1 / 0.38)
    expected = 40 * sharpened / (1 + sharpened)
    assert float(decode.annealed_mean(_two_bins(2.0))[0, 0]) == pytest.approx(expected, abs=1e-4)
    assert float(decode.expectation(_two_bins(2.0))[0, 0]) == pytest.approx(40 * 2 / 3, abs=1e-4)
    torch.testing.assert_close(decode.mode(_two_bins(2.0)).flatten(), torch.tensor([40.0, 0.0]))


def test_limits_of_temperature(logits):
    torch.testing.assert_close(decode.annealed_mean(logits, 1e-4), decode.mode(logits), atol=1e-3, rtol=0)
    uniform = torch.zeros(1, NUM_BINS, 2, 2)
    centre = bin_centres().mean(dim=0)
    torch.testing.assert_close(decode.annealed_mean(uniform)[0, :, 0, 0], centre, atol=1e-4, rtol=0)


def test_extreme_logits_stay_finite():
    logits = torch.zeros(1, NUM_BINS, 1, 2)
    logits[0, 7, 0, 0], logits[0, 8, 0, 0] = 3e4, -3e4
    logits[0, :, 0, 1] = -5e4
    logits.requires_grad_()
    ab = decode.annealed_mean(logits)
    ab.sum().backward()
    assert torch.isfinite(ab).all() and torch.isfinite(logits.grad).all()
    torch.testing.assert_close(ab[0, :, 0, 0].detach(), bin_centres()[7])


def test_gradient_is_autograds_of_the_plain_formula(logits):
    for memory_format in (torch.contiguous_format, torch.channels_last):
        ours = logits.clone(memory_format=memory_format).requires_grad_()
        plain = logits.double().requires_grad_()
        pull = torch.randn(2, 2, 17, 19, generator=torch.Generator().manual_seed(1))
        decode.annealed_mean(ours).backward(pull)
        _plain(plain, 0.38).backward(pull.double())
        torch.testing.assert_close(ours.grad.double(), plain.grad, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    "view",
    [
        lambda z: z.transpose(2, 3),
        lambda z: z.to(memory_format=torch.channels_last).transpose(2, 3),
        lambda z: z.permute(0, 1, 3, 2).flip(3)[:, :, ::2],
        lambda z: z[:, :, :, 3:11],
        lambda z: z[:, :, 4:5],
        lambda z: z[:1].expand(3, -1, -1, -1),
        lambda z: z[:, :1, :1, :1].expand(2, NUM_BINS, 5, 6),
    ],
    ids=["transposed", "last_transposed", "every_second_row", "columns", "one_row", "expanded", "one_number"],
)
def test_gradient_in_other_layouts(logits, view):
    ours, plain = (logits.double().requires_grad_() for _ in range(2))
    ab, expected = decode.annealed_mean(view(ours)), _plain(view(plain), 0.38)
    pull = torch.randn(ab.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    ab.backward(pull)
    expected.backward(pull)
    torch.testing.assert_close(ab, expected)
    torch.testing.assert_close(ours.grad, plain.grad)


def test_gradcheck():
    logits = torch.randn(1, NUM_BINS, 1, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    assert torch.autograd.gradcheck(lambda z: decode.annealed_mean(z, 0.38), logits.requires_grad_())


def test_same_with_and_without_gradient(logits):
    with torch.no_grad():
        expected = decode.annealed_mean(logits)
    assert torch.equal(decode.annealed_mean(logits.clone().requires_grad_()).detach(), expected)


@pytest.mark.parametrize(
    "function",
    [decode.annealed_mean, decode.mode, decode.expectation, decode.confidence, lambda z: decode.sample(z, 3)],
)
def test_low_precision_and_autocast(logits, function):
    rounded = logits.bfloat16()
    expected = function(rounded.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = function(rounded)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, expected, atol=2e-3, rtol=0)


def test_bfloat16_gradient_keeps_type_and_direction(logits):
    low = logits.bfloat16().requires_grad_()
    decode.annealed_mean(low).sum().backward()
    high = logits.bfloat16().float().requires_grad_()
    decode.annealed_mean(high).sum().backward()
    assert low.grad.dtype == torch.bfloat16
    assert torch.cosine_similarity(low.grad.float().flatten(), high.grad.flatten(), dim=0) > 0.999


def test_entropy_of_known_distributions():
    uniform = torch.zeros(1, NUM_BINS, 1, 1)
    assert float(decode.normalised_entropy(uniform)) == pytest.approx(1.0, abs=1e-6)
    assert float(decode.normalised_entropy(_two_bins(1.0))) == pytest.approx(
        math.log(2) / math.log(313), abs=1e-6
    )
    assert float(decode.confidence(_two_bins(1e6))) == pytest.approx(1.0, abs=1e-4)
    p = 2 ** (1 / 0.5) / (1 + 2 ** (1 / 0.5))
    expected = -(p * math.log(p) + (1 - p) * math.log(1 - p)) / math.log(313)
    assert float(decode.normalised_entropy(_two_bins(2.0), 0.5)) == pytest.approx(expected, abs=1e-6)


def test_mask_leaves_only_possible_colours(logits):
    white = torch.full((2, 1, 17, 19), 99.5)
    masked = decode.mask_impossible(logits.half(), white)
    assert masked.dtype == torch.float16 and torch.isfinite(masked).all()
    assert decode.annealed_mean(masked).abs().max() < 40  # near white there is little chroma
    assert (masked > decode.IMPOSSIBLE).any(dim=1).all()
    lightness = torch.linspace(0, 100, 17 * 19).view(1, 1, 17, 19).expand(2, -1, -1, -1)
    kept = decode.mask_impossible(logits, lightness)
    same = kept == logits
    assert same.any(dim=1).all() and not same.all()
    assert (kept[~same] == decode.IMPOSSIBLE).all()


def test_results_do_not_depend_on_the_batch(logits):
    for function in (decode.annealed_mean, decode.mode, lambda z: decode.sample(z, 5)):
        torch.testing.assert_close(function(logits)[1:], function(logits[1:]), atol=2e-3, rtol=0)


def test_exceptions():
    with pytest.raises(ValueError, match="shape"):
        decode.annealed_mean(torch.zeros(1, 10, 2, 2))
    with pytest.raises(ValueError, match="temperature"):
        decode.annealed_mean(torch.zeros(1, NUM_BINS, 2, 2), 0.0)
    with pytest.raises(ValueError, match="temperature"):
        decode.sample(torch.zeros(1, NUM_BINS, 2, 2), 0, -1.0)


def test_numpy_agrees_with_torch_on_one_pixel(logits):
    z = logits[0, :, 3, 4].double().numpy() / 0.38
    shares = np.exp(z - z.max())
    expected = (shares / shares.sum()) @ bin_centres(torch.float64).numpy()
    np.testing.assert_allclose(decode.annealed_mean(logits)[0, :, 3, 4].numpy(), expected, atol=2e-4)


@pytest.mark.skipif(decode.decode_kernel is None, reason="numba is not there")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("temperature", [0.02, 0.38, 1.0, 5.0])
def test_the_compiled_mean_is_the_exact_one(dtype, temperature, monkeypatch):
    generator = torch.Generator().manual_seed(0)
    logits = (torch.randn(2, 313, 5, 7, generator=generator) * 4).to(dtype)
    logits[0, :, 0, 0] -= 300.0  # far from 0 alike
    logits[0, 17, 0, 1] = 80.0  # as good as certain
    logits[1, 100:, 0, 0] = decode.IMPOSSIBLE
    logits = logits.contiguous(memory_format=torch.channels_last)
    shares = torch.softmax(logits.double() / temperature, dim=1)
    expected = torch.einsum("nqhw,qc->nchw", shares, bin_centres(torch.float64))
    mean = decode.annealed_mean(logits, temperature)
    assert mean.dtype == torch.float32 and mean.is_contiguous()
    torch.testing.assert_close(mean.double(), expected, atol=1e-4, rtol=0)
    monkeypatch.setattr(decode, "decode_kernel", None)
    torch.testing.assert_close(decode.annealed_mean(logits, temperature), mean, atol=5e-4, rtol=0)
