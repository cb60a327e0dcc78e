"""Compiled networks answer as others do, also where there is no compiler."""

import pytest
import torch

from gan_colorize.errors import UserError
from gan_colorize.inference import runtimes
from gan_colorize.inference.predictor import Predictor

CPU = torch.device("cpu")


def test_without_a_compiler_the_network_runs_as_it_is(network, monkeypatch):
    def broken(module, dynamic):
        def run(*arguments):
            raise RuntimeError("no C++ compiler found\nand more lines")

        return run

    monkeypatch.setattr(torch, "compile", broken)
    said = []
    model = runtimes.compiled(network, CPU, torch.float32, said.append)
    lightness = torch.rand(1, 1, 64, 64) * 100
    with torch.no_grad():
        expected = network(lightness).logits
        for _ in range(2):
            torch.testing.assert_close(model(lightness).logits, expected, rtol=1e-4, atol=1e-3)
    assert len(said) == 2  # that it takes time, and once that it did not work
    assert "no C++ compiler found" in said[1]
    assert "\n" not in said[1]


def test_running_out_of_memory_is_no_broken_compiler(network, monkeypatch):
    def full(module, dynamic):
        def run(*arguments):
            raise torch.OutOfMemoryError("CUDA out of memory")

        return run

    monkeypatch.setattr(torch, "compile", full)
    model = runtimes.compiled(network, CPU, torch.float32, lambda line: None)
    with pytest.raises(torch.OutOfMemoryError):
        model(torch.rand(1, 1, 64, 64))


def test_what_torch_traces_is_the_network(network, monkeypatch):
    # The whole way through torch's tracer, without the minute that a C++ compiler takes.
    real = torch.compile
    monkeypatch.setattr(
        torch, "compile", lambda module, dynamic: real(module, dynamic=dynamic, backend="eager")
    )
    said = []
    model = runtimes.compiled(network, CPU, torch.float32, said.append)
    predictor = Predictor(model, "cpu", "fp32")
    with torch.inference_mode():
        for side in (64, 96):
            lightness = torch.rand(2, 1, side, 64) * 100
            expected = network(lightness).logits
            torch.testing.assert_close(predictor.model(lightness).logits, expected, rtol=1e-4, atol=1e-3)
    assert len(said) == 1


def test_a_runtime_says_what_it_cannot_do():
    with pytest.raises(UserError, match="--runtime onnx: runs on the CPU"):
        runtimes.load_network("default", "onnx", "cuda", "auto")
    with pytest.raises(UserError, match="--runtime onnx: computes in float32"):
        runtimes.load_network("default", "onnx", "auto", "bf16")
    with pytest.raises(UserError, match="add --runtime onnx"):
        runtimes.load_network("m.onnx", "torch", "auto", "auto")
