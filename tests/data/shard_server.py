"""An HTTP server on this machine that behaves as badly as it is told to, and shards to put behind it."""

from __future__ import annotations

import io
import re
import tarfile
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from PIL import Image

from gan_colorize.data.shard_index import ShardIndex, index_shard


class ShardServer(ThreadingHTTPServer):
    """Serves a folder.

    faults: name of a file -> what to do at its next requests, one each: a status as a number; ("cut", n):
    end the connection after n bytes; ("stall", n): say nothing more after n bytes; ("drip", seconds): a byte
    at a time; ("wrong",): other bytes of the same number. An endless fault is the last of a list with None.
    ranges: whether it knows them. etag: of all files.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.ranges, self.etag = folder, True, '"1"'
        self.faults: dict[str, deque] = {}
        self.requests: Counter[str] = Counter()
        self.ranges_asked: list[str] = []
        self.authorization: list[str] = []
        self.bytes_sent = 0

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def fail(self, name: str, *faults: object) -> None:
        """What happens at the next requests for a file."""
        self.faults[name] = deque(faults)

    def always(self, name: str, fault: object) -> None:
        """What happens at every request for a file."""
        self.faults[name] = deque([fault, None])

    def next_fault(self, name: str) -> object:
        waiting = self.faults.get(name)
        if not waiting:
            return None
        return waiting[0] if waiting[-1] is None else waiting.popleft()


class _Handler(BaseHTTPRequestHandler):
    server: ShardServer

    def log_message(self, *arguments: object) -> None:
        """Not on the screen."""

    def do_GET(self) -> None:
        name = self.path.lstrip("/").partition("?")[0]
        self.server.requests[name] += 1
        if "Authorization" in self.headers:
            self.server.authorization.append(self.headers["Authorization"])
        path = self.server.folder / name
        fault = self.server.next_fault(name)
        if isinstance(fault, int) or not path.is_file():
            self.send_error(fault if isinstance(fault, int) else 404)
            return
        data, start = path.read_bytes(), 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = self.headers.get("If-Range", self.server.etag) == self.server.etag
        if asked:
            self.server.ranges_asked.append(asked[0])
        if asked and self.server.ranges and same:
            start = int(asked[1])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        body = data[start:]
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", self.server.etag)
        self.end_headers()
        kind, *rest = fault if isinstance(fault, tuple) else ("", 0)
        if kind == "wrong":
            body = bytes(255 - byte for byte in body)
        sent = body[: rest[0]] if kind in ("cut", "stall") else body
        try:
            if kind == "drip":
                for at in range(len(sent)):
                    self.wfile.write(sent[at : at + 1])
                    time.sleep(rest[0])
            else:
                self.wfile.write(sent)
            self.wfile.flush()
            self.server.bytes_sent += len(sent)
            if kind == "stall":
                time.sleep(3)
        except OSError:
            return  # the other side gave up
        self.close_connection = True


@contextmanager
def serving(folder: Path) -> Iterator[ShardServer]:
    """A server for the block."""
    server = ShardServer(folder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def write_shards(folder: Path, counts: list[int], size: int = 40, index: bool = True) -> list[str]:
    """Shards of flat pictures: picture i, counted over all shards, is (i mod 200, 200, 30); their names."""
    folder.mkdir(parents=True, exist_ok=True)
    names, number = [], 0
    whole = ShardIndex()
    for shard, count in enumerate(counts):
        name = f"train-{shard:06d}.tar"
        with tarfile.open(folder / name, "w") as archive:
            for _ in range(count):
                buffer = io.BytesIO()
                Image.fromarray(np.full((size, size, 3), (number % 200, 200, 30), np.uint8)).save(
                    buffer, "PNG"
                )
                info = tarfile.TarInfo(f"{number:06d}.png")
                info.size = len(buffer.getvalue())
                archive.addfile(info, io.BytesIO(buffer.getvalue()))
                number += 1
        names.append(name)
        whole.add(index_shard(folder / name, name))
    if index:
        whole.save(folder / "index.json")
    return names
