"""What runs a network: torch, torch with a compiled network, or onnxruntime."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import UserError, one_line
from ..models.contract import Conditions, Prediction
from ..zoo.checkpoint import load_model, resolve_model
from .ready import is_out_of_memory, ready_for_inference

RUNTIMES = ("torch", "onnx")


def load_network(model: str, runtime: str, device: str, precision: str) -> tuple[nn.Module, Path, str, str]:
    """The network of a --model value for a runtime, its file, and the device and precision it needs.

    Raises:
        UserError: the runtime cannot do what is asked, or no such model.
    """
    if runtime == "torch":
        if Path(model).suffix.lower() == ".onnx":
            raise UserError(f"--model {model}: torch does not run ONNX files; add --runtime onnx")
        path = resolve_model(model)
        return load_model(path), path, device, precision
    if device not in ("auto", "cpu"):
        raise UserError(f"--runtime onnx: runs on the CPU; leave --device {device} out")
    if precision not in ("auto", "fp32"):
        raise UserError(f"--runtime onnx: computes in float32; leave --precision {precision} out")
    from .onnx_network import load_for_onnx

    network, path = load_for_onnx(model)
    return network, path, "cpu", "fp32"


def compiled(
    model: nn.Module, device: torch.device, dtype: torch.dtype, say: Callable[[str], None]
) -> nn.Module:
    """A copy of ``model`` made ready for inference, which torch.compile turns into code of its own.

    That takes a minute or more when the first picture comes, which ``say`` is told. Where it does not work
    (on a machine without a C++ compiler) ``say`` is told that once, and the copy runs as it is.
    """
    say("compiling the network: the first photograph takes a minute or more")
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # that there is no CUDA
    # Without joined convolutions on the CPU: the compiler joins them in its own way.
    return _Compiled(ready_for_inference(model, device, dtype, joined=False), say)


class _Compiled(nn.Module):
    def __init__(self, network: nn.Module, say: Callable[[str], None]) -> None:
        super().__init__()
        self.contract, self.name, self.say = network.contract, network.name, say
        self.metadata = getattr(network, "metadata", {})
        self.bare = (network,)  # not a child: whoever makes this one ready must not take it apart
        # dynamic: folders hold photographs of many sizes, and each would be compiled anew
        self.code = torch.compile(network, dynamic=True)
        self.works = True

    def forward(self, lightness: Tensor, conditions: Conditions | None = None) -> Prediction:
        if self.works:
            try:
                return self.code(lightness, conditions)
            except Exception as error:  # compilers fail in more ways than have a name
                if is_out_of_memory(error):
                    raise
                # Without the compiler first: what is wrong with the network or the picture shows there.
                result = self.bare[0](lightness, conditions)
                if self.works:
                    self.works = False
                    self.say(f"the network runs without being compiled: {one_line(error)[:200]}")
                return result
        return self.bare[0](lightness, conditions)

    def __deepcopy__(self, memo: dict[int, Any]) -> _Compiled:
        return self
