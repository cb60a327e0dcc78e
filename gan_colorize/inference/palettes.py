"""Palettes as wishes: drawn for a text, or named by a person."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..color.palette import COLOURS, palette_to_lab, palette_to_rgb8, parse_hex
from ..errors import UserError
from ..models import MODELS
from ..models.contract import Conditions, Contract
from ..text import vectors
from ..zoo.checkpoint import DEFAULT_PALETTES, load_model

# Of the noise that palettes are drawn with, below the 1 of training: a person who asks for a few palettes
# wants each of them to fit, and misses the far-fetched ones less.
SPREAD = 0.7

# Words of a text that are read: as many as the longest text of Palette-and-Text has. Beyond what it was
# trained on the network runs wild: fifty times "sea" is yellow.
MOST_WORDS = 11


@dataclass(frozen=True)
class Drawn:
    """palettes: (samples, 5, 3) uint8 sRGB; left_out: words of the text that are not known; unread: number of
    words that came after the last that is read."""

    palettes: np.ndarray
    left_out: list[str]
    unread: int = 0

    def warning(self) -> str | None:
        """What to tell of the words that were left out."""
        told = []
        if self.left_out:
            told.append(f"not known and left out: {', '.join(map(_short, self.left_out))}{_more_words()}")
        if self.unread:
            told.append(f"only the first {MOST_WORDS} words are read, {self.unread:,} are left out")
        return "; ".join(told) or None


class PaletteDrawer:
    """A network that draws palettes for texts, on the CPU.

    Args:
        model: "default", a .safetensors file, a run folder, or a network that carries its contract.

    Raises:
        UserError: the model cannot be loaded or draws no palettes.
    """

    def __init__(self, model: str | Path | nn.Module = "default") -> None:
        if not isinstance(model, nn.Module):
            model = load_model(DEFAULT_PALETTES if str(model) == "default" else model)
        if model.contract.returns != "palette":
            raise UserError(f"this model ({model.name}) draws no palettes; that is what text2palette is for")
        self.model = model.eval()

    @torch.inference_mode()
    def draw(self, text: str, samples: int = 1, seed: int = 0) -> Drawn:
        """Palettes for a text; the seeds of the samples count up from the first.

        Raises:
            UserError: a text without words, or without a word that is known.
        """
        said = vectors.split(text)
        if not said:
            raise UserError(f"the text {_short(text)!r} holds no word; try one like 'autumn forest'")
        read, unread = said[:MOST_WORDS], len(said[MOST_WORDS:])
        words, (left_out,) = self.model.read([" ".join(read)])
        if len(left_out) == len(read):
            raise UserError(
                f"no word of {_short(' '.join(read))!r} is known; try English ones like 'autumn forest'"
                f"{_more_words()}"
            )
        noises = [self.model.noise(words, 1, torch.Generator().manual_seed(seed + k)) for k in range(samples)]
        colours = self.model(words, SPREAD * torch.cat(noises, 1)).colours[0]  # (samples, 5, 3)
        return Drawn(palette_to_rgb8(colours), left_out, unread)


def _more_words() -> str:
    return "" if vectors.are_installed() else "; pip install 'gan_colorize[text]' brings 400,000 words more"


def _short(text: str) -> str:
    """As much of a text as a line of a message has room for."""
    return text if len(text) <= 60 else f"{text[:57]}..."


def named_palette(texts: list[str]) -> np.ndarray:
    """One to five colours in hexadecimal -> (5, 3) uint8; fewer than five are repeated in their order.

    Raises:
        UserError: what is no colour, or too many.
    """
    try:
        colours = parse_hex(texts)
    except ValueError as error:
        raise UserError(f"--palette: {error}") from error
    if not 1 <= len(colours) <= COLOURS:
        raise UserError(f"--palette: {len(colours)} colours; give one to {COLOURS}, with commas between them")
    return colours[np.arange(COLOURS) % len(colours)]


def palette_wish(palette: np.ndarray) -> Conditions:
    """A palette (5, 3) uint8 as the wish of one photograph."""
    lab = palette_to_lab(palette)[None]
    lab[..., 0].clamp_(min=0.01)  # five times black is a wish as well; nothing but zeros would be none
    return Conditions(palette=lab)


def check_takes_palette(name: str, contract: Contract, option: str) -> None:
    """Raise a UserError, which names the networks that do, when this one does not listen to palettes."""
    if "palette" not in contract.takes:
        listening = [key for key, (network, _) in MODELS.items() if "palette" in network.contract.takes]
        raise UserError(
            f"{option}: this model ({name}) does not listen to palettes; name with --model one of "
            f"{' or '.join(listening)} (configs/ has the recipes)"
        )
