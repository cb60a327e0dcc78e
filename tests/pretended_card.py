"""A card that is not there: tensors that say they are on "cuda" and are computed on the CPU.

Every operation is checked as torch would check it on a card: tensors of two places do not meet, and nothing
on the card becomes a numpy array or is written into a tensor on the CPU but by a copy. Values are real, so
code whose shapes depend on them runs as well; kernels of the card, its memory and its arithmetic are not
tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

CARD = torch.device("cuda", 0)
_ATEN = torch.ops.aten
# What takes tensors of two places on a real card.
_CROSSES = {_ATEN.copy_, _ATEN._to_copy, _ATEN._local_scalar_dense, _ATEN.set_data}
# Cards read indices from the CPU, and the CPU none from a card.
_INDEXED = {_ATEN.index, _ATEN.index_put_, _ATEN.index_put, _ATEN._index_put_impl_}


class OnCard(Tensor):
    """A tensor of the card; ``held`` has its values."""

    held: Tensor

    @staticmethod
    def __new__(cls, real: Tensor) -> OnCard:
        place = torch.empty_strided(real.shape, real.stride(), dtype=real.dtype, device="meta")
        made = Tensor._make_subclass(cls, place, real.requires_grad)
        made.held = real.detach()
        return made

    # To torch's own code it is a tensor without memory, "meta": for "cuda" that would look for a driver.
    device = property(lambda self: CARD)
    is_cuda = property(lambda self: True)
    is_meta = property(lambda self: False)

    def __repr__(self, **_: Any) -> str:
        return f"OnCard({tuple(self.shape)}, {self.dtype})"

    def numpy(self, **_: Any) -> None:
        raise TypeError("can't convert a tensor of the card to numpy; use .cpu() first")

    def __array__(self, *_: Any) -> None:
        self.numpy()

    def new_tensor(self, data: Any, dtype: torch.dtype | None = None, **_: Any) -> Tensor:
        return torch.tensor(data, dtype=dtype or self.dtype, device=CARD)

    def __getitem__(self, places: Any) -> Tensor:
        # torch would make a tensor of a list where it believes this one to be
        each = places if isinstance(places, tuple) else (places,)
        return super().__getitem__(tuple(torch.tensor(x) if isinstance(x, list) else x for x in each))

    def tolist(self) -> Any:
        return self.held.tolist()

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return run(function, args, kwargs or {})


def _place(value: Any) -> torch.device | None:
    return None if value is None else torch.device(value)


def run(function: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    """One operation of torch's, checked, on the values."""
    if function.has_kernel_for_dispatch_key(torch._C.DispatchKey.CompositeImplicitAutograd):
        with _Watching():  # inference mode hands on what is made of others
            return function.decompose(*args, **kwargs)
    packet = function.overloadpacket
    tensors = [x for x in pytree.tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
    if any(x.is_meta for x in tensors):
        raise NotImplementedError(f"{function}: torch has made a tensor without memory for this card")
    on_card = any(isinstance(x, OnCard) for x in tensors)
    wanted = _place(kwargs.get("device"))
    to_card = on_card if wanted is None else wanted.type in ("cuda", "meta")
    if not on_card and not to_card:
        return function(*args, **kwargs)
    if packet in _INDEXED:
        tensors = [args[0], *(x for x in args[2:3] if isinstance(x, Tensor) and x.ndim)]
        if not isinstance(args[0], OnCard):
            raise RuntimeError(f"{function}: a tensor on the CPU with indices on the card")
    if packet not in _CROSSES:
        apart = [tuple(x.shape) for x in tensors if not isinstance(x, OnCard) and x.ndim > 0]
        if on_card and apart:
            raise RuntimeError(f"{function}: tensors of {apart} are on the CPU, others on the card")
    if packet is _ATEN.copy_:
        to_card = isinstance(args[0], OnCard)

    def bare(value: Any) -> Any:
        return value.held if isinstance(value, OnCard) else value

    if wanted is not None:
        kwargs = kwargs | {"device": torch.device("cpu"), "pin_memory": None}
        kwargs = {k: v for k, v in kwargs.items() if k != "pin_memory"}
    result = function(*pytree.tree_map(bare, args), **pytree.tree_map(bare, kwargs))
    written = {id(bare(x)): x for x in tensors if isinstance(x, OnCard)}

    def wrapped(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        return written.get(id(value)) if id(value) in written else (OnCard(value) if to_card else value)

    return pytree.tree_map(wrapped, result)


class _Generator(torch.Generator):
    """Of any device: the CPU's."""

    def __new__(cls, device: torch.device | str = "cpu") -> _Generator:
        return super().__new__(cls, "cpu")


class _Watching(TorchDispatchMode):
    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return run(function, args, kwargs or {})


@contextmanager
def pretended_card(monkeypatch: Any) -> Iterator[torch.device]:
    """Within the block "cuda" is the pretended card; a generator of numbers for it is the CPU's."""
    monkeypatch.setattr(torch, "Generator", _Generator)
    monkeypatch.setattr(torch.cuda, "_lazy_init", lambda: None)
    monkeypatch.setattr(Tensor, "pin_memory", lambda self: self)
    before = torch._C._only_lift_cpu_tensors()
    torch._C._set_only_lift_cpu_tensors(
        True
    )  # or torch.tensor(..., device="cuda") would look for a real card
    try:
        with _Watching(), torch.backends.cudnn.flags(enabled=False):
            yield CARD
    finally:
        torch._C._set_only_lift_cpu_tensors(before)
