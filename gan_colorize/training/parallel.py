"""A network that learns in many processes: each computes its part of the batch, gradients are averaged."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn

from ..distributed import current
from .compiled import Compiled

# Buffers are equal as they are: statistics of batches are taken over all processes, and spectral norms follow
# from the weights. (torch 2.14 renamed the option.)
_OPTIONS = inspect.signature(nn.parallel.DistributedDataParallel).parameters
_SENDS_NO_BUFFERS = {
    "forward_sync_buffers" if "forward_sync_buffers" in _OPTIONS else "broadcast_buffers": False
}


class Parallel:
    """Calls a method of a module so that gradients of its parameters are the mean over all processes.

    With one process it is that method. With many it goes through torch's DistributedDataParallel: the
    parameters are the main process's from the start, and gradients travel while the backward pass goes on.

    compiled: let torch.compile make code of the method, within what the processes share.

    ``alone`` is the method without the other processes: for passes whose gradients are none of theirs.
    """

    def __init__(self, module: nn.Module, method: str = "forward", compiled: bool = False) -> None:
        self.module, self.wrapped = module, None
        plain = _method(module, method)
        self.alone: Callable[..., Any] = Compiled(module, plain) if compiled else plain
        if current().world > 1:
            self.wrapped = nn.parallel.DistributedDataParallel(
                _Method(module, self.alone),
                gradient_as_bucket_view=True,
                **_SENDS_NO_BUFFERS,
            )
        self.call: Callable[..., Any] = self.wrapped or self.alone

    def __call__(self, *arguments: Any) -> Any:
        return self.call(*arguments)

    def keeps_gradients(self) -> AbstractContextManager:
        """Within it calls and their backward passes add to this process's gradients and send nothing; the
        next backward pass outside sends the sums."""
        return nullcontext() if self.wrapped is None else self.wrapped.no_sync()

    def may_be_compiled(self, may: bool) -> None:
        """Whether the next passes may run as compiled code, which cannot be differentiated twice."""
        if isinstance(self.alone, Compiled):
            self.alone.wanted = may


def _method(module: nn.Module, name: str) -> Callable[..., Any]:
    # not module.forward, which goes past hooks
    return module if name == "forward" else getattr(module, name)


class _Method(nn.Module):
    """The module whose forward is another module's method, for those who call nothing but forward."""

    def __init__(self, module: nn.Module, call: Callable[..., Any]) -> None:
        super().__init__()
        self.module = module
        self._call = (call,)  # not an attribute that is a module: its parameters would have two names

    def forward(self, *arguments: Any) -> Any:
        return self._call[0](*arguments)


@torch.no_grad()
def equalise(module: nn.Module) -> None:
    """Give every process the main process's parameters and buffers."""
    if current().world == 1:
        return
    from torch import distributed

    for value in module.state_dict().values():
        distributed.broadcast(value, 0)
