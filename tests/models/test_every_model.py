"""What holds for every network in the registry, whoever wrote it down first."""

import pytest
import torch
from tiny import TINY

from gan_colorize.inference.colorizer import Colorizer
from gan_colorize.inference.predictor import Predictor, Settings
from gan_colorize.models import MODELS, Conditions, create_model
from gan_colorize.zoo.checkpoint import load_model, save_model

# Networks that read words have tests of their own.
CASES = [
    pytest.param(name, options, id=f"{name}-{n}")
    for name, (network, _) in MODELS.items()
    if network.contract.sees_pictures
    for n, options in enumerate(TINY[name])
]
every_model = pytest.mark.parametrize(("name", "options"), CASES)


def build(name, options, seed=0):
    torch.manual_seed(seed)
    return create_model(name, options)


def wishes(contract, count, height, width):
    """Something for every condition that the network takes."""
    given = {
        "hints": torch.zeros(count, 2, height, width),
        "mask": torch.zeros(count, 1, height, width),
        "histogram": torch.full((count, 313), 1 / 313),
        "saturation": torch.full((count, 1), 0.3),
        "palette": torch.rand(count, 5, 3) * 50.0,
    }
    given["hints"][:, :, 5:9, 6:10], given["mask"][:, :, 5:9, 6:10] = 30.0, 1.0
    takes = contract.takes | ({"mask"} if "hints" in contract.takes else set())
    return Conditions(**{key: given[key] for key in takes})


def outputs(prediction):
    return [
        x for x in (prediction.logits, prediction.ab, prediction.uv, prediction.lightness) if x is not None
    ]


@every_model
def test_shapes_are_those_of_the_contract(name, options):
    model = build(name, options).eval()
    contract = model.contract
    height, width = 2 * contract.size_divisor, 3 * contract.size_divisor
    prediction = model(torch.rand(2, 1, height, width) * 100, wishes(contract, 2, height, width))
    stride = contract.output_stride
    small = (height // stride, width // stride)
    assert contract.returns in ("distribution", "ab", "lightness")
    if contract.classes:
        classes = {"gamut": 313, "grid": 529}[contract.classes]
        coarse = contract.logits_stride or stride
        assert prediction.logits.shape == (2, classes, height // coarse, width // coarse)
    else:
        assert prediction.logits is None
    assert (contract.returns == "distribution") == (contract.classes != "" and prediction.ab is None)
    if contract.returns == "ab":
        assert prediction.ab.shape == (2, 2, *small) and prediction.ab.dtype == torch.float32
        assert prediction.ab.abs().max() < 200
        assert (prediction.uv is not None) == (contract.space == "uv")
    if contract.returns == "lightness":
        assert prediction.lightness.shape == (2, 1, *small)


@every_model
def test_every_parameter_that_can_learn_gets_a_gradient(name, options):
    model = build(name, options)
    contract = model.contract
    side = 2 * contract.size_divisor
    prediction = model(torch.rand(2, 1, side, side) * 100, wishes(contract, 2, side, side))
    sum((x.float() * torch.randn_like(x.float())).sum() for x in outputs(prediction)).backward()
    learns = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert learns and not [n for n, p in learns.items() if p.grad is None]
    assert all(p.grad.isfinite().all() for p in learns.values())


@every_model
def test_same_seed_same_network(name, options):
    one, two, other = (build(name, options, seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one)


@every_model
def test_absent_wishes_are_the_same_as_none(name, options):
    model = build(name, options).eval()
    side = 2 * model.contract.size_divisor
    lightness = torch.rand(1, 1, side, side) * 100
    nothing = {
        "hints": torch.zeros(1, 2, side, side),
        "mask": torch.zeros(1, 1, side, side),
        "histogram": torch.zeros(1, 313),
        "saturation": torch.full((1, 1), -1.0),
        "palette": torch.zeros(1, 5, 3),
    }
    takes = model.contract.takes | ({"mask"} if "hints" in model.contract.takes else set())
    with torch.no_grad():
        empty = model(lightness, Conditions(**{key: nothing[key] for key in takes}))
        for one, two in zip(outputs(model(lightness)), outputs(empty), strict=True):
            torch.testing.assert_close(one, two)


@every_model
def test_wrong_sizes_are_refused_in_one_line(name, options):
    model = build(name, options)
    divisor = model.contract.size_divisor
    if divisor > 1:
        with pytest.raises(ValueError, match="nearest valid size"):
            model(torch.zeros(1, 1, 2 * divisor + 1, 3 * divisor))
    with pytest.raises(ValueError, match=r"\(N, 1, H, W\)"):
        model(torch.zeros(1, 3, 2 * divisor, 2 * divisor))


@every_model
def test_saved_and_loaded_it_is_the_same_network(name, options, tmp_path):
    model = build(name, options).eval()
    save_model(tmp_path / "m.safetensors", model, {"working_size": 64})
    loaded = load_model(tmp_path / "m.safetensors")
    side = 2 * model.contract.size_divisor
    lightness = torch.rand(1, 1, side, side) * 100
    with torch.no_grad():
        for one, two in zip(outputs(model(lightness)), outputs(loaded(lightness)), strict=True):
            assert torch.equal(one, two)


@every_model
def test_any_size_of_photograph_is_coloured_with_its_own_lightness(name, options, tmp_path):
    model = build(name, options)
    save_model(tmp_path / "m.safetensors", model, {"working_size": 64})
    if model.contract.returns == "lightness":
        pytest.skip("restores grey pictures, colours none")
    colorizer = Colorizer(tmp_path / "m.safetensors")
    for shape in ((61, 83), (40, 130)):
        picture = torch.randint(0, 256, shape, dtype=torch.uint8).numpy()
        assert colorizer.colorize(picture).rgb8.shape == (*shape, 3)


@every_model
def test_bf16_and_folded_norms_predict_nearly_the_same(name, options):
    model = build(name, options)
    if model.contract.returns == "lightness":
        pytest.skip("restores grey pictures, colours none")
    plane = (torch.rand(64, 64) * 100).numpy()
    exact, half = (Predictor(model, "cpu", precision) for precision in ("fp32", "bf16"))
    results = [
        p.decode(p.predict([p.see(plane)]), [p.see(plane)], Settings())[0].ab[0] for p in (exact, half)
    ]
    assert abs(results[0] - results[1]).mean() < 2.0
