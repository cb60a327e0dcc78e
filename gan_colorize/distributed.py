"""One process or many, the same code: who this process is, what its share is, and how shares become one.

``torchrun`` starts the processes and tells each who it is (torch.distributed.run, "Environment Variables").
Without it every function here is what it is for a single process: all is its share, nothing is sent.
"""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")

# A process may scan a million photographs, or write a checkpoint to a slow disk, while the others wait.
PATIENCE = datetime.timedelta(hours=2)


class PeerLost(UserError):
    """Another process of the job is gone, so that nothing can be decided together any more."""


@dataclass(frozen=True)
class Group:
    """rank: of this process among ``world`` processes; local_rank, local_world: on this machine;
    restarts: how often torchrun has started the job anew."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    local_world: int = 1
    restarts: int = 0

    @property
    def main(self) -> bool:
        """Whether this process writes, logs and reports for all."""
        return self.rank == 0

    def share(self, items: Sequence[T]) -> list[T]:
        """Every ``world``-th item, beginning with this process's own; together the shares are all items."""
        return list(items[self.rank :: self.world])


SINGLE = Group()


def launched() -> Group:
    """Who torchrun says that this process is; :data:`SINGLE` without torchrun.

    Raises:
        UserError: some of torchrun's variables are there, others are not, or are no numbers.
    """
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return SINGLE
    try:
        rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        group = Group(
            rank,
            world,
            int(os.environ.get("LOCAL_RANK", rank)),
            int(os.environ.get("LOCAL_WORLD_SIZE", world)),
            int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0)),
        )
    except ValueError as error:
        raise UserError(f"RANK, WORLD_SIZE and LOCAL_RANK must be numbers: {error}") from error
    if world > 1 and "MASTER_ADDR" not in os.environ:
        raise UserError("WORLD_SIZE is set but MASTER_ADDR is not; start the processes with torchrun")
    return group


def own_device(name: str, group: Group) -> str:
    """What ``--device`` means for this process: on CUDA each process of a machine has a card of its own.

    Raises:
        UserError: more processes than cards, or one card named for several processes.
    """
    if group.world == 1 or not name.startswith("cuda"):
        if group.local_world > 1 and name == "mps":
            raise UserError("--device mps: one process only; add --device cpu for several")
        return name
    import torch

    if name != "cuda":
        raise UserError(f"--device {name}: names one card for {group.local_world} processes; use cuda")
    if group.local_world > torch.cuda.device_count():
        raise UserError(
            f"--device cuda: {group.local_world} processes on this machine but {torch.cuda.device_count()} "
            "card(s); lower --nproc_per_node, or use --device cpu"
        )
    return f"cuda:{group.local_rank}"


@contextmanager
def join(group: Group, device: str) -> Iterator[Group]:
    """Within the block this process can talk to the others; alone, nothing happens.

    Args:
        device: of this process; NCCL connects cards, gloo everything else. With CUDA both are there, for
            objects travel by gloo.
    """
    if group.world == 1:
        yield group
        return
    import torch
    from torch import distributed

    cuda = device.startswith("cuda")
    if cuda:
        torch.cuda.set_device(device)
    global _current
    _current = group
    with _peers():
        store, rank, world = next(distributed.rendezvous("env://", timeout=PATIENCE))
        # A job that torchrun starts anew meets the store of before (torch 2.15 does): under the same keys
        # it would find the addresses of processes that are gone.
        store = distributed.PrefixStore(f"start {group.restarts} of {world}", store)
        backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
        distributed.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=PATIENCE)
    try:
        yield group
    finally:
        _current = SINGLE
        distributed.destroy_process_group()


_current = SINGLE


def current() -> Group:
    """The group that was joined; :data:`SINGLE` outside."""
    return _current


def gather(value: T) -> list[T]:
    """The values of all processes, in the order of their ranks, on every process. Plain picklable things."""
    if _current.world == 1:
        return [value]
    from torch import distributed

    values: list[Any] = [None] * _current.world
    with _peers():
        distributed.all_gather_object(values, value)
    return values


def from_main(make: Callable[[], T]) -> T:
    """What ``make()`` returns on the main process, on every process; the others do not call it.

    Raises:
        UserError: on every process, when the main process raised one. What else it raises ends the others
            with a PeerLost.
    """
    if _current.world == 1:
        return make()
    from torch import distributed

    box: list[Any] = [None, None]
    if _current.main:
        try:
            box[0] = make()
        except UserError as error:
            box[1] = error
        except BaseException as error:
            box[1] = PeerLost(f"the main process has ended ({type(error).__name__})")
            distributed.broadcast_object_list(box)
            raise
    with _peers():
        distributed.broadcast_object_list(box)
    if box[1] is not None:
        raise _told(box[1], by_another=not _current.main)
    return box[0]


def in_turns(make: Callable[[bool], T]) -> T:
    """``make(True)`` in the first process of every machine, then ``make(False)`` in its others, which so find
    on the disk what the first has left there.

    Raises:
        UserError: on every process, when one of the first raised one.
    """
    if _current.world == 1:
        return make(True)
    first, made, failed = _current.local_rank == 0, None, None
    if first:
        try:
            made = make(True)
        except UserError as error:
            failed = error
    for failure in gather(failed):
        if failure is not None:
            raise _told(failure, by_another=failed is None)
    return made if first else make(False)


def mean(tensor: Tensor) -> Tensor:
    """The mean of the processes' tensors, on every process; a new tensor without gradient."""
    if _current.world == 1:
        return tensor.detach()
    from torch import distributed

    total = tensor.detach().clone()
    with _peers():
        distributed.all_reduce(total)
    return total / _current.world


def wait_for_all() -> None:
    """Return when every process has come here."""
    if _current.world > 1:
        gather(None)


def is_told_elsewhere(error: UserError) -> bool:
    """Whether another process of this job says this error, so that this one need not."""
    return getattr(error, "told_elsewhere", False)


def _told(error: UserError, by_another: bool) -> UserError:
    error.told_elsewhere = by_another
    return error


_TRANSPORT = re.compile("gloo|nccl|peer|connection|socket|process ?group|collective", re.IGNORECASE)


@contextmanager
def lost_peers_told() -> Iterator[None]:
    """Around work in which torch itself talks to the other processes.

    Raises:
        PeerLost: one of them is gone.
    """
    try:
        yield
    except RuntimeError as error:
        if _current.world == 1 or isinstance(error, UserError) or not _TRANSPORT.search(str(error)):
            raise
        with _peers():
            raise


@contextmanager
def _peers() -> Iterator[None]:
    """What the transport raises when another process is gone, as one line."""
    try:
        yield
    except RuntimeError as error:  # gloo raises it plainly, NCCL a subclass, timeouts too
        reason = str(error).strip().splitlines()[0]
        who = f"process {_current.rank} of {_current.world}"
        raise PeerLost(f"{who}: another one has ended or does not answer ({reason})") from error
