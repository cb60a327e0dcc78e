"""What a training step costs on many processors, as formulae; numbers and tables are cost_model.py's.

Of n processors, a message of S bytes, links of B bytes/s and a latency of a seconds for each message:

- all-reduce in a ring: 2 (n-1)/n S/B + 2 (n-1) a, which is optimal in bytes (Patarasu and Yuan 2009,
  Bandwidth Optimal All-reduce Algorithms for Clusters of Workstations, sections 3 and 4);
- by recursive halving and doubling (Rabenseifner's algorithm): 2 (n-1)/n S/B + 2 log2(n) a;
- by recursive doubling: log2(n) (S/B + a), which is quicker for small messages;
- all-gather of m bytes of each: in a ring (n-1) (m/B + a), by recursive doubling (n-1) m/B + log2(n) a
  (these and the two before: Thakur, Rabenseifner and Gropp 2005, Optimization of Collective Communication
  Operations in MPICH, sections 4.1 and 4.5, without their term for the additions, which cards hide; log2 is
  rounded up where n is no power of two).

Libraries choose the quickest for a size, and so does the model. Over several machines of g cards it is taken
in three stages: reduce-scatter within machines, all-reduce of each card's S/g among machines, where g such
messages share a machine's network (S bytes in all), all-gather within machines.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Link:
    """bandwidth: bytes/s each way; latency: seconds for each message."""

    bandwidth: float
    latency: float

    def all_reduce(self, count: int, size: float) -> float:
        """Seconds for the sum of ``size`` bytes over ``count`` processors, by the quickest algorithm."""
        if count < 2:
            return 0.0
        doublings = math.ceil(math.log2(count))
        volume = 2 * (count - 1) / count * size / self.bandwidth
        return min(
            volume + 2 * (count - 1) * self.latency,
            volume + 2 * doublings * self.latency,
            doublings * (size / self.bandwidth + self.latency),
        )

    def all_gather(self, count: int, each: float) -> float:
        """Seconds until all of ``count`` processors have ``each`` bytes of all of them."""
        if count < 2:
            return 0.0
        doublings = math.ceil(math.log2(count))
        return (count - 1) * each / self.bandwidth + min(count - 1, doublings) * self.latency


@dataclass(frozen=True)
class Cluster:
    """cards: processors a machine; within: between them; between: a machine's network, all cards together."""

    cards: int
    within: Link
    between: Link

    def machines(self, count: int) -> int:
        """How many machines ``count`` processors take.

        Raises:
            ValueError: they fill no whole number of machines.
        """
        if count > self.cards and count % self.cards:
            raise ValueError(f"{count} processors fill no whole number of machines of {self.cards}")
        return max(1, count // self.cards)

    def all_reduce(self, count: int, size: float) -> float:
        """Seconds for the sum of ``size`` bytes over all ``count`` processors."""
        machines = self.machines(count)
        if machines == 1:
            return self.within.all_reduce(count, size)
        # reduce-scatter and all-gather: each half of a ring's volume
        halves = 2 * self.within.all_gather(self.cards, size / self.cards)
        return halves + self.between.all_reduce(machines, size)

    def all_gather(self, count: int, each: float) -> float:
        """Seconds until all ``count`` processors have ``each`` bytes of all of them."""
        machines = self.machines(count)
        if machines == 1:
            return self.within.all_gather(count, each)
        others = self.between.all_gather(machines, self.cards * each)
        return others + self.within.all_gather(self.cards, each * machines)


@dataclass(frozen=True)
class Traffic:
    """What one step sends, counted from the networks.

    gradients: bytes of each network's gradients; norms: channels of every synchronised norm's call.
    small: further messages of a few numbers each (the terms of the loss).
    """

    gradients: tuple[int, ...]
    norms: tuple[int, ...] = ()
    small: int = 1

    def norm_bytes(self) -> int:
        """Bytes that a processor hands over for norms: mean, variance and count forward, two sums back."""
        return sum(4 * (2 * channels + 1) + 4 * 2 * channels for channels in self.norms)

    def collectives(self, bucket: float) -> int:
        """How many times in a step all processors meet."""
        return sum(len(buckets(size, bucket)) for size in self.gradients) + 2 * len(self.norms) + self.small


@dataclass(frozen=True)
class Compute:
    """seconds of a step without others: fixed + each * images; backward: which share of it is overlapped with
    sending at best (0: nothing, as where processors send with the cores that compute)."""

    fixed: float
    each: float
    backward: float

    def seconds(self, images: float) -> float:
        """Of a step on so many images."""
        return self.fixed + self.each * images


@dataclass(frozen=True)
class Feeding:
    """bandwidth: bytes/s that a machine reads of its shards; picture: bytes of one; cores: that decode, a
    machine; decoded: images/s of one core."""

    bandwidth: float
    picture: float
    cores: float
    decoded: float

    def rate(self) -> float:
        """Images/s that a machine can be fed."""
        return min(self.bandwidth / self.picture, self.cores * self.decoded)


@dataclass(frozen=True)
class Pauses:
    """validation: images held out, forward passes of ``forward`` seconds each, shared by all; written: bytes
    of a checkpoint, by one process at ``disk`` bytes/s; either every so many images."""

    validation: int
    forward: float
    validate_every: int
    written: float
    disk: float
    checkpoint_every: int

    def seconds(self, count: int, images: float) -> float:
        """A step of ``images`` images in all takes so much longer on average."""
        validating = math.ceil(self.validation / count) * self.forward / self.validate_every
        return images * (validating + self.written / self.disk / self.checkpoint_every)


def buckets(size: float, bucket: float) -> list[float]:
    """Messages in which gradients of ``size`` bytes travel: DistributedDataParallel's first is 1 MiB, so that
    sending begins early; the last to be ready is what no computation hides."""
    first = min(size, 2.0**20)
    full, rest = divmod(size - first, bucket)
    return [part for part in (first, *[bucket] * int(full), rest) if part > 0]


def step(
    count: int,
    images: float,
    cluster: Cluster,
    traffic: Traffic,
    compute: Compute,
    feeding: Feeding | None = None,
    pauses: Pauses | None = None,
    bucket: float = 25 * 2.0**20,
) -> dict[str, float]:
    """Seconds of one step of ``count`` processors on ``images`` images each, by what they are spent on.

    compute: the networks; gradients: what of their sending the backward pass cannot hide; norms and terms:
    messages that computation waits for; data: waiting for pictures that are prepared meanwhile; pauses:
    validation and checkpoints. Their sum is the step.
    """
    spent = {"compute": compute.seconds(images)}
    sent = [[cluster.all_reduce(count, part) for part in buckets(s, bucket)] for s in traffic.gradients]
    sending = sum(map(sum, sent))
    last = sum(parts[-1] for parts in sent if parts)
    hidden = min(compute.backward * spent["compute"], sending - last) if compute.backward else 0.0
    spent["gradients"] = sending - hidden
    spent["norms"] = sum(
        cluster.all_gather(count, 4.0 * (2 * channels + 1)) + cluster.all_reduce(count, 8.0 * channels)
        for channels in traffic.norms
    )
    spent["terms"] = traffic.small * cluster.all_reduce(count, 64.0)
    working = sum(spent.values())
    spent["data"] = 0.0
    if feeding is not None:
        on_machine = min(count, cluster.cards)
        spent["data"] = max(0.0, images * on_machine / feeding.rate() - working)
    spent["pauses"] = 0.0 if pauses is None else pauses.seconds(count, images * count)
    return spent


def limit(spent: dict[str, float]) -> str:
    """What a step of many waits for longest, beside the computation itself; "compute" where nothing takes a
    twentieth of the step."""
    name = max((key for key in spent if key != "compute"), key=spent.get)
    return name if spent[name] >= 0.05 * sum(spent.values()) else "compute"


def fitted(measured: dict[int, float]) -> tuple[float, float]:
    """(fixed, each) of seconds a step by images a step: a line by least squares, neither below 0."""
    if len(measured) == 1:
        ((images, seconds),) = measured.items()
        return 0.0, seconds / images
    count = len(measured)
    mean_x, mean_y = sum(measured) / count, sum(measured.values()) / count
    over = sum((x - mean_x) * (y - mean_y) for x, y in measured.items())
    each = max(0.0, over / sum((x - mean_x) ** 2 for x in measured))
    fixed = mean_y - each * mean_x
    if fixed < 0.0:  # through the origin
        return 0.0, sum(x * y for x, y in measured.items()) / sum(x * x for x in measured)
    return fixed, each
