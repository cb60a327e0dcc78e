"""Text to palette: the palette generation network of Text2Colors, and its discriminator.

Bahng et al. 2018 (Coloring with Words), text-to-palette generation networks. Words go through a GRU;
conditioning augmentation makes of each state a Gaussian from which a state is drawn, so that one text has
many palettes; a decoder with attention to the words says five colours, one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ..color.palette import COLOURS
from ..text import vectors
from ..text.vectors import SIZE, known_words
from .contract import Contract

# Lab in about -0.5..0.5. The paper scales to 0..1 by the limits of sRGB under D50; Lab is of D65 here.
_SCALE = (100.0, 200.0, 200.0)
_MIDDLE = (0.5, 0.0, 0.0)


@dataclass(frozen=True)
class Words:
    """A batch of texts, padded at the end.

    rows:    (N, T) int64 rows of the network's own vocabulary, -1 for other words and padding.
    vectors: (N, T, 50) of the words outside the vocabulary, zeros elsewhere.
    lengths: (N,) int64 number of words, at least 1, on the CPU.
    """

    rows: Tensor
    vectors: Tensor
    lengths: Tensor

    def to(self, device: torch.device | str) -> Words:
        """The same texts on a device."""
        return Words(self.rows.to(device), self.vectors.to(device), self.lengths)

    def mask(self) -> Tensor:
        """(N, T) bool: where there is a word."""
        steps = torch.arange(self.rows.shape[1], device=self.rows.device)
        return steps < self.lengths.to(self.rows.device)[:, None]


@dataclass(frozen=True)
class Palettes:
    """S palettes for each of N texts.

    colours: (N, S, 5, 3) Lab, not clamped; text: (N, S, width) the state that each was drawn from, mean over
    the words; mean, log_variance: (N, T, width) of the states' Gaussians.
    """

    colours: Tensor
    text: Tensor
    mean: Tensor
    log_variance: Tensor


@dataclass(frozen=True)
class Text2PaletteOptions:
    """Shape of the network.

    vocabulary: words with vectors of their own, a space between them; training fills it in.
    width:      of the encoder's, the condition's and the decoder's states.
    dropout:    share of the inputs of encoder and output layers that training drops.
    """

    vocabulary: str = ""
    width: int = 150
    dropout: float = 0.2


class Text2Palette(nn.Module):
    """Words -> five colours.

    A word's vector is its fixed GloVe vector plus an offset that is learned (the paper trains the vectors
    themselves, of 300 numbers each). In training each offset is dropped half of the time: the network stays
    fluent in plain GloVe, which is all there is of a word that it was not trained on. Both are in the model's
    file for its own vocabulary, so that only other words need the package of vectors.

    The decoder knows by a learned vector which of the five colours it is at. (Without it the later colours
    hardly differed: a text of one word is the same context at every step.)
    """

    source = "Bahng et al. 2018, Coloring with Words"
    contract = Contract(takes=frozenset(), returns="palette", output_stride=1, size_divisor=1)

    def __init__(self, options: Text2PaletteOptions) -> None:
        super().__init__()
        self.vocabulary = {word: row for row, word in enumerate(options.vocabulary.split())}
        count, width = len(self.vocabulary), options.width
        self.register_buffer("fixed", torch.zeros(count, SIZE))
        self.offsets = nn.Parameter(torch.zeros(count, SIZE))
        self.dropout = nn.Dropout(options.dropout)
        self.encoder = nn.GRU(SIZE, width, batch_first=True)
        self.condition = nn.Linear(width, 2 * width)
        self.attend_words = nn.Linear(width, width, bias=False)
        self.attend_state = nn.Linear(width, width)
        self.attend = nn.Linear(width, 1, bias=False)
        self.decoder = nn.GRUCell(3 + width, width)
        self.steps = nn.Parameter(torch.randn(COLOURS, width))
        self.output = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU(), nn.Linear(width, 3))
        self.register_buffer("scale", torch.tensor(_SCALE), persistent=False)
        self.register_buffer("middle", torch.tensor(_MIDDLE), persistent=False)

    def read(self, texts: Sequence[str]) -> tuple[Words, list[list[str]]]:
        """Texts as input, and of each the words that are not known and left out.

        A text none of whose words is known has one word, of which nothing is said.
        """
        rows, other_words, left_out = [], [], []
        for text in texts:
            known, unknown = known_words(text, self.knows)
            left_out.append(unknown)
            rows.append([self.vocabulary.get(word, -1) for word in known] or [-1])
            outside = [(place, word) for place, word in enumerate(known) if word not in self.vocabulary]
            other_words.append({place: vectors.open_vectors()[word] for place, word in outside})
        longest = max(map(len, rows))
        words = Words(
            torch.full((len(rows), longest), -1),
            torch.zeros(len(rows), longest, SIZE),
            torch.tensor([len(row) for row in rows]),
        )
        for index, (row, others) in enumerate(zip(rows, other_words, strict=True)):
            words.rows[index, : len(row)] = torch.tensor(row)
            for place, vector in others.items():
                words.vectors[index, place] = torch.from_numpy(vector)
        return words, left_out

    def knows(self, word: str) -> bool:
        """Whether the network was trained on a word or its vector is installed."""
        return word in self.vocabulary or (vectors.are_installed() and word in vectors.open_vectors())

    def load_pretrained(self) -> None:
        """Set the fixed vectors of the vocabulary from the installed package; zeros where it knows no form.

        Raises:
            UserError: the package of vectors is not installed.
        """
        installed = vectors.open_vectors()
        for word, row in self.vocabulary.items():
            found, _ = known_words(word, installed.__contains__)
            if found:
                self.fixed[row] = torch.from_numpy(np.mean([installed[one] for one in found], axis=0))

    def noise(self, words: Words, samples: int, generator: torch.Generator | None = None) -> Tensor:
        """(N, samples, T, width) standard normal, of the generator or of torch's own."""
        count, steps = words.rows.shape
        shape = (count, samples, steps, self.condition.in_features)
        return torch.randn(shape, generator=generator).to(self.offsets.device)

    def forward(self, words: Words, noise: Tensor) -> Palettes:
        """words of N texts, noise (N, S, T, width) -> S palettes of each."""
        count, samples = noise.shape[:2]
        mask = words.mask()
        states = self._encode(self.dropout(self._embed(words)), words.lengths)  # (N, T, width)
        mean, log_variance = self.condition(states).chunk(2, -1)
        drawn = mean[:, None] + noise * (0.5 * log_variance[:, None]).exp()  # (N, S, T, width)
        drawn = drawn * mask[:, None, :, None]
        text = drawn.sum(2) / mask.sum(1)[:, None, None]  # (N, S, width)
        many = mask.repeat_interleave(samples, 0)
        colours = self._decode(drawn.flatten(0, 1), text.flatten(0, 1), many).unflatten(0, (count, samples))
        return Palettes((colours + self.middle) * self.scale, text, mean, log_variance)

    def normalise(self, lab: Tensor) -> Tensor:
        """Lab (..., 3) in the units that the losses compare and the discriminator sees."""
        return lab / self.scale - self.middle

    def _embed(self, words: Words) -> Tensor:  # (N, T, 50)
        own = (words.rows >= 0)[..., None]
        if not self.vocabulary:
            return words.vectors
        rows = words.rows.clamp(min=0)
        fixed, offsets = self.fixed[rows], self.offsets[rows]
        if self.training:
            # A word without a fixed vector is nothing but its offset, which then stays.
            kept = torch.rand_like(offsets[..., :1]) < 0.5
            offsets = offsets * (kept | ~fixed.any(-1, keepdim=True))
        return torch.where(own, fixed + offsets, words.vectors)

    def _encode(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
        states = self.encoder(packed)[0]
        return pad_packed_sequence(states, batch_first=True, total_length=vectors.shape[1])[0]

    def _decode(self, drawn: Tensor, state: Tensor, mask: Tensor) -> Tensor:  # (N, 5, 3)
        keys = self.attend_words(drawn)  # (N, T, width)
        colour, colours = state.new_zeros(len(state), 3), []
        for step in self.steps:
            state = state + step
            scores = self.attend(torch.tanh(keys + self.attend_state(state)[:, None]))[..., 0]  # (N, T)
            shares = scores.masked_fill(~mask, -torch.inf).softmax(1)
            context = (shares[..., None] * drawn).sum(1)  # (N, width)
            state = self.decoder(torch.cat([colour, context], 1), state)
            colour = self.output(self.dropout(torch.cat([state, context], 1)))
            colours.append(colour)
        return torch.stack(colours, 1)


@dataclass(frozen=True)
class PaletteCriticOptions:
    """text_width: of the text's vector, the generator's width."""

    text_width: int = 150


class PaletteCritic(nn.Module):
    """Is this a palette that a person chose for this text? (Bahng et al. 2018)"""

    source = "Bahng et al. 2018, Coloring with Words"
    takes: frozenset[str] = frozenset()

    def __init__(self, options: PaletteCriticOptions) -> None:
        super().__init__()
        widths = [3 * COLOURS + options.text_width, 82, 41, 20]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], 1))

    def forward(self, colours: Tensor, text: Tensor) -> Tensor:
        """colours (..., 5, 3) as the generator normalises them, text (..., text_width) -> scores (...)."""
        return self.layers(torch.cat([colours.flatten(-2), text], -1))[..., 0]
