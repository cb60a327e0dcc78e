"""Where and in which arithmetic: chosen by the hardware, refused in one line."""

import pytest
import torch

from gan_colorize.devices import choose_device, choose_dtype
from gan_colorize.errors import UserError

CPU = torch.device("cpu")


def test_choices(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False}, raising=False)
    assert choose_dtype("auto", CPU) is torch.float32
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)
    assert choose_dtype("auto", CPU) is torch.bfloat16
    assert choose_dtype("fp32", CPU) is torch.float32
    with pytest.raises(UserError, match="fp16"):
        choose_dtype("fp16", CPU)
    with pytest.raises(UserError, match="auto, fp32"):
        choose_dtype("fp8", CPU)


@pytest.mark.parametrize("name", ["abacus", "cuda:99", "meta"])
def test_a_device_that_is_not_there(name):
    with pytest.raises(UserError, match=f"--device {name}"):
        choose_device(name)
