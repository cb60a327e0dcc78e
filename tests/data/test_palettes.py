"""Palettes of photographs."""

import torch

from gan_colorize.data.chance import Chance
from gan_colorize.data.palettes import picture_palettes, simulate_palettes
from gan_colorize.evaluation.palettes import palette_distance


def draws(count):
    return Chance(0, range(count)).uniform64(5)


def chance(pictures, seed=0):
    return Chance(seed, range(len(pictures)))


def striped(colours, size=60):
    """(N, 5, 3) -> (N, 3, size, size) in five even stripes."""
    return colours.transpose(1, 2).repeat_interleave(size // 5, 2)[..., None].expand(-1, -1, -1, size)


def test_five_flat_colours_are_found():
    torch.manual_seed(0)
    colours = torch.rand(40, 5, 3) * torch.tensor([100.0, 160.0, 160.0]) - torch.tensor([0.0, 80.0, 80.0])
    found = picture_palettes(striped(colours), draws(40))
    distance = palette_distance(found, colours)
    # k-means may put one centre between two colours and two on a third; with k-means++ it seldom does.
    assert (distance < 1e-3).float().mean() > 0.8
    assert distance.max() < 40


def test_centres_are_better_than_chance_and_within_the_picture():
    torch.manual_seed(0)
    lab = torch.rand(6, 3, 40, 50) * torch.tensor([100.0, 60.0, 60.0])[:, None, None]
    found = picture_palettes(lab, draws(6))
    assert found.shape == (6, 5, 3)
    assert (found >= 0).all() and (found <= torch.tensor([100.0, 60.0, 60.0])).all()

    def error(centres):
        return torch.cdist(lab.flatten(2).transpose(1, 2), centres).amin(2).mean()

    assert error(found) < 0.9 * error(lab[:, :, :5, 0].transpose(1, 2))


def test_a_picture_of_one_colour_has_it_five_times():
    flat = torch.tensor([40.0, -10.0, 5.0])[None, :, None, None].expand(2, 3, 8, 8)
    torch.testing.assert_close(
        picture_palettes(flat, draws(2)), torch.tensor([40.0, -10.0, 5.0]).expand(2, 5, 3)
    )


def test_chance_alone_decides_and_a_share_gets_none():
    torch.manual_seed(0)
    lab = torch.rand(200, 3, 16, 16) * 50 + 1
    one = simulate_palettes(lab, chance(lab), 0.7)
    torch.rand(3)
    assert torch.equal(one, simulate_palettes(lab, chance(lab), 0.7))
    assert not torch.equal(one, simulate_palettes(lab, chance(lab, 1), 0.7))
    given = one.flatten(1).any(1)
    assert 0.6 < given.float().mean() < 0.8
    assert not simulate_palettes(lab, chance(lab), 0.0).any()
    assert simulate_palettes(lab, chance(lab), 1.0).flatten(1).any(1).all()
