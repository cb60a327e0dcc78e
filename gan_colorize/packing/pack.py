"""Photographs into tar shards with an index: the same photographs and options, the same bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data.folder import ImageSource
from ..data.scan_pool import run_chunks
from ..errors import UserError
from .likeness import Known
from .photo import LeftOut, Packed, PackTask, pack_chunk
from .shard_writer import ShardWriter
from .state import PackState, ShardState, plan_of

_CHUNK = 16


@dataclass(frozen=True)
class PackOptions:
    """What decides the bytes of the shards.

    images_per_shard: a shard is full then; 0: when it has ``shard_megabytes``. short_side: pictures are made
    smaller until theirs is this. format: webp, jpg, or keep, which packs files as they are. quality: 1..100.
    min_colourfulness, min_side: of photographs that are packed, the side before it is made smaller.
    no_duplicates: leave out what is there already, see :mod:`.likeness`.
    """

    images_per_shard: int = 0
    shard_megabytes: float = 64.0
    short_side: int = 256
    format: str = "webp"
    quality: int = 90
    min_colourfulness: float = 0.0
    min_side: int = 16
    no_duplicates: bool = False


@dataclass
class PackResult:
    """shards, bytes, images: that were packed, those of an interrupted run included. left_out: how many of
    which kind."""

    shards: int
    bytes: int
    images: int
    left_out: Counter[str]


def pack(
    source: ImageSource,
    output: Path,
    options: PackOptions,
    *,
    workers: int = 0,
    resume: bool = False,
    step: Callable[[bool], None] = lambda failed: None,
) -> PackResult:
    """Write ``train-000000.tar`` ..., ``index.json`` and ``report.jsonl`` into ``output``.

    Photographs go in in random order, the same one every time: a folder holds what belongs together, and
    training mixes only a few shards at a time.

    Args:
        workers: processes that read and encode; 0 works in this one. They change no byte.
        resume: go on with a packing of the same photographs and options that was ended.
        step: called for each photograph; whether it could not be read.

    Raises:
        UserError: nothing can be packed, something is in the way, or the disk is full.
    """
    state = PackState(output, plan_of(options, source.fingerprint(), len(source)), resume)
    packing = _Packing(source, options, state)
    order = np.random.default_rng(0).permutation(len(source)).tolist()
    for _ in range(packing.done):
        step(False)
    task = PackTask(
        source,
        options.short_side,
        options.format,
        options.quality,
        options.min_colourfulness,
        options.min_side,
    )
    with closing(_in_order(task, order[packing.done :], workers)) as results, packing:
        for result in results:
            packing.take(result)
            step(isinstance(result, LeftOut) and result.kind == "unreadable")
        packing.end_shard()
    index = state.finish(packing.lines)
    images = sum(len(record) for record in index.records)
    return PackResult(len(index.records), sum(r.bytes for r in index.records), images, packing.left_out)


def _in_order(task: PackTask, numbers: list[int], workers: int) -> Iterator[Packed | LeftOut]:
    """The photographs as they come out of the processes, put back into their order."""
    chunks = [numbers[at : at + _CHUNK] for at in range(0, len(numbers), _CHUNK)]
    places = {chunk[0]: place for place, chunk in enumerate(chunks)}
    waiting: dict[int, list[Packed | LeftOut]] = {}
    # Chunks of a process that died come in pieces, one photograph each, which stand where their chunk did.
    homes = {number: places[chunk[0]] for chunk in chunks for number in chunk}
    following = 0
    with closing(run_chunks(pack_chunk, task, chunks, workers if len(chunks) > 1 else 0)) as results:
        for chunk, found in results:
            if found is None:
                found = [LeftOut(chunk[0], "unreadable", "the decoder crashed or ran out of memory")]
            waiting.setdefault(homes[chunk[0]], []).extend(found)
            while following < len(chunks) and len(waiting.get(following, ())) == len(chunks[following]):
                by_number = {result.number: result for result in waiting.pop(following)}
                yield from (by_number[number] for number in chunks[following])
                following += 1


class _Packing:
    """What goes on from one photograph to the next."""

    def __init__(self, source: ImageSource, options: PackOptions, state: PackState) -> None:
        self._source, self._options, self._state = source, options, state
        self._known = Known()
        self._shards = self.done = 0
        self.left_out: Counter[str] = Counter()
        self.lines: list[dict[str, Any]] = []
        self._fresh: list[tuple[int, Any]] = []
        self._writer: ShardWriter | None = None
        for shard in state.shards():
            self._shards, self.done = self._shards + 1, shard.done
            self.left_out.update(line["left_out"] for line in shard.lines if "left_out" in line)
            for number, one in shard.known:
                self._known.add(number, one)

    def __enter__(self) -> _Packing:
        return self

    def __exit__(self, *exception: Any) -> None:
        if self._writer is not None:
            self._writer.__exit__(*exception)

    def take(self, result: Packed | LeftOut) -> None:
        """The next photograph."""
        name = self._source.name(result.number)
        self.done += 1
        if isinstance(result, LeftOut):
            self._leave_out(name, result.kind, reason=result.reason)
            return
        if self._options.no_duplicates:
            found = self._known.find(result.likeness)
            if found is not None:
                self._leave_out(name, found[1], of=self._source.name(found[0]))
                return
            self._known.add(result.number, result.likeness)
            self._fresh.append((result.number, result.likeness))
        if self._writer is None:
            self._writer = ShardWriter(self._state.output, f"train-{self._shards:06d}.tar")
        member = f"{result.number:09d}{result.suffix}"
        self._writer.add(
            member, result.data, result.width, result.height, result.colourfulness, result.histogram
        )
        self.lines.append({"source": name, "shard": self._writer.record.name, "member": member})
        if self._is_full():
            self.end_shard()

    def _leave_out(self, name: str, kind: str, **more: str) -> None:
        self.left_out[kind] += 1
        self.lines.append({"source": name, "left_out": kind, **more})

    def _is_full(self) -> bool:
        if self._options.images_per_shard:
            return len(self._writer.record) >= self._options.images_per_shard
        return self._writer.record.bytes >= self._options.shard_megabytes * 1e6

    def end_shard(self) -> None:
        """Finish the shard under way, if there is one.

        Raises:
            UserError: all photographs are done and none was packed.
        """
        if self._writer is None:
            if not self._shards:
                self._state.discard()
                kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self.left_out.items()))
                raise UserError(f"none of the {self.done:,} photographs can be packed: {kinds}")
            return
        self._writer.finish()
        self._state.save(self._shards, ShardState(self.done, self._writer.index, self._fresh, self.lines))
        self._writer, self._shards = None, self._shards + 1
        self.lines, self._fresh = [], []
