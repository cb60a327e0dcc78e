"""The network made ready for inference is the same function."""

import copy

import torch

from gan_colorize.inference.ready import is_out_of_memory, ready_for_inference

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


def test_out_of_memory_is_told_from_other_errors():
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    assert is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"))
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("shape mismatch"))
    assert not is_out_of_memory(ValueError("out of memory"))
