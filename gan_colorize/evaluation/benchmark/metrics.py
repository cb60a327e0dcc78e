"""The columns of a benchmark: what each is called, which way is better, and what it means to a stranger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["lower", "higher", None]


@dataclass(frozen=True)
class Metric:
    """A column.

    decimals:  as shown.
    agreement: two machines' values lie within this of each other.
    paired:    whether it is a mean over photographs, so that signs of differences can be flipped.
    """

    key: str
    title: str
    decimals: int
    better: Better
    agreement: float
    means: str
    paired: bool = True


# With one and two threads and one and sixteen photographs at a time table values differed by less than a
# hundredth of ``agreement`` (24 photographs, a distribution and a regression); the rest is room for other
# processors and for the rounding of reports. FID and KID follow from features that are computed in the same
# way, and top-1 moves by whole photographs.
AGREEMENT = (
    "values of a column are the same on other machines to the agreement stated with it: all is computed in "
    "float32 on pictures of 8 bits, and neither batches nor threads matter; times and memory belong to one "
    "machine"
)

_LPIPS = (
    "Distance between what a network trained on photographs notices in the result and in the truth (Zhang et "
    "al. 2018). 0 is the same picture; of all distances here it agrees best with what people see."
)
METRICS = (
    Metric("lpips_alex", "LPIPS alex", 4, "lower", 1e-5, _LPIPS + " Features of AlexNet."),
    Metric("lpips_vgg", "LPIPS vgg", 4, "lower", 1e-5, _LPIPS + " Features of VGG-16."),
    Metric("lpips_squeeze", "LPIPS squeeze", 4, "lower", 1e-5, _LPIPS + " Features of SqueezeNet."),
    Metric(
        "psnr",
        "PSNR dB",
        2,
        "higher",
        1e-3,
        "How small the difference of red, green and blue is, in decibels; 3 dB more is half the squared "
        "error. It punishes a wrong colour more than none, so careful grey does well.",
    ),
    Metric(
        "ssim",
        "SSIM",
        4,
        "higher",
        1e-5,
        "Agreement of local structure (Wang et al. 2004), 1 for the same picture. The lightness is that of "
        "the "
        "truth for everybody, so all values are high.",
    ),
    Metric(
        "auc",
        "AuC %",
        2,
        "higher",
        1e-3,
        "Share of pixels whose colour is right within a distance, averaged over all distances from 0 to 150 "
        "(Zhang, Isola, Efros 2016). Most pixels are nearly grey, so it flatters timid colours.",
    ),
    Metric(
        "auc_rebalanced",
        "AuC rebalanced %",
        2,
        "higher",
        1e-2,
        "The same with equal weight for every colour that occurs: rare, vivid colours count as much as grey.",
        paired=False,
    ),
    Metric(
        "fid",
        "FID",
        2,
        "lower",
        1e-2,
        "Distance between all results and all true photographs as two clouds of Inception features (Heusel "
        "et "
        "al. 2017). With few photographs it is too high, by an amount that depends on their number: "
        "compare it "
        "only at the same number, and prefer KID below some thousands.",
        paired=False,
    ),
    Metric(
        "kid",
        "KID x1000",
        3,
        "lower",
        1e-2,
        "The same question as FID, with far less bias from the number of photographs (Binkowski et al. "
        "2018); times 1000. Results belong to the very photographs that they are held against, which makes "
        "it a little too low, the more so the fewer they are: compare it at the same number. Values near 0, "
        "even below it, mean that the clouds can hardly be told apart.",
        paired=False,
    ),
    Metric(
        "top1",
        "top-1 %",
        1,
        "higher",
        0.5,
        "How often a recogniser trained on colour photographs names the pictured thing rightly. Only over "
        "photographs whose file or folder is called after their ImageNet class.",
    ),
    Metric(
        "top1_agreement",
        "seen as the truth %",
        1,
        "higher",
        0.5,
        "How often the recogniser sees in the result what it sees in the true photograph, right or wrong.",
    ),
    Metric(
        "colorfulness",
        "Colourfulness",
        2,
        None,
        1e-3,
        "How vivid the pictures are (Hasler and Suesstrunk 2003): 0 is grey, about 40 an average photograph. "
        "Neither high nor low is good: compare it with the truth's.",
    ),
    Metric(
        "colorfulness_abs",
        "Colourfulness, absolute",
        2,
        None,
        1e-3,
        "The variant of colourfulness that several papers' scripts compute: about a tenth lower.",
    ),
    Metric(
        "colorfulness_ratio",
        "Colourfulness / truth's",
        3,
        None,
        1e-5,
        "Mean colourfulness as a share of the true photographs'. Below 1 is paler than the truth.",
        paired=False,
    ),
    Metric(
        "delta_colorfulness_of_means",
        "Delta CF of means",
        2,
        "lower",
        1e-3,
        "How far the mean colourfulness is from the truth's. Too pale and too vivid pictures cancel out.",
        paired=False,
    ),
    Metric(
        "mean_delta_colorfulness",
        "mean Delta CF",
        2,
        "lower",
        1e-3,
        "How far each picture's colourfulness is from its truth's, on average; nothing cancels.",
    ),
    Metric(
        "delta_colorfulness_abs_of_means",
        "Delta CF of means, absolute",
        2,
        "lower",
        1e-3,
        "Delta CF of means with the absolute variant of colourfulness: the figure of several papers.",
        paired=False,
    ),
    Metric(
        "mean_delta_colorfulness_abs",
        "mean Delta CF, absolute",
        2,
        "lower",
        1e-3,
        "Mean Delta CF with the absolute variant of colourfulness.",
    ),
    Metric(
        "nll",
        "NLL nats",
        3,
        "lower",
        1e-4,
        "How surprised the model was by the true colours: mean -log of the probability that it gave them, "
        "per "
        "pixel of its own output grid. Only for models that predict a distribution.",
    ),
    Metric(
        "ece",
        "ECE",
        4,
        "lower",
        1e-4,
        "Expected calibration error (Guo et al. 2017, 15 bins of confidence): how far 'I am 60 % sure' is "
        "from "
        "being right 60 % of the time, where right means the nearest of the 313 colour bins.",
        paired=False,
    ),
    Metric(
        "ece_soft",
        "ECE, soft truth",
        4,
        "lower",
        1e-4,
        "ECE where a colour between bins belongs to each of them in part, as in training: whoever learned "
        "such "
        "targets can be perfect here, but not in plain ECE.",
        paired=False,
    ),
    Metric(
        "classwise_ece",
        "classwise ECE x1000",
        3,
        "lower",
        1e-2,
        "The same for the probability of each colour bin instead of the likeliest one alone, averaged over "
        "bins (Kull et al. 2019); times 1000.",
        paired=False,
    ),
    Metric(
        "diversity",
        "Diversity",
        4,
        None,
        1e-4,
        "How different several samples for one photograph are: mean LPIPS between all pairs (Zhu et al. "
        "2017, "
        "BicycleGAN). 0 is no variety; much variety is only good where the samples stay plausible.",
    ),
    Metric(
        "best_psnr",
        "PSNR of best sample",
        2,
        "higher",
        1e-2,
        "PSNR of the sample that comes nearest to the truth: whether the truth is among what the model "
        "thinks "
        "possible.",
    ),
    Metric(
        "best_lpips",
        "LPIPS of best sample",
        4,
        "lower",
        1e-4,
        "LPIPS of the sample that comes nearest to the truth.",
    ),
    Metric(
        "lightness_error",
        "L error",
        3,
        "lower",
        1e-4,
        "Mean distance of the result's lightness from the truth's (0 to 100). About 0.2 is the rounding of "
        "8-bit "
        "files; more means that the colorizer repainted the photograph, which every other column then "
        "includes.",
    ),
)
BY_KEY = {metric.key: metric for metric in METRICS}
# Numbers of one network are all LPIPS; the first that was asked for chooses the pictures that are shown.
LPIPS_KEYS = ("lpips_alex", "lpips_vgg", "lpips_squeeze")


def present(rows: list[dict[str, object]]) -> list[Metric]:
    """The columns that some row has a value for, in their order."""
    return [metric for metric in METRICS if any(row.get(metric.key) is not None for row in rows)]
