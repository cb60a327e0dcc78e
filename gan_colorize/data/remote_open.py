"""Opening shards by their address: their index is read, or made of what is fetched once."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..files import atomic_path, cache_dir
from ..offline import check_online, is_offline
from .download import Unavailable, download
from .remote import RemoteSource
from .scan_pool import run_chunks
from .shard_cache import RemoteShard, ShardCache
from .shard_index import INDEX_NAME, ShardIndex, ShardRecord, chosen, index_shard, parse_index
from .urls import base_name, beside, expand, local_path, shown

_log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
GIGABYTES = 20.0  # the default of data.shard_cache_gigabytes


def open_remote(
    pattern: str, *, gigabytes: float = GIGABYTES, workers: int = 0, progress: Progress | None = None
) -> RemoteSource:
    """The images of the shards that a WebDataset pattern of addresses names.

    Args:
        gigabytes: the most that shards take on this machine's disk.
        workers: processes that look at shards which no index knows; 0 looks in this one.
        progress: called with (shards looked at, shards to look at) then.

    Raises:
        UserError: none of the shards can be had, or the index is damaged.
    """
    urls = expand(pattern)
    cache = ShardCache(cache_dir() / "shards", gigabytes)
    cache.forget_failures()
    whole, unknown = _known(urls, cache)
    missing: list[tuple[str, str]] = []
    if unknown:
        _log.warning(
            "%s: no %s tells what is in %d of %d shard(s); each is fetched once to see "
            "(gan-colorize pack --index-only makes that file)",
            shown(urls[0]),
            INDEX_NAME,
            len(unknown),
            len(urls),
        )
        missing = _measure(unknown, whole, cache, workers, progress)
    records = [whole[url] for url in urls if url in whole]
    if not records:
        reason = f"; the last: {missing[-1][0]}: {missing[-1][1]}" if missing else ""
        raise UserError(f"{shown(pattern)}: none of the {len(urls)} shard(s) can be had{reason}")
    index = ShardIndex()
    counted: set[int] = set()
    for found in records:
        index.records.append(found.record)
        if id(found.spread) not in counted:  # one index, and its histograms, serve many shards
            counted.add(id(found.spread))
            index.histograms = index.histograms + found.spread.histograms
    source = RemoteSource([url for url in urls if url in whole], index, cache)
    source.missing = missing
    return source


@dataclass(frozen=True)
class _Known:
    """What is known of one shard, and the index whose histograms count it."""

    record: ShardRecord
    spread: ShardIndex


def _known(urls: list[str], cache: ShardCache) -> tuple[dict[str, _Known], list[str]]:
    """By the index files beside the shards: what is known of which, and the others."""
    folders: dict[str | None, list[str]] = {}
    for url in urls:
        folders.setdefault(beside(url, INDEX_NAME), []).append(url)
    known: dict[str, _Known] = {}
    for address, members in folders.items():
        index = None if address is None else _fetch_index(address, cache)
        if index is None:
            continue
        records, _ = chosen(index, [base_name(url) for url in members])
        by_name = {record.name: record for record in records}
        for url in members:
            if base_name(url) in by_name:
                known[url] = _Known(by_name[base_name(url)], index)
    return known, [url for url in urls if url not in known]


def _fetch_index(address: str, cache: ShardCache) -> ShardIndex | None:
    """None when there is none."""
    path = local_path(address)
    if path is not None:
        return parse_index(path.read_bytes(), address) if path.is_file() else None
    kept = stored_look(address)
    if is_offline():
        if not kept.is_file():
            check_online(shown(address))
        return parse_index(kept.read_bytes(), str(kept))
    try:
        with atomic_path(kept) as temporary:
            download(address, temporary)
            return parse_index(temporary.read_bytes(), shown(address))
    except Unavailable as error:
        if not error.final:
            raise
        return None


def _measure(
    urls: list[str],
    known: dict[str, _Known],
    cache: ShardCache,
    workers: int,
    progress: Progress | None,
) -> list[tuple[str, str]]:
    """Look at shards that no index knows, as ``known`` then does; (shard, reason) of those that fail."""
    missing: list[tuple[str, str]] = []
    chunks = [[number] for number in range(len(urls))]
    context = (cache, urls)
    with closing(run_chunks(measure_shards, context, chunks, workers if len(urls) > 1 else 0)) as results:
        for done, (chunk, result) in enumerate(results, 1):
            url = urls[chunk[0]]
            if isinstance(result, ShardIndex):
                known[url] = _Known(result.records[0], result)
            else:
                missing.append((shown(url), result or "the decoder crashed or ran out of memory"))
            if progress is not None:
                progress(done, len(urls))
    return sorted(missing)


def measure_shards(context: tuple[ShardCache, list[str]], chunk: list[int]) -> ShardIndex | str:
    """What is in a shard, from an earlier look or by fetching it; a text says why that cannot be known."""
    cache, urls = context
    url = urls[chunk[0]]
    stored = stored_look(url)
    with suppress(OSError, UserError):
        return parse_index(stored.read_bytes(), str(stored))
    shard = RemoteShard(url)
    index = None
    while index is None:
        try:
            path = local_path(url) or cache.fetch(shard)
            index = index_shard(path, base_name(url))
        except Unavailable as error:
            return error.reason
        except FileNotFoundError as error:
            if local_path(url) is not None:
                return error.strerror or str(error)
            # The cache is small, and another process needed the room: once more.
        except (UserError, OSError) as error:
            return str(error)
    record = index.records[0]
    if local_path(url) is None:
        with suppress(OSError):  # another run moved it
            path.replace(cache.path(RemoteShard(url, record.bytes, record.sha256)))
        try:
            index.save(stored)
        except UserError as error:  # the next run fetches again
            _log.warning("%s", error)
    return index


def stored_look(url: str) -> Path:
    """Where what was seen in a shard without index is kept, and an index for when there is no network."""
    return cache_dir() / "shard_indexes" / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.json"
