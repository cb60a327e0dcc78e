"""What training on 1, 8, 64 and 512 cards should give: images/s, efficiency, and what limits it.

    python scripts/cost_model.py [--measured benchmarks/DATE-DEVICE.json] [--config configs/flagship-3.yaml]
    python scripts/cost_model.py --measure-link 2 > link.json
    python scripts/cost_model.py --check LINES.json --link link.json

The formulae and their sources are in _costs.py. Bytes and messages of a step are counted from the networks of
the config. The time of a step on one card is measured (--measured FILE), else on the CPU that
is named below, which says nothing of a card. Links, storage and cores are assumptions, each an option.

Weak scaling keeps the images a card, strong scaling the images a step. Efficiency is against as many cards
that know nothing of each other and never wait. Prints Markdown.

--check compares the model with what bench_processes.py measured (its line of JSON for train or train_both):
the step of processes that know nothing of each other, plus what the model says that sending takes on the link
that --measure-link found between processes of this machine, against their step together. Nothing is fitted to
what is predicted.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import _costs
from _costs import Cluster, Compute, Feeding, Link, Pauses, Traffic

from gan_colorize.config import Config, load_config

ROOT = Path(__file__).resolve().parents[1]
COUNTS = (1, 8, 64, 512)

# Without --measured. Two cores of a server CPU with bf16, torch 2.15, configs/flagship.yaml: the pace that
# bench_train.py (96 px) and bench_shards.py --measure-trainer (128 px) found.
CPU_RUN: dict[str, Any] = {
    "device": "two cores of a server CPU (no card has been measured)",
    "records": [
        {"what": "training", "train": "generator", "crop": 96, "batch": 32, "seconds": 32 / 102},
        {"what": "training", "train": "generator", "crop": 128, "batch": 32, "seconds": 32 / 66},
    ],
}


def counted(config: Config, train: str) -> tuple[Traffic, int]:
    """What a step sends, and the bytes of a checkpoint, by building the networks and looking at one pass."""
    import torch

    from gan_colorize.models import create_discriminator, create_model

    with torch.device("meta"):
        generator = create_model(config.model.name, config.model.options)
        discriminator = create_discriminator(config.discriminator.name, config.discriminator.options)
        players = [generator, discriminator] if train == "both" else [generator]
        channels: list[int] = []
        for player in players:
            for part in player.modules():
                if isinstance(part, torch.nn.modules.batchnorm._BatchNorm):
                    part.register_forward_hook(lambda norm, *_: channels.append(norm.num_features))
        size = config.phases[0].crop_size
        generator.train()(torch.zeros(2, 1, size, size))
        if train == "both":
            discriminator.train()(torch.zeros(2, 1, size, size), torch.zeros(2, 2, size, size))
    bytes_of = [sum(4 * p.numel() for p in player.parameters() if p.requires_grad) for player in players]
    # weights and two moments of each player; the average twice, for it is the model that is written beside
    written = sum(3 * one for one in bytes_of) + 2 * bytes_of[0]
    return Traffic(tuple(bytes_of), tuple(channels)), written


def measured_steps(run: dict[str, Any], train: str, crop: int) -> dict[int, float]:
    """Seconds a step by images a step; of several ways (compiled or not) the quickest."""
    found: dict[int, float] = {}
    for record in run["records"]:
        if record.get("what") == "training" and (record["train"], record["crop"]) == (train, crop):
            batch = record["batch"]
            found[batch] = min(found.get(batch, record["seconds"]), record["seconds"])
    if not found:
        sizes = sorted({r["crop"] for r in run["records"] if r.get("what") == "training"})
        sys.exit(f"--measured: no step of {train} at {crop} px among those measured; --crop-size of {sizes}")
    return found


def table(
    count_of_images: dict[int, float],
    cluster: Cluster,
    traffic: Traffic,
    compute: Compute,
    feeding: Feeding,
    pauses: Pauses,
) -> list[str]:
    """Markdown: one row for each number of cards and its images a card."""
    lines = [
        "| GPUs | images a GPU | step ms | compute | gradients | norms, terms | data | pauses | images/s "
        "| efficiency | limited by |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for count, images in count_of_images.items():
        spent = _costs.step(count, images, cluster, traffic, compute, feeding, pauses)
        total = sum(spent.values())
        shares = [
            spent["compute"],
            spent["gradients"],
            spent["norms"] + spent["terms"],
            spent["data"],
            spent["pauses"],
        ]
        cells = " | ".join(f"{1e3 * seconds:.2f}" for seconds in shares)
        lines.append(
            f"| {count} | {images:g} | {1e3 * total:.2f} | {cells} | {count * images / total:,.0f} "
            f"| {compute.seconds(images) / total:.1%} | {_costs.limit(spent)} |"
        )
    return lines


def report(options: argparse.Namespace) -> None:
    """Print both tables and what they rest on."""
    run = json.loads(options.measured.read_text("utf-8")) if options.measured else CPU_RUN
    config = load_config(options.config)
    config.model.pretrained_encoder = False
    traffic, written = counted(config, options.train)
    if options.norms == "local":
        traffic = Traffic(traffic.gradients, (), traffic.small)
    steps = measured_steps(run, options.train, options.crop_size)
    fixed, each = _costs.fitted(steps)
    compute = Compute(fixed, each, options.overlap)
    cluster = Cluster(
        options.cards,
        Link(options.nvlink * 1e9, options.nvlink_latency * 1e-6),
        Link(options.network * 1e9, options.network_latency * 1e-6),
    )
    feeding = Feeding(options.storage * 1e9, options.picture * 1e3, options.cores, options.decoded)
    pauses = Pauses(
        config.data.validation_images,
        each / 3,  # a pass there and back is about three passes there
        config.run.validate_every,
        written,
        options.disk * 1e9,
        config.run.checkpoint_every,
    )
    sent = ", ".join(f"{size / 2**20:.1f} MiB" for size in traffic.gradients)
    print(f"{options.config.name}, {options.train} at {options.crop_size} px.")
    print(f"\n- Measured on {run['device']}: steps of {_listed(steps)}; as a line {fixed * 1e3:.2f} ms + ")
    print(f"  {each * 1e3:.3f} ms an image.")
    print(f"- Counted: gradients of {sent}; {len(traffic.norms)} synchronised norms with ")
    print(f"  {traffic.norm_bytes() / 1024:.0f} KiB; {traffic.collectives(25 * 2**20)} messages a step.")
    print(f"- Assumed: machines of {options.cards} GPUs, {options.nvlink:g} GB/s and ")
    print(f"  {options.nvlink_latency:g} us between them, {options.network:g} GB/s and ")
    print(f"  {options.network_latency:g} us between machines; up to {options.overlap:.0%} of a step hides ")
    print(f"  gradients; a machine reads {options.storage:g} GB/s of pictures of {options.picture:g} kB,")
    print(f"  decodes {options.decoded:g}/s on each of {options.cores:g} cores; disk {options.disk:g} GB/s")
    parts = (cluster, traffic, compute, feeding, pauses)
    batch = options.batch or max(steps)
    print(f"\nWeak scaling, {batch} images a GPU; milliseconds of a step:\n")
    print("\n".join(table(dict.fromkeys(options.gpus, batch), *parts)))
    total = options.images_a_step or batch * 8
    strong = {count: total / count for count in options.gpus if total >= count}
    print(f"\nStrong scaling, {total} images a step:\n")
    print("\n".join(table(strong, *parts)))


def _listed(steps: dict[int, float]) -> str:
    return ", ".join(f"{batch} images in {1e3 * seconds:.1f} ms" for batch, seconds in sorted(steps.items()))


def check(lines: list[dict[str, Any]], link: Link, config: Config, processes: int) -> list[dict[str, Any]]:
    """Each measurement of bench_processes.py beside the model's: how many times the ideal a step takes."""
    found = []
    for line in lines:
        train = {"train": "generator", "train_both": "both"}.get(line.get("work"))
        if train is None:
            continue
        from bench_processes import Train

        apart = statistics.median(line["seconds"]["apart"]) / Train.steps
        together = statistics.median(line["seconds"]["together"]) / Train.steps
        traffic, _ = counted(config, train)
        # No overlap: on a CPU the cores that compute are those that send.
        spent = _costs.step(
            processes, Train.batch, Cluster(processes, link, link), traffic, Compute(apart, 0.0, 0.0)
        )
        found.append(
            {"train": train, "measured": together / apart, "predicted": sum(spent.values()) / apart} | spent
        )
    return found


def measure_link(processes: int) -> dict[str, float]:
    """Bandwidth and latency between processes on this machine, from all-reduces of two sizes."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node"]
    command += [str(processes), __file__, "--as-process"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"--measure-link {processes}: the processes ended with {done.returncode}")
    small, large, size = json.loads(done.stdout.splitlines()[-1])
    rounds = 2 * (processes - 1)
    bandwidth = rounds / processes * size / max(large - small, 1e-9)
    return {"processes": processes, "bandwidth": bandwidth, "latency": small / rounds}


def _as_process() -> None:
    import torch
    from torch import distributed

    from gan_colorize.distributed import join, launched, own_device

    group = launched()
    device = own_device("cuda" if torch.cuda.is_available() else "cpu", group)
    with join(group, device):
        times = []
        for count, repeats in ((8, 200), (25 * 2**18, 20)):  # 32 bytes, and one bucket of 25 MiB
            values, each = torch.ones(count, device=device), []
            for _ in range(repeats):
                started = time.perf_counter()
                distributed.all_reduce(values)
                float(values[0])  # until it is done
                each.append(time.perf_counter() - started)
                values.fill_(1.0)
            times.append(statistics.median(each[repeats // 5 :]))
        if group.main:
            print(json.dumps([*times, 25 * 2**20]))


def _objects(path: Path) -> list[dict[str, Any]]:
    """The lines of a file that are JSON objects: bench_processes.py prints others as well."""
    lines = [line for line in path.read_text("utf-8").splitlines() if line.startswith("{")]
    return [json.loads(line) for line in lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add(
        "--measured",
        type=Path,
        help="JSON: device, and records of what (training), train, crop, batch, seconds",
    )
    add("--config", type=Path, default=ROOT / "configs" / "flagship-3.yaml")
    add("--train", choices=("generator", "both"), default="generator")
    add("--crop-size", type=int, default=128)
    add("--batch", type=int, default=0, help="images a GPU in weak scaling; default: the most measured")
    add("--images-a-step", type=int, default=0, help="of strong scaling; default: eight times as many")
    add("--gpus", type=int, nargs="+", default=list(COUNTS))
    add("--cards", type=int, default=8, help="GPUs a machine")
    add("--nvlink", type=float, default=300.0, help="GB/s between the GPUs of a machine, each way")
    add("--nvlink-latency", type=float, default=5.0, help="microseconds a message")
    add("--network", type=float, default=50.0, help="GB/s of a machine's network, each way")
    add("--network-latency", type=float, default=15.0, help="microseconds a message")
    add("--overlap", type=float, default=0.5, help="share of a step that may hide gradients")
    add("--norms", choices=("synchronised", "local"), default="synchronised", help="local: as of GroupNorm")
    add("--storage", type=float, default=2.0, help="GB/s of shards that a machine reads")
    add("--picture", type=float, default=25.0, help="kB of a picture in the shards")
    add("--cores", type=float, default=96.0, help="cores of a machine that decode")
    add("--decoded", type=float, default=300.0, help="images/s that a core decodes and crops")
    add("--disk", type=float, default=1.0, help="GB/s at which a checkpoint is written")
    add("--check", type=Path, help="lines of bench_processes.py to compare with")
    add("--link", type=Path, help="what --measure-link printed")
    add("--measure-link", type=int, metavar="PROCESSES", help="print the link between processes here")
    add("--as-process", action="store_true", help=argparse.SUPPRESS)  # of processes that were started
    options = parser.parse_args()
    if options.as_process:
        _as_process()
    elif options.measure_link:
        print(json.dumps(measure_link(options.measure_link)))
    elif options.check:
        if options.link is None:
            parser.error("--check needs --link: what --measure-link printed on the same machine")
        link = _objects(options.link)[-1]
        processes = int(link["processes"])
        config = load_config(ROOT / "configs" / "flagship.yaml")  # as bench_processes.py
        for row in check(
            _objects(options.check), Link(link["bandwidth"], link["latency"]), config, processes
        ):
            print(
                f"{row['train']}, {processes} processes: measured {row['measured']:.3f} of the ideal, "
                f"predicted {row['predicted']:.3f} (gradients {1e3 * row['gradients']:.1f} ms, norms "
                f"{1e3 * row['norms']:.1f} ms of a step of {1e3 * row['compute']:.0f} ms)"
            )
    else:
        report(options)


if __name__ == "__main__":
    main()
