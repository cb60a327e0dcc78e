"""What commands have to know of torchrun: joining the job, and who of its processes tells what."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..distributed import Group, PeerLost, is_told_elsewhere, join, launched, own_device
from ..errors import UserError

# Verbs whose work several processes share.
SHARED = ("train", "evaluate", "benchmark", "colorize", "denoise")
# Seconds after which an error that the main process has not had as well is this process's own.
_MAIN_FIRST = 3.0


@contextmanager
def joined(device: str, chosen_later: bool = False) -> Iterator[tuple[Group, str]]:
    """Within the block the processes of the job can talk to each other -> who this one is, and its device.

    Args:
        device: what ``--device`` says.
        chosen_later: a single process gets ``device`` as it is, and does not wait for torch yet.
    """
    group = launched()
    if group.world == 1 and chosen_later:
        yield group, device
        return
    from ..devices import choose_device

    own = own_device(choose_device(device), group)
    with join(group, own):
        yield group, own


def check_shared(verb: str) -> None:
    """Raise a UserError for a verb of one process in a job of several."""
    world = launched().world
    if world > 1 and verb not in SHARED:
        raise UserError(f"{verb}: runs in one process, and this job has {world}; start it without torchrun")


def prefix() -> str:
    """How lines of this process begin: those of the main one like those of a single one."""
    rank = _rank()
    return f"process {rank}: " if rank else ""


def tells(error: Exception) -> bool:
    """Whether this process prints an error that ends it. What every process finds, such as an option that is
    wrong, the main one tells; torchrun then ends the others while they wait here."""
    if not _rank():
        return True
    if isinstance(error, UserError) and is_told_elsewhere(error):
        return False
    if not isinstance(error, PeerLost):
        time.sleep(_MAIN_FIRST)
    return True


def linger(error: UserError) -> None:
    """Let the process whose own error this is be the first that ends: torchrun then ends the others, and
    tells why the first one did."""
    if isinstance(error, PeerLost):
        time.sleep(_MAIN_FIRST + 1.0)


def _rank() -> int:
    try:
        return launched().rank
    except UserError:
        return 0
