"""Pictures of one kind share a network: kinds found by k-means, and many small networks evaluated as one."""

from __future__ import annotations

import math
import warnings
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# A kind with less than a 32nd of the pictures is none: its network would see too little of them.
_FEWEST = 32
_LEAST_SPREAD = 1e-4


def k_means(points: Tensor, count: int, seed: int) -> Tensor:
    """points (M, D) -> the number 0..count-1 of each one's cluster, (M,) int64; some may stay without points.

    scipy's k-means with k-means++ as a start (Arthur, Vassilvitskii 2007); the same seed gives the same.
    """
    from scipy.cluster.vq import kmeans2

    values = points.detach().double().cpu().numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of clusters without points: whoever asks looks for them
        _, numbers = kmeans2(values, min(count, len(values)), iter=50, minit="++", seed=seed)
    return torch.from_numpy(numbers).long().to(points.device)


class KindsOfPictures(nn.Module):
    """Which kind of picture is this? Clusters, and within each of them, once the second level is open, those
    of the pictures that the first colours badly, beside the others.

    A kind is a mean descriptor, a mean histogram of the things shown, and whether it is used. Everything is
    buffers: found by :func:`k_means`, not learned. Before a level is open its first kind is all there is.

    counts: kinds of the first level, at most 32, and how many each may fall into besides itself.
    """

    def __init__(self, counts: tuple[int, int], descriptor_size: int, groups: int) -> None:
        super().__init__()
        first, second = counts
        self.register_buffer("mean", torch.zeros(descriptor_size))
        self.register_buffer("spread", torch.ones(descriptor_size))
        self.register_buffer("opened", torch.zeros((), dtype=torch.int64))
        self.first = _Table((first,), descriptor_size, groups)
        self.second = _Table((first, 1 + second), descriptor_size, groups)

    @property
    def count(self) -> int:
        """Of all kinds: those of the first level, each followed by those that it may fall into."""
        return self.second.used.numel()

    @property
    def levels(self) -> int:
        """How many are open."""
        return int(self.opened)

    def choose(self, descriptors: Tensor, histograms: Tensor) -> Tensor:
        """Descriptors (N, D) and histograms (N, groups) of pictures -> their kinds (N,)."""
        descriptors = self._normal(descriptors)
        first = self.first.nearest(descriptors, histograms)
        return first * self.second.used.shape[1] + self.second.nearest(descriptors, histograms, first)

    def open_first(self, descriptors: Tensor, histograms: Tensor, seed: int) -> None:
        """Find the kinds of the first level among pictures, as given to :meth:`choose`."""
        self.mean.copy_(descriptors.mean(0))
        self.spread.copy_(descriptors.std(0).clamp_min(_LEAST_SPREAD))
        descriptors = self._normal(descriptors)
        found = k_means(descriptors, len(self.first.used), seed)
        for kind in range(len(self.first.used)):
            self.first.describe((kind,), found == kind, descriptors, histograms)
        self.opened.fill_(1)

    def open_second(
        self, descriptors: Tensor, histograms: Tensor, badly_coloured: Tensor, seed: int
    ) -> dict[int, int]:
        """Find the kinds of the second level among the pictures that are badly coloured, (M,) of bool.

        Returns:
            Kinds now used -> those of the first level that their pictures come from; nothing if there are
            hardly any such pictures or no second level, or if it is open already.
        """
        first, every = self.second.used.shape
        if self.levels != 1 or every == 1:
            return {}
        before = self.choose(descriptors, histograms) // every
        descriptors, origins = self._normal(descriptors), {}
        for kind in range(first):
            bad = ((before == kind) & badly_coloured).nonzero()[:, 0]
            found = torch.zeros_like(before)  # those that stay
            found[bad] = 1 + k_means(descriptors[bad], every - 1, seed) if len(bad) else found[bad]
            for number in range(every):
                self.second.describe(
                    (kind, number), (before == kind) & (found == number), descriptors, histograms
                )
                if number and self.second.used[kind, number]:
                    origins[kind * every + number] = kind * every
            if not self.second.used[kind].any():
                self.second.used[kind, 0] = True
        if origins:
            self.opened.fill_(2)
        return origins

    def _normal(self, descriptors: Tensor) -> Tensor:
        return (descriptors - self.mean) / self.spread


class _Table(nn.Module):
    """What the kinds of one level are like; ``shape`` of its kinds. At first only the first is used."""

    def __init__(self, shape: tuple[int, ...], descriptor_size: int, groups: int) -> None:
        super().__init__()
        self.register_buffer("descriptors", torch.zeros(*shape, descriptor_size))
        self.register_buffer("histograms", torch.zeros(*shape, groups))
        self.register_buffer("used", (torch.arange(shape[-1]) == 0).expand(shape).clone())

    def nearest(self, descriptors: Tensor, histograms: Tensor, within: Tensor | None = None) -> Tensor:
        """The used kind (N,) that is nearest in both to pictures (N, D) and (N, groups).

        Distance: the mean square of descriptors plus the share of the histogram that differs. Among
        photographs, differences between kinds are of a like size in both.

        within: (N,) the row of the table in which to look; without it there is only one.
        """
        rows = ... if within is None else within
        distance = (descriptors[:, None] - self.descriptors[rows]).square().mean(2)
        distance = distance + 0.5 * (histograms[:, None] - self.histograms[rows]).abs().sum(2)
        return distance.masked_fill(~self.used[rows], math.inf).argmin(1)

    def describe(
        self, kind: tuple[int, ...], members: Tensor, descriptors: Tensor, histograms: Tensor
    ) -> None:
        """Let a kind be what its members, (M,) of bool, are on average; not used when there are too few."""
        self.used[kind] = int(members.sum()) >= max(1, len(members) // _FEWEST)
        if self.used[kind]:
            self.descriptors[kind] = descriptors[members].mean(0)
            self.histograms[kind] = histograms[members].mean(0)


class ClusteredMLP(nn.Module):
    """``count`` fully connected networks with ReLUs; every picture of a batch goes through one of them.

    widths: of the input, the hidden layers and the output. Weights are (count, inputs, outputs).
    """

    def __init__(self, count: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        shapes = list(pairwise(widths))
        self.weights = nn.ParameterList(
            torch.randn(count, inputs, outputs) * math.sqrt(2.0 / inputs) for inputs, outputs in shapes
        )
        self.biases = nn.ParameterList(torch.zeros(count, 1, outputs) for _, outputs in shapes)
        with torch.no_grad():
            self.weights[-1].mul_(0.02)  # begins next to grey

    def forward(self, x: Tensor, numbers: Tensor) -> Tensor:
        """x (N, P, inputs) and the network of each picture (N,) -> (N, P, outputs) float32."""
        *hidden, last = zip(self.weights, self.biases, strict=True)
        for weight, bias in hidden:
            x = F.relu(torch.baddbmm(bias[numbers], x, weight[numbers]))
        with torch.autocast(x.device.type, enabled=False):  # bf16 would leave 3 digits of a colour
            return torch.baddbmm(last[1][numbers], x.float(), last[0][numbers])

    @torch.no_grad()
    def copy(self, source: int, target: int) -> None:
        """Give network ``target`` the values of network ``source``."""
        for parameter in self.parameters():
            parameter[target] = parameter[source]
