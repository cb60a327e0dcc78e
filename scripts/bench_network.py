"""How much of this CPU's speed in convolutions a network reaches, layer by layer and as a whole.

    python scripts/bench_network.py [--model M] [--repeats 9] [--layers]

The ceiling is the best rate of plain 3x3 convolutions (64 to 512 channels, in the network's own arithmetic,
weights laid out in advance): multiplications and additions by CPU time, on one thread, as a core works when a
folder is coloured. Everything is measured in one process in interleaved repeats; medians are reported.

A layer that does few operations for every byte that it reads and writes cannot reach the ceiling: at best it
takes as long as its bytes take. --layers lists what each kind of layer takes beside that bound (a roofline),
whose memory speed is that of a copy of 4 MiB, about what a layer of these networks writes.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from gan_colorize.devices import choose_dtype
from gan_colorize.inference.packed import PackedConvolution, usable
from gan_colorize.inference.ready import ready_for_inference
from gan_colorize.zoo.checkpoint import load_model, working_size

CPU = torch.device("cpu")
TARGET = 0.6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="default")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--precision", default="auto", help="auto, fp32 or bf16")
    parser.add_argument("--layers", action="store_true", help="list the layers")
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    model = load_model(arguments.model)
    dtype = choose_dtype(arguments.precision, CPU)
    networks = {"joined": ready_for_inference(model, CPU, dtype)}
    networks["plain"] = ready_for_inference(model, CPU, dtype, joined=False)
    size = working_size(model)
    sizes = [(count, size, side) for count in (1, 2, 8) for side in (size, _four_to_three(model, size))]

    passes, work = {}, {}
    for key in sizes:
        lightness = torch.rand(key[0], 1, *key[1:]) * 100
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(lightness)
        for name, network in networks.items():
            passes[name, key] = _forward(network, lightness, dtype)
            work[name, key] = counter.get_total_flops()
    for channels in (64, 128, 256, 512):
        for side in (28, 56, 112):
            passes["ceiling", channels, side] = _convolution(channels, side, dtype)
            work["ceiling", channels, side] = 2 * 9 * channels**2 * side**2
    seconds = _medians(passes, arguments.repeats)
    rates = {key: work[key] / seconds[key] / 1e9 for key in passes}
    best = max((key for key in rates if key[0] == "ceiling"), key=rates.get)
    ceiling = rates[best]
    print(f"{dtype}, one thread; ceiling {ceiling:.0f} GFLOP/s ({best[1]} channels, {best[2]}x{best[2]})")
    print(
        f"{'photographs':>11s}  {'size':>9s}  {'GFLOP':>6s}  {'layers':8s}{'ms':>7s}  GFLOP/s  of the ceiling"
    )
    for key in sizes:
        for name in ("plain", "joined"):
            print(
                f"{key[0]:11d}  {key[1]:4d}x{key[2]:<4d}  {work[name, key] / 1e9:6.2f}  {name:8s}"
                f"{seconds[name, key] * 1e3:7.2f}  {rates[name, key]:7.0f}  {rates[name, key] / ceiling:7.1%}"
            )
    reached = max(rates["joined", key] for key in sizes) / ceiling
    print(f"target at least {TARGET:.0%} of the ceiling: {'met' if reached >= TARGET else 'MISSED'}")
    if arguments.layers:
        _layers(networks["joined"], dtype, size, ceiling, arguments.repeats)


def _four_to_three(model: nn.Module, size: int) -> int:
    """The long side of a photograph of 4:3, padded as the network needs it."""
    divisor = model.contract.size_divisor
    return -(-size * 4 // (3 * divisor)) * divisor


def _forward(network: nn.Module, lightness: Tensor, dtype: torch.dtype) -> Callable[[], object]:
    def run() -> object:
        with torch.autocast("cpu", dtype, enabled=dtype is not torch.float32):
            return network(lightness)

    return run


def _convolution(channels: int, side: int, dtype: torch.dtype) -> Callable[[], object]:
    plain = nn.Conv2d(channels, channels, 3, padding=1).requires_grad_(False).to(dtype)
    plain = plain.to(memory_format=torch.channels_last)
    layer = PackedConvolution(plain) if usable(dtype) else plain
    picture = torch.randn(1, channels, side, side).to(dtype, memory_format=torch.channels_last)
    return lambda: layer(picture)


@torch.inference_mode()
def _medians(passes: dict, repeats: int) -> dict:
    """CPU seconds of each; the first two rounds, in which memory is found and weights are laid out, not."""
    samples = defaultdict(list)
    for repeat in range(repeats + 2):
        for key, run in passes.items():
            started = time.thread_time()
            run()
            if repeat >= 2:
                samples[key].append(time.thread_time() - started)
    return {key: statistics.median(values) for key, values in samples.items()}


@torch.inference_mode()
def _layers(network: nn.Module, dtype: torch.dtype, size: int, ceiling: float, repeats: int) -> None:
    """What each kind of convolution takes within a pass of one photograph, beside what it must."""
    block = torch.zeros(4 << 20, dtype=torch.uint8)
    target = torch.empty_like(block)
    bandwidth = 2 * len(block) / _medians({"copy": lambda: target.copy_(block)}, 9)["copy"] / 1e9
    calls: dict[str, list] = {}
    counts: dict[str, int] = defaultdict(int)
    for module in network.modules():
        if isinstance(module, PackedConvolution):
            _watch(module, calls, counts)
    run = _forward(network, torch.rand(1, 1, size, size) * 100, dtype)
    for _ in range(repeats + 2):
        counts.clear()
        run()
    print(f"\none photograph of {size}x{size}, layers by time; memory {bandwidth:.0f} GB/s; times in us")
    print(f"{'layer':34s}{'times':>6s}{'took':>8s}{'bound':>8s}  bound by    GFLOP/s  of the ceiling")
    rows = []
    for label, (flop, volume, seconds) in calls.items():
        took = statistics.median(seconds[2 * counts[label] :])
        by_work, by_bytes = flop / ceiling / 1e9, volume / bandwidth / 1e9
        rows.append((took * counts[label], label, took, by_work, by_bytes, flop))
    for _, label, took, by_work, by_bytes, flop in sorted(rows, reverse=True):
        rate = flop / took / 1e9
        print(
            f"{label:34s}{counts[label]:6d}{took * 1e6:8.0f}{max(by_work, by_bytes) * 1e6:8.0f}  "
            f"{'arithmetic' if by_work > by_bytes else 'memory':10s}{rate:9.0f}  {rate / ceiling:7.1%}"
        )
    total = sum(row[0] for row in rows)
    least = sum(max(row[3], row[4]) * counts[row[1]] for row in rows)
    flops = sum(row[5] * counts[row[1]] for row in rows)
    print(
        f"all of them {total * 1e3:.2f} ms; bound {least * 1e3:.2f} ms, which would be "
        f"{flops / least / 1e9 / ceiling:.0%} of the ceiling"
    )


def _watch(layer: PackedConvolution, calls: dict[str, list], counts: dict[str, int]) -> None:
    """Keep the CPU time of every call of a layer, by what kind of layer it is at which size."""

    def timed(method: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def call(x: Tensor, *rest: object, **more: object) -> Tensor:
            started = time.thread_time()
            y = method(x, *rest, **more)
            seconds = time.thread_time() - started
            outputs, inputs, height, width = layer.weight.shape
            kind = "depthwise" if inputs == 1 < x.shape[1] else f"{x.shape[1]} ->"
            label = (
                f"{height}x{width} {kind} {outputs}, {x.shape[2]}x{x.shape[3]} -> {y.shape[2]}x{y.shape[3]}"
            )
            flop = 2 * y.numel() * inputs * height * width
            volume = (x.numel() + y.numel() + layer.weight.numel()) * layer.weight.element_size()
            calls.setdefault(label, [flop, volume, []])[2].append(seconds)
            counts[label] += 1
            return y

        return call

    layer.forward, layer.plus = timed(layer.forward), timed(layer.plus)


if __name__ == "__main__":
    main()
