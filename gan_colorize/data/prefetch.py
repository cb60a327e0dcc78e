"""Fetches shards in a background thread, so that whoever reads finds them there."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Sequence

from .download import Unavailable
from .shard_cache import RemoteShard, ShardCache

# Two at a time: one that stalls does not hold up the next, and a link is full with few.
_THREADS = 2


class Prefetcher:
    """A list of shards to fetch, worked off by daemon threads; those needed now come first."""

    def __init__(self, cache: ShardCache) -> None:
        self._cache = cache
        self._todo: deque[RemoteShard] = deque()
        self._known: deque[str] = deque(maxlen=4096)  # keys asked for lately
        self._wake = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._owner = os.getpid()

    def want(self, shards: Sequence[RemoteShard], urgent: bool) -> None:
        """Fetch these, those that are needed now before all others."""
        if self._owner != os.getpid():  # forked: the threads stayed with the parent
            self.__init__(self._cache)
        with self._wake:
            new = [shard for shard in shards if not self._cache.has(shard)]
            new = [shard for shard in new if urgent or shard.key not in self._known]
            if not new:
                return
            for shard in new:
                if shard in self._todo:
                    self._todo.remove(shard)
            if urgent:
                self._todo.extendleft(reversed(new))
            else:
                self._todo.extend(new)
            self._known.extend(shard.key for shard in new)
            while len(self._threads) < _THREADS:
                thread = threading.Thread(target=self._work, daemon=True, name="shards")
                self._threads.append(thread)
                thread.start()
            self._wake.notify_all()

    def _work(self) -> None:
        while True:
            with self._wake:
                while not self._todo:
                    self._wake.wait()
                shard = self._todo.popleft()
            try:
                # Another process may be at it; then there is better to do than to wait.
                self._cache.fetch(shard, wait=False)
            except Unavailable:
                continue  # whoever reads is told
