"""The network made ready for inference is the same function."""

import copy

import torch

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
        ready = ready_for_inference(network, CPU, dtype)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            results.append(ready(lightness, wishes).logits)
    assert torch.equal(*results)


def test_out_of_memory_is_told_from_other_errors():
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    assert is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"))
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("shape mismatch"))
    assert not is_out_of_memory(ValueError("out of memory"))
