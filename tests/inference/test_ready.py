"""The network made ready for inference is the same function."""

import copy

import pytest
import torch

from gan_colorize.inference import packed
from gan_colorize.inference.ready import is_out_of_memory, ready_for_inference
from gan_colorize.models import Conditions, create_model

CPU = torch.device("cpu")


def test_folded_network_is_the_same_function(network):
    before = copy.deepcopy(network.state_dict())
    ready = ready_for_inference(network, CPU, torch.float32)
    lightness = torch.rand(1, 1, 64, 96) * 100
    with torch.no_grad():
        expected, got = network(lightness).logits, ready(lightness).logits
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in ready.modules())
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]), "the caller's network was changed"


def test_weights_converted_once_give_the_same_bits_as_autocast():
    torch.manual_seed(0)
    options = {"encoder_widths": [8] * 5, "decoder_widths": [16, 8, 8, 8], "attention_heads": 2}
    network = create_model("unet", options).eval()
    torch.nn.init.normal_(network.attention.project.weight)
    lightness, wishes = torch.rand(2, 1, 64, 96) * 100, Conditions(saturation=torch.tensor([[0.3], [-1.0]]))
    torch.nn.init.normal_(network.saturation[-1].weight)
    results = []
    for dtype in (torch.float32, torch.bfloat16):
        ready = ready_for_inference(network, CPU, dtype, joined=False)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            results.append(ready(lightness, wishes).logits)
    assert torch.equal(*results)


def random_network(options, name="unet"):
    """With norms, zero-initialised ones included, that are not the identity."""
    torch.manual_seed(1)
    network = create_model(name, options).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.2)
            module.running_mean.normal_(0.0, 0.2)
            module.running_var.uniform_(0.5, 1.5)
    return network


needs_joining = pytest.mark.skipif(
    not packed.usable(torch.float32), reason="this torch has no joined convolutions on this CPU"
)
DECODER = {"decoder_widths": [16, 8, 8, 8], "decoder_blocks": [1, 2, 0, 1]}
RESIDUAL = DECODER | {"encoder_widths": [8] * 5, "encoder_blocks": [0, 1, 2, 0, 1]}


@needs_joining
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("unet", RESIDUAL),
        ("unet", DECODER | {"encoder": "mobilenet_v2"}),
        ("unet", DECODER | {"encoder": "efficientnet_lite0"}),
        ("unet", DECODER | {"encoder": "efficientnet_b0"}),
        ("cic", {"width": 4}),
        ("user_guided", {"width": 4}),
        ("dahl", {"trunk": "vgg16_bn", "width": 4}),
        ("rbdn", {"width": 4, "trunk": 2, "kernel": 5}),
    ],
)
def test_joined_convolutions_are_the_same_function(name, options):
    network = random_network(options, name)
    ready = ready_for_inference(network, CPU, torch.float32)
    assert any(isinstance(module, packed.PackedConvolution) for module in ready.modules())
    for size in ((1, 1, 64, 96), (2, 1, 32, 64), (1, 1, 64, 96), (1, 1, 64, 96)):  # a size that comes again
        lightness = torch.rand(size) * 100
        with torch.inference_mode():
            expected, got = (net(lightness).decode(1.0) for net in (network, ready))
        torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-3 * expected.abs().max().item())


@needs_joining
def test_blocks_are_joined_to_the_last_layer():
    for options in (
        RESIDUAL,
        DECODER | {"encoder": "mobilenet_v2"},
        DECODER | {"encoder": "efficientnet_lite0"},
    ):
        network = random_network(options)
        ready = ready_for_inference(network, CPU, torch.float32)
        kinds = {type(module) for module in ready.modules()}
        assert not kinds & {torch.nn.Conv2d, torch.nn.BatchNorm2d, torch.nn.ReLU6, packed.ResidualBlock}
        inputs = {}
        # what a block adds to must still be there for the skips
        lightness = torch.rand(1, 1, 64, 64) * 100
        for number, stage in enumerate(ready.encoder.stages):
            stage.register_forward_hook(
                lambda module, given, out, n=number, kept=inputs: kept.update({n: (out, out.clone())})
            )
        with torch.inference_mode():
            ready(lightness)
        for out, copied in inputs.values():
            assert torch.equal(out, copied)


@needs_joining
def test_bf16_rounds_no_more_than_autocast_does():
    network = random_network(DECODER | {"encoder": "mobilenet_v2"})
    torch.nn.init.normal_(network.head.weight)
    lightness = torch.nn.functional.interpolate(
        torch.rand(2, 1, 8, 12) * 100, scale_factor=8.0, mode="bilinear"
    )
    with torch.inference_mode():
        exact = network(lightness).logits
        errors = []
        for joined in (False, True):
            ready = ready_for_inference(network, CPU, torch.bfloat16, joined=joined)
            with torch.autocast("cpu", torch.bfloat16):
                errors.append((ready(lightness).logits.float() - exact).square().mean().sqrt().item())
    assert 0 < errors[1] < 1.3 * errors[0]


@needs_joining
def test_few_sizes_have_their_weights_laid_out(monkeypatch):
    monkeypatch.setattr(packed, "_SIZES_KEPT", 2)
    layer = packed.PackedConvolution(torch.nn.Conv2d(3, 4, 3, padding=1).requires_grad_(False))
    with torch.inference_mode():
        layer(torch.rand(1, 3, 8, 8))
        assert not layer._packed  # it may never come again
        for side in (8, 8, 9, 9, 10, 10):
            assert layer(torch.rand(1, 3, side, side)).shape == (1, 4, side, side)
    assert [tuple(size) for size in layer._packed] == [(1, 3, 8, 8), (1, 3, 9, 9)]


def test_without_the_operations_the_network_stays_as_it_was(network, monkeypatch):
    monkeypatch.setattr(packed, "usable", lambda dtype: False)
    ready = ready_for_inference(network, CPU, torch.float32)
    assert not any(isinstance(module, packed.PackedConvolution) for module in ready.modules())


def test_operations_that_are_missing_are_noticed(monkeypatch):
    def missing(*arguments):
        raise AttributeError("no such operation")

    monkeypatch.setattr(packed.PackedConvolution, "plus", missing)
    assert packed.usable.__wrapped__(torch.float32) is False


def test_out_of_memory_is_told_from_other_errors():
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    assert is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"))
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("shape mismatch"))
    assert not is_out_of_memory(ValueError("out of memory"))
