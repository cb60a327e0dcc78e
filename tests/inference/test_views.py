"""Averaging several views of a photograph: the places agree, the mean is the mean."""

import numpy as np
import pytest
import torch
from torch import nn

from gan_colorize.errors import UserError
from gan_colorize.inference.predictor import Predictor, Settings
from gan_colorize.inference.views import resample
from gan_colorize.models.contract import Conditions, Contract, Prediction


class Places(nn.Module):
    """Regresses ab = (L there, 10 if the first pixel is the darker end): follows every flip and resize."""

    contract = Contract(frozenset({"hints"}), "ab", output_stride=4, size_divisor=32)

    def __init__(self):
        super().__init__()
        self.sizes = []
        self.metadata = {"working_size": "64"}

    def forward(self, plane, conditions=None):
        self.sizes.append(tuple(plane.shape))
        a = nn.functional.avg_pool2d(plane, 4)
        b = torch.where(plane[:, :, :1, :1] < plane[:, :, :1, -1:], 10.0, 0.0).expand_as(a)
        return Prediction(ab=torch.cat([a, b], 1))


def ramp(height, width):
    return np.tile(np.linspace(10, 90, width, dtype=np.float32), (height, 1))


@pytest.mark.parametrize("views", [2, 4, 6])
@pytest.mark.parametrize("shape", [(128, 128), (150, 300), (257, 131)])
def test_all_views_speak_of_the_same_place(views, shape):
    plane = ramp(*shape)
    results = []
    for count in (1, views):
        predictor = Predictor(Places(), "cpu", "fp32", count)
        seen = [predictor.see(plane)]
        (chroma,) = predictor.decode(predictor.predict(seen), seen, Settings())
        rows, columns = (int(side) for side in chroma.extent)
        results.append(chroma.ab[0][:, 1 : rows - 1, 1 : columns - 1])
    np.testing.assert_allclose(results[1][0], results[0][0], atol=0.8)  # half a sample would be 2.5
    # half of the views are mirrored and see the dark end on the other side
    padded = any(side % 32 for side in seen[0].shape)
    if not padded:
        np.testing.assert_allclose(results[1][1], 5.0, atol=1e-4)


def test_mean_of_the_log_probabilities_of_both_sides(network):
    plane = np.random.default_rng(1).uniform(0, 100, (64, 96)).astype(np.float32)
    predictor = Predictor(network, "cpu", "fp32", views=2)
    got = predictor.predict([predictor.see(plane)]).logits.softmax(1)
    with torch.no_grad():
        one, other = (
            network(torch.from_numpy(np.ascontiguousarray(p))[None, None]).logits.softmax(1)
            for p in (plane, plane[:, ::-1])
        )
    expected = (one * other.flip(-1)).sqrt()
    torch.testing.assert_close(got, expected / expected.sum(1, keepdim=True), rtol=1e-3, atol=1e-5)


def test_photographs_of_one_padded_size_may_differ_at_another():
    planes = [ramp(64, 64), ramp(1000, 999)]
    predictor = Predictor(Places(), "cpu", "fp32", views=4)
    seen = [predictor.see(plane) for plane in planes]
    assert seen[0].plane.shape == seen[1].plane.shape
    assert seen[0].others[1.25].shape != seen[1].others[1.25].shape
    together = predictor.predict(seen).ab
    for index, one in enumerate(seen):
        torch.testing.assert_close(together[index : index + 1], predictor.predict([one]).ab)


def test_wishes_take_the_plain_view():
    network = Places()
    predictor = Predictor(network, "cpu", "fp32", views=6)
    predictor.model = network
    predictor.predict([predictor.see(ramp(64, 64))], Conditions(hints=torch.zeros(1, 2, 64, 64)))
    assert network.sizes == [(1, 1, 64, 64)]


def test_resample_keeps_a_plane_of_the_same_extent():
    planes = torch.randn(1, 3, 8, 6)
    torch.testing.assert_close(resample(planes, (8, 6), planes, (8, 6)), planes)


def test_numbers_of_views_that_are_none():
    with pytest.raises(UserError, match="--views 3: must be one of 1, 2, 4, 6"):
        Predictor(Places(), "cpu", "fp32", views=3)
