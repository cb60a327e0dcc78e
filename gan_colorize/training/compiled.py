"""Networks as code that torch.compile makes of them, while they learn."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ..distributed import current
from ..errors import one_line
from ..inference.ready import is_out_of_memory

_log = logging.getLogger(__name__)


class Compiled:
    """A method of a module, compiled; as it is where the compiler is missing or fails, which is told once.

    The module stays what it is: its parameters and buffers, their names, and copies of it know nothing of
    the code. Passes without gradient are few while a network learns, and are not compiled.

    Compilers translate a pass when it is first made, its backward half only when a gradient is first asked
    for: too late to go on without. So the first pass of every shape is rehearsed both ways; buffers and
    random numbers are put back as if nothing had been.
    """

    def __init__(self, module: nn.Module, plain: Callable[..., Any]) -> None:
        self.module, self.plain = module, plain
        self.wanted = True
        self._works = True
        self._rehearsed: set[tuple] = set()
        logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # that there is no CUDA
        # One size a phase: code for just that size is the quickest.
        self._code = torch.compile(plain, dynamic=False)

    def __call__(self, *arguments: Any) -> Any:
        if not (self.wanted and self._works and torch.is_grad_enabled()):
            return self.plain(*arguments)
        kind = self._kind(arguments)
        if kind not in self._rehearsed:
            failure = self._rehearse(arguments)
            if failure is not None:
                # Without the compiler first: what is wrong with the network or the batch shows there.
                result = self.plain(*arguments)
                self._works = False
                if current().main:
                    _log.warning("run.compile: training goes on without it: %s", one_line(failure)[:200])
                return result
            self._rehearsed.add(kind)
        return self._code(*arguments)

    def _kind(self, arguments: tuple) -> tuple:
        """What the code of a pass depends on."""
        learns = any(parameter.requires_grad for parameter in self.module.parameters())
        shapes = tuple((tuple(value.shape), value.requires_grad) for value in _tensors(arguments))
        return self.module.training, learns, shapes

    def _rehearse(self, arguments: tuple) -> Exception | None:
        """A pass there and back that leaves no trace -> why it failed, if it did.

        Gradients are asked for by ``autograd.grad``: whoever waits for those that parameters gather, as
        DistributedDataParallel does, hears nothing of it.
        """
        buffers = [(buffer, buffer.clone()) for buffer in self.module.buffers()]
        devices = {buffer.device for buffer, _ in buffers if buffer.device.type == "cuda"}
        try:
            with torch.random.fork_rng(devices=devices):
                outputs = [value for value in _tensors(self._code(*arguments)) if value.requires_grad]
                sources = [*_tensors(arguments), *self.module.parameters()]
                sources = [source for source in sources if source.requires_grad]
                tangents = [torch.zeros_like(output) for output in outputs]
                torch.autograd.grad(outputs, sources, tangents, allow_unused=True)
            return None
        except Exception as error:  # compilers fail in more ways than have a name
            if is_out_of_memory(error):
                raise
            return error
        finally:
            with torch.no_grad():
                for buffer, before in buffers:
                    buffer.copy_(before)


def _tensors(value: Any) -> Iterator[Tensor]:
    """Those in nested sequences and in dataclasses such as Conditions and Prediction."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)
    elif hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            yield from _tensors(getattr(value, name))
