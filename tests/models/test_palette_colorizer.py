"""The network that colours by a palette, and the discriminator that knows the palette."""

import pytest
import torch
import torch.nn.functional as F

from gan_colorize.models import Conditions, create_discriminator, create_model
from gan_colorize.models.palette_colorizer import palette_vector


def palettes(count):
    return torch.rand(count, 5, 3) * 60 - 20


def test_parameter_count():
    """The published trunk without its hints and classes, and two 1x1 convolutions at each of three places."""
    published = 34_187_027  # the user-guided network of the authors
    without = published - 3 * 64 * 9 - (256 * 529 + 529)
    branches = sum(16 * w + w * w for w in (512, 256, 128))
    model = create_model("palette_colorizer")
    assert sum(p.numel() for p in model.parameters()) == without + branches


def test_the_vector_of_a_palette():
    vector = palette_vector(torch.stack([torch.zeros(5, 3), torch.full((5, 3), 55.0)]))
    assert vector.shape == (2, 16) and not vector[0].any()
    torch.testing.assert_close(vector[1], torch.tensor([0.1, 0.5, 0.5] * 5 + [1.0]))


@torch.no_grad()
def test_the_palette_is_added_after_blocks_4_8_and_9():
    torch.manual_seed(0)
    model = create_model("palette_colorizer", {"width": 4}).eval()
    lightness, palette = torch.rand(2, 1, 16, 24) * 100, palettes(2)
    told = {
        block: F.conv2d(
            F.conv2d(palette_vector(palette)[..., None, None], branch[0].weight).relu(), branch[2].weight
        )
        for block, branch in model.palette.items()
    }
    one = model.model1((lightness - 50) / 100)
    two = model.model2(one[:, :, ::2, ::2])
    three = model.model3(two[:, :, ::2, ::2])
    four = model.model4(three[:, :, ::2, ::2]) + told["4"]
    seven = model.model7(model.model6(model.model5(four)))
    eight = model.model8(model.model8up(seven) + model.model3short8(three)) + told["8"]
    nine = model.model9(model.model9up(eight) + model.model2short9(two)) + told["9"]
    ten = model.model10(model.model10up(nine) + model.model1short10(one))
    expected = 110 * torch.tanh(model.model_out(ten))
    found = model(lightness, Conditions(palette=palette)).ab
    torch.testing.assert_close(found, expected)
    assert (found - model(lightness).ab).abs().max() > 1e-3, "the palette says something"
    # each picture hears its own palette
    alone = model(lightness[1:], Conditions(palette=palette[1:])).ab
    torch.testing.assert_close(alone, found[1:], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("norm", ["spectral", "none"])
@pytest.mark.parametrize("size", [(32, 32), (64, 96)])
def test_the_discriminator_gives_one_score_that_depends_on_the_palette(norm, size):
    torch.manual_seed(0)
    judge = create_discriminator("palette_patch", {"width": 4, "norm": norm}).eval()
    lightness, ab, palette = torch.rand(3, 1, *size) * 100, torch.randn(3, 2, *size) * 30, palettes(3)
    (score,), features = judge.judge(lightness, ab, Conditions(palette=palette))
    assert score.shape == (3, 1)
    assert [f.shape[1:] for f in features] == [
        (w, size[0] >> i, size[1] >> i) for i, w in enumerate((4, 8, 16, 32, 32), 1)
    ]
    (other,), _ = judge.judge(lightness, ab, Conditions(palette=palette.flip(0)))
    assert (score - other)[[0, 2]].abs().max() > 1e-6
    (none,), _ = judge.judge(lightness, ab)
    (zeros,), _ = judge.judge(lightness, ab, Conditions(palette=torch.zeros(3, 5, 3)))
    torch.testing.assert_close(none, zeros)
