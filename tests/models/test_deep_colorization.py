"""Deep Colorization: its features, its kinds of pictures, its networks and its filter, each from outside."""

import sys

import numpy as np
import pytest
import torch
from tiny import TINY_DEEP as TINY
from torch import nn

from gan_colorize.color.yuv import rgb_to_uv
from gan_colorize.errors import UserError
from gan_colorize.models import create_model, pixel_features
from gan_colorize.models.clusters import ClusteredMLP, KindsOfPictures, k_means
from gan_colorize.models.deep_colorization import psnr, refine
from gan_colorize.models.pixel_features import daisy_maps, global_descriptor, grey_patches
from gan_colorize.models.semantic_scores import SemanticScores


@pytest.fixture
def model():
    torch.manual_seed(0)
    return create_model("deep_colorization", TINY)


def scenes(count=32, size=32, seed=0):
    """Pictures of two kinds, half and half: orange with horizontal bars, or blue with upright ones."""
    rng = np.random.default_rng(seed)
    bars = np.where(np.arange(size) // 4 % 2, 1.0, 0.6)
    pictures = np.empty((count, 3, size, size))
    for index in range(count):
        colour = np.array([230, 140, 60] if index % 2 else [60, 110, 230], float)[:, None, None]
        pictures[index] = colour * (bars[:, None] if index % 2 else bars[None]) * rng.uniform(0.7, 1.0)
    return torch.from_numpy((pictures + rng.integers(0, 6, pictures.shape)).astype(np.uint8))


def test_it_has_the_papers_128_features_and_layers():
    model = create_model("deep_colorization")
    trains = [p for p in model.parameters() if p.requires_grad]
    one = (128 + 1) * 64 + 2 * (64 + 1) * 64 + (64 + 1) * 2
    assert sum(p.numel() for p in trains) == 6 * one  # two kinds, each of which may fall into two more
    assert {id(p) for p in trains} == {id(p) for p in model.networks.parameters()}


def test_a_patch_is_the_49_values_around_a_pixel():
    grey = torch.rand(2, 1, 16, 24)
    patches = grey_patches(grey)
    assert patches.shape == (2, 49, 16, 24)
    for row, column in ((3, 3), (8, 20), (12, 5)):
        by_hand = [
            grey[1, 0, row + down, column + across].item() for down in range(-3, 4) for across in range(-3, 4)
        ]
        assert patches[1, :, row, column].tolist() == by_hand
    assert patches[0, 0, 0, 0] == grey[0, 0, 0, 0]  # beyond the corner it is repeated


def test_daisy_is_scikit_images_in_the_same_place():
    daisy = pytest.importorskip("skimage.feature").daisy
    torch.manual_seed(0)
    grey, radius = torch.rand(2, 1, 40, 48), 4
    maps = daisy_maps(grey, radius)
    assert maps.shape == (2, 32, 40, 48) and maps.dtype == torch.float32
    # Without padding: descriptors begin a radius inside the picture.
    plain = daisy(grey[1, 0].numpy(), step=1, radius=radius, rings=1, histograms=3, orientations=8)
    reach = radius + 4 * radius / 2  # of the ring and of its Gaussians: nearer to the border padding matters
    for row, column in ((20, 20), (22, 30), (17, 24)):
        assert min(row, column, 40 - row, 48 - column) > reach
        wanted = plain[row - radius, column - radius]
        np.testing.assert_allclose(maps[1, :, row, column].numpy(), wanted, atol=1e-6)


def test_a_flat_or_tiny_picture_has_finite_features(model):
    for lightness in (torch.full((1, 1, 8, 8), 50.0), torch.zeros(1, 1, 8, 16)):
        assert model.eval()(lightness).ab.isfinite().all()


def test_the_descriptor_of_a_picture_knows_where_things_are():
    grey = torch.zeros(1, 1, 32, 32)
    grey[..., 16:, :] = 1.0
    daisy = daisy_maps(grey, 4)
    grid = global_descriptor(grey, daisy).view(9, 4, 4)
    assert grid[8].tolist() == [[0.0] * 4] * 2 + [[1.0] * 4] * 2
    torch.testing.assert_close(grid[3, 1, 2], daisy[0, 3, 8:16, 16:24].mean())


def test_scores_are_those_of_the_recogniser_where_the_picture_is_uniform():
    torch.manual_seed(0)
    scores = SemanticScores(7, 64)
    with torch.no_grad():  # a recogniser that was never trained says the same of everything
        scores.recogniser.network.classifier[-1].weight.normal_()
    lightness = torch.full((1, 1, 16, 16), 40.0)
    maps = scores(lightness, torch.full((1, 1, 16, 16), 0.4))
    assert maps.shape == (1, 7, 16, 16) and not maps.requires_grad
    torch.testing.assert_close(maps.sum(1), torch.ones(1, 16, 16), atol=1e-4, rtol=0)
    probabilities = scores.recogniser(torch.full((1, 1, 64, 64), 40.0))[0]  # its own way: pooled, then named
    by_hand = torch.stack([probabilities[group::7].sum() for group in range(7)])
    assert (maps.mean((0, 2, 3)) - by_hand).abs().max() < 0.1
    assert not scores.train().recogniser.network.training


def test_pretrained_groups_hold_what_looks_alike(shared, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(shared / "weights" / "torch_home" / "hub"))
    scores = SemanticScores(47, 224)
    scores.load_pretrained()
    groups = scores.membership.argmax(0)
    assert scores.membership.sum(0).tolist() == [1.0] * 1000 and len(groups.unique()) == 47
    sharks, trucks = groups[2:5], groups[[555, 569, 717, 864, 867]]  # fire engine, garbage truck, pickup, ...
    assert sharks.unique().numel() == 1 and trucks.mode().values != sharks[0]


def test_k_means_finds_clusters_and_is_a_function_of_the_seed():
    torch.manual_seed(1)
    centres = torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    truth = torch.arange(60) % 3
    points = centres[truth] + 0.3 * torch.randn(60, 2)
    found = k_means(points, 3, seed=5)
    assert torch.equal(found, k_means(points, 3, seed=5))
    assert {int(found[truth == kind].unique()) for kind in range(3)} == {0, 1, 2}
    assert k_means(points[:2], 3, seed=0).shape == (2,)


def test_every_picture_goes_through_the_network_of_its_kind():
    torch.manual_seed(0)
    networks = ClusteredMLP(3, (5, 8, 8, 8, 2))
    with torch.no_grad():
        for bias in networks.biases:
            bias.normal_()
    x, kinds = torch.randn(4, 6, 5), torch.tensor([2, 0, 2, 1])
    result = networks(x, kinds)
    result.square().sum().backward()
    for kind in range(3):
        plain = nn.Sequential()
        for weight, bias in zip(networks.weights, networks.biases, strict=True):
            layer = nn.Linear(*weight.shape[1:])
            layer.weight.data, layer.bias.data = weight.data[kind].T, bias.data[kind, 0]
            plain += nn.Sequential(layer, nn.ReLU())
        plain = plain[:-1]
        mine = kinds == kind
        wanted = plain(x[mine])
        torch.testing.assert_close(result[mine], wanted, atol=1e-5, rtol=1e-5)
        wanted.square().sum().backward()
        torch.testing.assert_close(
            networks.weights[1].grad[kind], plain[2].weight.grad.T, atol=1e-4, rtol=1e-4
        )


def test_a_kind_is_chosen_by_descriptor_and_by_what_is_shown():
    kinds = KindsOfPictures((2, 0), 4, 3)
    kinds.first.used[:] = True
    kinds.first.descriptors[1] = 0.1
    kinds.first.histograms[0], kinds.first.histograms[1] = torch.eye(3)[0], torch.eye(3)[1]
    same = torch.full((1, 4), 0.05)  # as far from both
    assert kinds.choose(same, torch.tensor([[0.8, 0.2, 0.0]])).item() == 0
    assert kinds.choose(same, torch.tensor([[0.2, 0.8, 0.0]])).item() == 1
    assert kinds.choose(torch.full((1, 4), -3.0), torch.tensor([[0.4, 0.6, 0.0]])).item() == 0


def test_the_second_level_divides_only_what_is_badly_coloured():
    torch.manual_seed(0)
    truth = torch.arange(60) % 2
    descriptors = 10.0 * truth[:, None] + torch.randn(60, 4)
    descriptors[20:, 0] += 3.0
    histograms = torch.full((60, 3), 1 / 3)
    kinds = KindsOfPictures((2, 1), 4, 3)
    assert kinds.choose(descriptors, histograms).unique().tolist() == [0]
    kinds.open_first(descriptors, histograms, seed=0)
    before = kinds.choose(descriptors, histograms)
    assert sorted(before.unique().tolist()) == [0, 2]  # 1 and 3 are what they may fall into
    bad = (torch.arange(60) >= 20) & (truth == 1)
    origins = kinds.open_second(descriptors, histograms, bad, seed=0)
    of_bad = int(before[bad][0])
    assert origins == {of_bad + 1: of_bad}
    after = kinds.choose(descriptors, histograms)
    assert torch.equal(after[truth == 0], before[truth == 0])
    assert (after[bad] == of_bad + 1).float().mean() > 0.8
    assert kinds.open_second(descriptors, histograms, bad, seed=0) == {}


def test_kinds_of_hardly_any_pictures_are_none():
    descriptors = torch.zeros(128, 4)
    descriptors[:3] = 50.0
    kinds = KindsOfPictures((2, 1), 4, 3)
    kinds.open_first(descriptors, torch.zeros(128, 3), seed=0)
    assert int(kinds.first.used.sum()) == 1
    few = torch.arange(128) < 3
    assert kinds.open_second(descriptors, torch.zeros(128, 3), few, seed=0) == {}


def test_fitting_finds_normalisation_and_kinds_the_same_every_time(model):
    pictures = scenes()
    other = create_model("deep_colorization", TINY)
    other.load_state_dict(model.state_dict())
    model.train()
    assert model.fit(pictures, seed=3) is True and other.fit(pictures, seed=3) is True
    assert model.training and model.kinds.levels == 1
    for one, two in zip(model.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(one, two)
    lightness = torch.rand(4, 1, 32, 32) * 100
    features, descriptor, histogram = model.look(lightness, lightness / 100)
    assert descriptor.shape == (4, 144) and histogram.shape == (4, 5)
    # The mean over every pixel of the pictures, by scikit-image's own grey, of the value in the middle.
    assert 0.3 < model.mean[24] < 0.7 and 0.05 < model.spread[24] < 0.3
    assert model.spread.min() >= 0.01 and features.shape == (4, 49 + 32 + 5, 32, 32)


def test_the_second_level_changes_nothing_until_it_learns(model):
    pictures, lightness = scenes(), torch.rand(3, 1, 32, 32) * 100
    model.fit(pictures, seed=0)
    with torch.no_grad():
        for bias in model.networks.biases:
            bias.normal_(std=0.1)  # every kind has other colours
        before = model.eval()(lightness).uv
        assert model.fit(pictures, seed=0) is True
        torch.testing.assert_close(model(lightness).uv, before)
    assert model.kinds.levels == 2
    assert model.fit(pictures, seed=0) is False


def test_pictures_that_are_well_coloured_open_no_second_level():
    model = create_model("deep_colorization", TINY | {"well_coloured": 1.0})
    model.fit(scenes(), seed=0)
    assert model.fit(scenes(), seed=0) is False and model.kinds.levels == 1


def test_least_squares_teach_each_kind_its_colour(model):
    pictures = scenes(16)
    model.fit(pictures, seed=0)
    truth = rgb_to_uv(pictures / 255.0)
    lightness = (pictures.float().mean(1, keepdim=True) / 2.55).clamp(0, 100)
    optimizer = torch.optim.Adam(model.networks.parameters(), 2e-2)
    for _ in range(20):
        loss = (model(lightness).uv - truth).square().sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.2 * truth.square().sum(1).mean()


def test_the_filter_takes_speckles_off_and_leaves_edges():
    torch.manual_seed(0)
    grey = torch.full((1, 1, 32, 32), 0.2)
    grey[..., 16:] = 0.8
    truth = torch.tensor([0.1, -0.1])[:, None, None] * torch.where(grey > 0.5, 1.0, -1.0)
    noisy = truth + 0.05 * torch.randn(1, 2, 32, 32)
    filtered = refine(noisy, grey)
    assert (filtered - truth).square().mean() < 0.15 * (noisy - truth).square().mean()
    edge = (filtered - truth)[..., 15:17].square().mean().sqrt()
    assert edge < 0.04  # plain smoothing would leave some 0.1 there
    assert refine(noisy.bfloat16(), grey).dtype == torch.float32


def test_the_filter_is_for_inference_only(model):
    lightness = torch.rand(1, 1, 32, 32) * 100
    with torch.no_grad():
        raw, refined = model.train()(lightness).uv, model.eval()(lightness).uv
        torch.testing.assert_close(refine(raw, lightness / 100), refined, atol=0.01, rtol=0.2)
        assert (raw - refined).abs().max() > 1e-5


def test_psnr_is_that_of_rgb_with_its_own_luma():
    torch.manual_seed(0)
    rgb, uv = torch.rand(2, 3, 8, 8), 0.1 * torch.randn(2, 2, 8, 8)
    luma = (rgb * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1)
    red, blue = luma + uv[:, 1] / 0.877, luma + uv[:, 0] / 0.492
    green = (luma - 0.299 * red - 0.114 * blue) / 0.587
    other = torch.stack([red, green, blue], 1)
    wanted = -10 * ((other - rgb) ** 2).mean((1, 2, 3)).log10()
    torch.testing.assert_close(psnr(uv, rgb_to_uv(rgb)), wanted, atol=0.02, rtol=0)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"clusters": [0, 1]}, r"model\.options\.clusters: \[0, 1\]"),
        ({"clusters": [2, 99]}, r"model\.options\.clusters: \[2, 99\]"),
        ({"hidden": [64, 0, 64]}, r"model\.options\.hidden"),
        ({"recogniser_size": 8}, r"model\.options\.recogniser_size: 8 must lie in 32\.\.1024"),
        ({"groups": 0}, r"model\.options\.groups"),
        ({"daisy_radius": 0}, r"model\.options\.daisy_radius"),
    ],
)
def test_impossible_options_are_named(options, line):
    with pytest.raises(UserError, match=line):
        create_model("deep_colorization", options)


@pytest.mark.parametrize(
    ("module", "package"), [("skimage.feature", "scikit-image"), ("kornia.filters", "kornia")]
)
def test_without_its_packages_it_names_the_extra(model, monkeypatch, module, package):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=rf"{package}; pip install 'gan_colorize\[deep_colorization\]'"):
        model(torch.zeros(1, 1, 16, 16))
    assert pixel_features.missing_extra(package).args[0].count("\n") == 0
