"""Weights that others published for networks of this package: what the files are called, hold and allow.

Light on purpose: the command line reads it for its help.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_SERVER = "https://colorizers.s3.us-east-2.amazonaws.com"


@dataclass(frozen=True)
class Published:
    """One published file.

    model:     name of the network in :data:`gan_colorize.models.MODELS`, with its default options.
    file_name: as published; the eight digits in it are the first of its sha256, torch.hub's convention.
    size:      bytes; sha256: of the whole file.
    source:    where the file is described.
    metadata:  what our model file says of it beside licence, source and training data.
    """

    model: str
    file_name: str
    size: int
    sha256: str
    licence: str
    source: str
    training_data: str
    metadata: dict[str, str | int | float] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """From where the authors serve it."""
        return f"{_SERVER}/{self.file_name}"


# Sizes and hashes are those that Intel's Open Model Zoo records (colorization-v2, colorization-siggraph).
PUBLISHED = {
    "cic": Published(
        model="cic",
        file_name="colorization_release_v2-9b330a0b.pth",
        size=128_976_165,
        sha256="9b330a0bae53f4ded77b1e23defbf78beaa09c10ebc4c4999e8e4f4a160b93f9",
        licence="BSD-2-Clause",
        source="https://github.com/richzhang/colorization",
        training_data="ImageNet (ILSVRC 2012)",
        # The release takes the mean of the plain softmax, not the paper's 0.38.
        metadata={"temperature": 1.0, "working_size": 256},
    ),
    "user_guided": Published(
        model="user_guided",
        file_name="siggraph17-df00044c.pth",
        size=136_787_426,
        sha256="df00044c0a4d7c3edcecf6f75437ce346a66e7a42612d9b968e1a7e17dbc6f66",
        licence="BSD-2-Clause",
        source="https://github.com/richzhang/colorization",
        training_data="ImageNet (ILSVRC 2012), colour hints simulated",
        metadata={"working_size": 256},
    ),
}
