"""An index for shards that exist already, whoever packed them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from ..data.scan_pool import run_chunks
from ..data.shard_index import INDEX_NAME, ShardIndex, index_shard
from ..data.shards import expand_shards
from ..errors import UserError


def find_shards(paths: Sequence[Path | str]) -> list[Path]:
    """The ``.tar`` files that paths, brace patterns and folders name; all in one folder.

    Raises:
        UserError: none, not all in one folder, or an index is there already.
    """
    shards: list[Path] = []
    for path in paths:
        folder = Path(path)
        if folder.is_dir():
            shards += sorted(folder.glob("*.tar"))
        else:
            shards += [folder] if folder.exists() else expand_shards(str(path))
    if not shards:
        raise UserError(f"{paths[0]}: no .tar shards in this folder")
    folders = {shard.parent.resolve() for shard in shards}
    if len(folders) > 1:
        raise UserError(
            f"{shards[-1]}: the shards of one index lie in one folder; index each folder by itself"
        )
    for shard in shards:
        if not shard.is_file():
            raise UserError(f"{shard}: no such file")
    index = shards[0].parent / INDEX_NAME
    if index.exists():
        raise UserError(f"{index}: is there already; delete it to make it anew")
    return shards


def index_shards(shards: Sequence[Path], workers: int, step: Callable[[], None] = lambda: None) -> ShardIndex:
    """Look at every image of some shards and write the index beside them.

    Raises:
        UserError: one cannot be read, or holds no image, or the disk is full.
    """
    found: dict[int, ShardIndex] = {}
    chunks = [[number] for number in range(len(shards))]
    with closing(run_chunks(_index, list(shards), chunks, workers if len(shards) > 1 else 0)) as results:
        for chunk, index in results:
            if index is None:
                raise UserError(f"{shards[chunk[0]]}: the decoder crashed or ran out of memory")
            found[chunk[0]] = index
            step()
    whole = ShardIndex()
    for number in sorted(found):
        whole.add(found[number])
    if not any(len(record) for record in whole.records):
        raise UserError(f"{shards[0]}: no images in {len(shards)} shard(s)")
    whole.save(shards[0].parent / INDEX_NAME)
    return whole


def _index(shards: list[Path], chunk: list[int]) -> ShardIndex:
    shard = shards[chunk[0]]
    return index_shard(shard, shard.name)
