"""Who learns from what: gradients of both players, term by term."""

import pytest
import torch

from gan_colorize.color.bins import NUM_BINS
from gan_colorize.color.targets import SoftEncoder
from gan_colorize.config import Data, Loss
from gan_colorize.models import create_discriminator, create_model
from gan_colorize.training.batch import BatchMaker
from gan_colorize.training.gan_step import GanStep, Networks, enlarge
from gan_colorize.training.optim import Precision, adamw

SHAPE = {
    "encoder_widths": [8, 8, 8, 8, 8],
    "decoder_widths": [8, 8, 8, 8],
    "encoder_blocks": [0, 0, 0, 0, 0],
    "decoder_blocks": [0, 0, 0, 1],
}


@pytest.fixture
def maker():
    contract = create_model("unet", SHAPE).contract
    return BatchMaker(contract, SoftEncoder(), torch.ones(NUM_BINS), Data(), seed=0)


@pytest.fixture
def batch(maker):
    rgb = torch.randint(0, 256, (2, 3, 64, 64), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return maker.training(rgb, torch.arange(len(rgb)) + 2, 2)


def game(loss, dtype=torch.float32):
    torch.manual_seed(0)
    generator = create_model("unet", SHAPE)
    discriminator = create_discriminator("patchgan", {"width": 4})
    players = Networks(
        generator,
        discriminator,
        adamw(generator, 1e-3, [0.9, 0.99], 0.0),
        adamw(discriminator, 1e-3, [0.0, 0.99], 0.0),
    )
    return players, GanStep(players, loss, Precision(torch.device("cpu"), dtype), 1.0, None)


def copy(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def changed(before, module):
    return {name for name, value in module.state_dict().items() if not torch.equal(before[name], value)}


def test_adversarial_gradient_alone_moves_the_generator(batch):
    """Nothing but the discriminator's opinion, through the annealed mean, reaches the head."""
    players, step = game(Loss(classification=0.0, adversarial=1.0))
    before = copy(players.generator)
    terms = step(batch, "both")
    assert (
        set(terms) >= {"adversarial", "discriminator", "generator_gradient"} and "classification" not in terms
    )
    assert terms["generator_gradient"] > 0
    assert "head.weight" in changed(before, players.generator)


def test_each_phase_moves_its_own_player_only(batch):
    for train, generator_moves, discriminator_moves in (
        ("generator", True, False),
        ("discriminator", False, True),
        ("both", True, True),
    ):
        players, step = game(Loss())
        before = copy(players.generator), copy(players.discriminator)
        step(batch, train)
        assert bool(changed(before[0], players.generator)) == generator_moves
        moved = changed(before[1], players.discriminator)
        assert any("original" in name for name in moved) == discriminator_moves
        assert all(p.requires_grad for p in players.discriminator.parameters())


def test_generator_step_leaves_no_gradient_in_the_discriminator(batch):
    players, step = game(Loss(adversarial=1.0))
    loss, terms = step._generator(batch, None, "both")
    loss.backward()
    assert "adversarial" in terms and players.generator.head.weight.grad is not None
    assert all(p.grad is None for p in players.discriminator.parameters())


def test_discriminator_learns_to_tell_truth_from_a_grey_guess(batch):
    _, step = game(Loss(temperature=1.0))
    for _ in range(60):
        terms = step(batch, "discriminator")
    assert terms["discriminator_real"] > terms["discriminator_fake"] + 0.5


@pytest.mark.parametrize("kind", ["hinge", "least_squares", "non_saturating"])
def test_r1_is_the_gradient_norm_on_the_truth(batch, kind):
    players, step = game(Loss(r1=1.0, adversarial_kind=kind))
    ab = (enlarge(batch.ab, batch.lightness) / 110.0).requires_grad_(True)
    # power iteration moves spectral norm's vectors in training mode; eval mode holds them still
    players.discriminator.eval()
    (gradient,) = torch.autograd.grad(players.discriminator(batch.lightness, ab * 110.0).sum(), ab)
    expected = gradient.square().sum(dim=(1, 2, 3)).mean()
    terms = step(batch, "discriminator")
    torch.testing.assert_close(terms["r1"], expected, rtol=1e-3, atol=1e-8)


def test_bf16_gives_nearly_the_same_terms(batch):
    exact, half = (game(Loss(), dtype)[1](batch, "generator") for dtype in (torch.float32, torch.bfloat16))
    torch.testing.assert_close(half["classification"], exact["classification"], rtol=0.02, atol=0.0)


def test_a_batch_is_a_function_of_seed_and_position(maker):
    rgb = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8)
    one, two, other = (
        maker.training(rgb, torch.arange(len(rgb)) + 8, 8),
        maker.training(rgb, torch.arange(len(rgb)) + 8, 8),
        maker.training(rgb, torch.arange(len(rgb)) + 12, 12),
    )
    assert torch.equal(one.lightness, two.lightness) and torch.equal(one.conditions.mask, two.conditions.mask)
    assert not torch.equal(one.lightness, other.lightness)


def test_validation_sees_the_plain_picture(maker):
    rgb = torch.full((1, 3, 64, 64), 119, dtype=torch.uint8)
    batch = maker.validation(rgb)
    assert batch.conditions.hints is None
    assert batch.lightness.mean().item() == pytest.approx(50.03, abs=0.05)  # sRGB 119 is L* 50.03
    assert batch.pixel_weight.abs().max() == 0  # no colour, nothing to learn


def test_a_long_gradient_is_clipped_the_same_with_and_without_a_fused_optimizer(batch):
    results = []
    for fused in (True, False):
        players, step = game(Loss())
        step.clip = 1e-3
        optimizer = players.generator_optimizer
        for group in optimizer.param_groups:
            group["fused"] = fused
        assert step(batch, "generator")["generator_gradient"] > 10 * step.clip
        results.append([state["exp_avg"] for state in optimizer.state.values()])
    norms = [torch.nn.utils.get_total_norm(moments) for moments in results]
    assert norms[0] == pytest.approx(step.clip * (1 - optimizer.defaults["betas"][0]), rel=1e-3)
    torch.testing.assert_close(results[0], results[1], rtol=1e-5, atol=1e-12)


def test_a_step_that_needs_no_clipping_is_not_scaled_by_the_last_one(batch):
    players, step = game(Loss())
    step.clip = 1e-3
    step(batch, "generator")
    step.clip = 1e6
    before = [state["exp_avg"].clone() for state in players.generator_optimizer.state.values()]
    norm = step(batch, "generator")["generator_gradient"]
    after = [state["exp_avg"] for state in players.generator_optimizer.state.values()]
    beta = players.generator_optimizer.param_groups[0]["betas"][0]
    gradients = [(b - beta * a) / (1 - beta) for a, b in zip(before, after, strict=True)]
    torch.testing.assert_close(torch.nn.utils.get_total_norm(gradients), norm, rtol=1e-2, atol=0)
