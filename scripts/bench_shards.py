"""Training images from shards: how many a second, against what training takes.

    python scripts/bench_shards.py --data FOLDER [--measure-trainer configs/flagship.yaml] [--crop-size 96]

Packs the photographs into shards in a temporary folder, then draws crops from them as training does, decoded
anew each time, with no pixel cache: where they lie (``file:``), from a local HTTP server into an empty cache
(``http, first epoch``), and from the cache (``http, later``). With --measure-trainer the training loop runs
in turns with it, in the same process. The ratio of medians is the figure to quote: machines are noisy, and
other programs take the same from both.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from gan_colorize.config import Phase, load_config
from gan_colorize.data.folder import ImageSource, open_source
from gan_colorize.data.loader import TrainingStream
from gan_colorize.data.scan import Scan
from gan_colorize.data.sharded import scan_all
from gan_colorize.packing.pack import PackOptions, pack

# Of what the trainer takes: room for a faster network, and for cores that others use.
WANTED = 1.5
# Images a second that training with configs/flagship.yaml takes at 96 px on the two cores it was made on.
TRAINER = 102.0


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Not on the screen."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of a server of ``folder`` for the block."""
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def stream(source: ImageSource, scan: Scan, options: argparse.Namespace, number: int = 0) -> Iterator:
    """Batches as training draws them."""
    return iter(
        TrainingStream(
            source,
            scan,
            batch_size=options.batch_size,
            crop_size=options.crop_size,
            lanes=options.lanes,
            seed=number,
            workers=options.workers,
        )
    )


def rate(batches: Iterator, options: argparse.Namespace) -> float:
    """Images a second over ``--images`` of them."""
    count = max(1, options.images // options.batch_size)
    began = time.perf_counter()
    for _ in range(count):
        next(batches)
    return count * options.batch_size / (time.perf_counter() - began)


def trainer(options: argparse.Namespace) -> float:
    """Images a second of the training loop, data from its pixel cache, as scripts/bench_train.py measures."""
    import bench_train

    from gan_colorize.training.setup import prepare_data

    config = load_config(options.measure_trainer)
    steps = options.trainer_steps
    config.phases = [
        Phase("generator", (steps + 3) * options.batch_size, options.crop_size, options.batch_size)
    ]
    config.model.pretrained_encoder = False
    config.run.validate_every = config.run.checkpoint_every = 10**9
    with tempfile.TemporaryDirectory() as folder:
        data = prepare_data(config, [options.data], [], Path(folder), print, lambda done, total: None)
    return 1 / bench_train.whole(config, data, steps)


def main() -> int:
    """Parse, pack, run in turns, print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--measure-trainer", type=Path, metavar="CONFIG")
    parser.add_argument("--trainer-steps", type=int, default=20)
    parser.add_argument("--crop-size", type=int, default=96)
    parser.add_argument("--short-side", type=int, default=256, help="of the packed photographs")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--images", type=int, default=1000, help="drawn in each measurement")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--lanes", type=int, default=8)
    parser.add_argument("--workers", type=int, default=0)
    options = parser.parse_args()
    rates: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root, "shards")
        os.environ["GAN_COLORIZE_CACHE"] = str(Path(root, "cache"))
        result = pack(
            open_source(options.data),
            folder,
            PackOptions(short_side=options.short_side, shard_megabytes=2.0),
            workers=os.cpu_count() or 1,
        )
        print(f"{result.images:,} images in {result.shards} shards, {result.bytes / 1e6:.1f} MB")
        pattern = f"train-{{000000..{result.shards - 1:06d}}}.tar"
        with serving(folder) as address:
            places = {"file": f"file:{folder}/{pattern}", "http": f"{address}/{pattern}"}
            short_side = round(options.crop_size / 0.5)  # as data.min_scale has it
            opened = {}
            for name, place in places.items():
                source = open_source(place)
                scan = scan_all(
                    source, min_colourfulness=0, short_side=short_side, cache_gigabytes=0.0, workers=0
                )
                opened[name] = source, scan
            for repeat in range(options.repeats):
                rates.setdefault("file:", []).append(rate(stream(*opened["file"], options, repeat), options))
                shutil.rmtree(opened["http"][0].cache.folder, ignore_errors=True)
                batches = stream(*opened["http"], options, repeat)
                rates.setdefault("http, first epoch", []).append(rate(batches, options))
                rates.setdefault("http, later", []).append(rate(batches, options))
                if options.measure_trainer:
                    rates.setdefault("trainer", []).append(trainer(options))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    takes = medians.pop("trainer", TRAINER)
    how = "measured now" if options.measure_trainer else "measured once, at 96 px"
    print(f"the trainer takes {takes:.0f} images/s ({how})")
    for name, median in medians.items():
        print(f"{name:18s} {median:7.0f} images/s, {median / takes:.2f} of what the trainer takes")
    worst = min(medians.values()) / takes
    print(f"ratio {worst:.2f} (wanted: {WANTED} or more)")
    return 0 if worst >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
