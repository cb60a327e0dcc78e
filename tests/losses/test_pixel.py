import torch

from gan_colorize.losses.pixel import smooth_l1_ab


def test_huber_has_its_knee_at_110_ab_units():
    truth = torch.zeros(1, 2, 1, 3)
    prediction = torch.tensor([55.0, 110.0, 220.0]).reshape(1, 1, 1, 3) * torch.tensor([1.0, 0.0]).reshape(
        1, 2, 1, 1
    )
    expected = torch.tensor([0.5 * 0.25, 0.5, 2.0 - 0.5]).reshape(1, 1, 1, 3)
    torch.testing.assert_close(smooth_l1_ab(prediction, truth), expected)
