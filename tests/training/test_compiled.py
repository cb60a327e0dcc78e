"""run.compile: the same training as without, by other code; and without a compiler, by the same code."""

import functools
import logging
import shutil

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from gan_colorize.config import load_config
from gan_colorize.errors import UserError
from gan_colorize.models.contract import Conditions, Prediction
from gan_colorize.training.compiled import Compiled
from gan_colorize.training.loop import train
from gan_colorize.training.setup import prepare_data


class Small(nn.Module):
    """With all that a rehearsal could leave behind: statistics, a power iteration, random numbers."""

    def __init__(self):
        super().__init__()
        self.first = spectral_norm(nn.Conv2d(1, 4, 3, padding=1))
        self.norm = nn.BatchNorm2d(4)
        self.last = nn.Conv2d(4, 2, 1)

    def forward(self, lightness, conditions=None):
        x = self.norm(self.first(lightness / 50.0 - 1.0))
        if conditions is not None and conditions.mask is not None:
            x = x + conditions.mask
        return Prediction(ab=self.last(torch.relu(x) * torch.rand_like(x)))


def small():
    torch.manual_seed(0)
    return Small(), torch.rand(2, 1, 8, 8) * 100, Conditions(mask=torch.ones(2, 1, 8, 8))


def learn(module, call, lightness, conditions):
    """Gradients, buffers and the next random number after a step."""
    torch.manual_seed(1)
    call(lightness, conditions).ab.square().mean().backward()
    gradients = [parameter.grad for parameter in module.parameters()]
    return gradients, [buffer.clone() for buffer in module.buffers()], torch.rand(1)


def graphs_only(monkeypatch):
    """What the compiler makes graphs of and torch differentiates, without waiting for machine code."""
    backend = functools.partial(torch.compile, backend="aot_eager")
    monkeypatch.setattr(torch, "compile", backend)


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_compiled_code_learns_the_same_and_a_rehearsal_leaves_no_trace(monkeypatch):
    graphs_only(monkeypatch)
    plain, *given = small()
    wanted = learn(plain, plain, *given)
    module, *given = small()
    names = list(module.state_dict())
    call = Compiled(module, module)
    found = learn(module, call, *given)
    for one, other in zip(wanted, found, strict=True):
        assert_same(one, other)
    assert list(module.state_dict()) == names
    assert module.norm.num_batches_tracked == 1


def test_other_shapes_are_rehearsed_too(monkeypatch):
    graphs_only(monkeypatch)
    module, _, _ = small()
    call = Compiled(module, module)
    for side in (8, 16, 8):
        assert call(torch.rand(2, 1, side, side), None).ab.shape == (2, 2, side, side)
    assert len(call._rehearsed) == 2
    assert module.norm.num_batches_tracked == 3


@pytest.mark.skipif(
    shutil.which("g++") is None and shutil.which("clang++") is None, reason="torch compiles with g++ or clang"
)
def test_machine_code_learns_the_same():
    torch.compiler.reset()
    module, _, _ = small()
    call, said = Compiled(module, module.norm), []
    x = torch.rand(2, 4, 8, 8)
    wanted = torch.nn.functional.batch_norm(x, None, None, training=True)
    logging.getLogger("gan_colorize").addHandler(handler := _Keeps(said))
    try:
        torch.testing.assert_close(call(x), wanted, rtol=1e-4, atol=1e-4)
    finally:
        logging.getLogger("gan_colorize").removeHandler(handler)
    assert said == []  # it was compiled, and not given up


class _Keeps(logging.Handler):
    def __init__(self, lines):
        super().__init__()
        self.lines = lines

    def emit(self, record):
        self.lines.append(record.getMessage())


def test_without_a_compiler_training_goes_on_and_says_so_once(monkeypatch, caplog):
    torch.compiler.reset()
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("no-such-compiler",))
    monkeypatch.setattr("torch._inductor.config.force_disable_caches", True)
    plain, *given = small()
    wanted = learn(plain, plain, *given)
    module, *given = small()
    call = Compiled(module, module)
    with caplog.at_level(logging.WARNING, logger="gan_colorize"):
        found = learn(module, call, *given)
        call(*given)
    for one, other in zip(wanted, found, strict=True):
        assert_same(one, other)
    lines = [record.getMessage() for record in caplog.records if "run.compile" in record.getMessage()]
    assert len(lines) == 1 and "\n" not in lines[0]


def test_a_backward_pass_that_cannot_be_compiled_is_noticed_before_it_is_needed(monkeypatch, caplog):
    """The backward half is translated when the first gradient is asked for."""
    from torch._dynamo.backends.common import aot_autograd
    from torch._functorch.aot_autograd import make_boxed_func

    def forward(graph, inputs):
        return make_boxed_func(graph.forward)

    def backward(graph, inputs):
        raise ValueError("no code for this")

    backend = aot_autograd(fw_compiler=forward, bw_compiler=backward)
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))
    module, *given = small()
    call = Compiled(module, module)
    with caplog.at_level(logging.WARNING, logger="gan_colorize"):
        gradients, _, _ = learn(module, call, *given)
    assert all(gradient is not None for gradient in gradients)
    assert module.norm.num_batches_tracked == 1
    assert "no code for this" in caplog.text


def test_what_is_wrong_with_a_batch_is_not_blamed_on_the_compiler(monkeypatch, caplog):
    graphs_only(monkeypatch)
    module, _, _ = small()
    with pytest.raises(RuntimeError, match="channels"):
        Compiled(module, module)(torch.rand(2, 3, 8, 8))
    assert "run.compile" not in caplog.text


def test_runs_resume_with_and_without(monkeypatch, tmp_path, tiny_overrides, pictures):
    """Half of a run compiled, the other half not: the run that was never compiled."""
    graphs_only(monkeypatch)
    ends = {}
    for name, halves in (("plain", (False, False)), ("mixed", (True, False)), ("other", (False, True))):
        folder = tmp_path / name
        folder.mkdir()
        for resume, compiled in zip((False, True), halves, strict=True):
            config = load_config((), tiny_overrides)
            config.run.compile = compiled
            config.phases = [config.phases[0], config.phases[2]]
            for phase in config.phases:
                phase.images = 4
            if not resume:  # ends as a run that was cut: only its first phase is done
                config.phases = config.phases[:1]
                config.phases[0].final_rate = config.phases[0].learning_rate
            else:
                config.phases[0].final_rate = config.phases[0].learning_rate
            data = prepare_data(config, [pictures], [], folder, lambda *_: None, lambda *_: None)
            assert train(config, data, folder, "cpu", resume, None)
        ends[name] = torch.load(folder / "last" / "state.pt", weights_only=True)
    for name in ("mixed", "other"):
        for player in ("generator", "discriminator"):
            assert list(ends[name][player]) == list(ends["plain"][player])
            for key, value in ends["plain"][player].items():
                torch.testing.assert_close(ends[name][player][key], value, rtol=1e-3, atol=1e-4)


def test_networks_of_the_palette_task_are_not_compiled():
    with pytest.raises(UserError, match=r"run\.compile"):
        load_config((), ["task=palette", "run.compile=true"])
