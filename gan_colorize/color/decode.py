"""From a distribution over bins to colour.

Every function takes logits (N, 313, h, w) of any float type, also inside autocast, and works in float32
(float64 for float64). Decode at the logits' own size and enlarge the ab: enlarging logits first costs 8 to 16
times more.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .bins import NUM_BINS, bin_centres
from .gamut import possible_bins
from .sampling import draw
from .threads import one_thread

try:
    from . import decode_kernel
except (ImportError, RuntimeError):  # as in color.lightness
    decode_kernel = None

# Zhang, Isola, Efros 2016, section 2.3: between the vivid mode (T -> 0) and the dull mean (T = 1).
TEMPERATURE = 0.38

# A masked logit: no share is left of it at any sensible temperature, and float16 can still hold it.
IMPOSSIBLE = -1e4

# Pixels decoded at a time: 256 x 313 float32 is 320 kB, which the second-level cache of one core holds.
_BLOCK = 256


def _checked(logits: Tensor, temperature: float = 1.0) -> None:
    if logits.dim() != 4 or logits.shape[1] != NUM_BINS:
        raise ValueError(f"logits must have the shape (N, {NUM_BINS}, h, w), got {tuple(logits.shape)}")
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}; decode.mode is its limit")


def _pixel_blocks(logits: Tensor) -> list[Tensor]:
    """(pixels, 313), of one picture each, together all pixels of logits in order.

    Views of the memory as it is, whether the network wrote it channels first or last; of other layouts, such
    as a transposed picture, copies.
    """
    block = _BLOCK if logits.device.type == "cpu" else logits[0, 0].numel()
    pixels = logits.flatten(2).transpose(1, 2)  # (N, h*w, 313)
    return [piece for picture in pixels for piece in picture.split(block)]


def _work_type(logits: Tensor) -> torch.dtype:
    return torch.float64 if logits.dtype == torch.float64 else torch.float32


class _AnnealedMean(torch.autograd.Function):
    """Shares are never stored: forward and backward each make them block by block from the logits."""

    @staticmethod
    @one_thread()
    def forward(ctx, logits: Tensor, temperature: float) -> Tensor:
        work = _work_type(logits)
        centres = bin_centres(work).to(logits.device)
        # A column of ones makes the product bring the normaliser along.
        columns = torch.cat((centres, torch.ones_like(centres[:, :1])), dim=1)  # (313, 3)
        ab, log_sums = [], []
        for block in _pixel_blocks(logits):
            largest = block.amax(dim=1, keepdim=True).to(work)
            # Either branch makes one float32 copy; a subtraction of mixed types is the slower way to it.
            shares = block - largest if block.dtype == work else block.to(work).sub_(largest)
            sums = shares.mul_(1.0 / temperature).exp_() @ columns  # (pixels, 3)
            ab.append(sums[:, :2] / sums[:, 2:])
            log_sums.append(largest.div_(temperature) + sums[:, 2:].log())
        n, _, height, width = logits.shape
        mean = torch.cat(ab).view(n, height, width, 2).permute(0, 3, 1, 2).contiguous()
        ctx.temperature = temperature
        ctx.save_for_backward(logits, mean, torch.cat(log_sums))
        return mean

    @staticmethod
    @torch.autograd.function.once_differentiable
    @one_thread()
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        """d ab / d z_q = p_q (c_q - ab) / T."""
        logits, mean, log_sums = ctx.saved_tensors
        work = _work_type(logits)
        centres = bin_centres(work).to(logits.device)
        columns = torch.cat((centres, -torch.ones_like(centres[:, :1])), dim=1)
        along = (mean * grad).sum(dim=1, keepdim=True)
        pulls = torch.cat((grad, along), dim=1).div_(ctx.temperature).permute(0, 2, 3, 1).reshape(-1, 3)
        # Its blocks must be views that can be written through, so of any other layout it is the plain form.
        last = logits.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if last else torch.contiguous_format
        result = torch.empty_like(logits, memory_format=layout)
        start = 0
        for block, target in zip(_pixel_blocks(logits), _pixel_blocks(result), strict=True):
            rows = slice(start, start + block.shape[0])
            shares = block.to(work, copy=True).div_(ctx.temperature).sub_(log_sums[rows]).exp_()
            target.copy_(shares.mul_(pulls[rows] @ columns.T))
            start = rows.stop
        return result, None


def annealed_mean(logits: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Mean colour of the distribution sharpened by a temperature: sum of c_q softmax(z / T)_q.

    Differentiable (once); a gradient costs no more memory than the logits themselves.

    Args:
        logits: (N, 313, h, w).
        temperature: T above 0; 1 is the plain expectation, towards 0 the mode.

    Returns:
        (N, 2, h, w) ab, float32 (float64 for float64 logits).
    """
    _checked(logits, temperature)
    pixels = logits.permute(0, 2, 3, 1)
    if _compiled(logits) and pixels.is_contiguous():
        return _by_kernel(pixels, temperature)
    with torch.autocast(logits.device.type, enabled=False):
        return _AnnealedMean.apply(logits, temperature)


def _compiled(logits: Tensor) -> bool:
    learns = logits.requires_grad and torch.is_grad_enabled()
    known = logits.dtype in (torch.float32, torch.bfloat16)
    return decode_kernel is not None and logits.device.type == "cpu" and known and not learns


def _by_kernel(pixels: Tensor, temperature: float) -> Tensor:
    """(N, h, w, 313) of float32 or bfloat16, in a row."""
    halves, pixels = pixels.dtype == torch.bfloat16, pixels.detach()
    rows = (pixels.view(torch.int16) if halves else pixels).reshape(-1, NUM_BINS).numpy()
    mean = torch.empty(*pixels.shape[:3], 2)
    centres = bin_centres(torch.float32).T.contiguous().numpy()
    decode_kernel.annealed_means(rows, halves, centres, 1.0 / temperature, mean.view(-1, 2).numpy())
    return mean.permute(0, 3, 1, 2).contiguous()


def expectation(logits: Tensor) -> Tensor:
    """Plain mean colour (T = 1): (N, 313, h, w) -> (N, 2, h, w). Dull, and the best in squared error."""
    return annealed_mean(logits, temperature=1.0)


def mode(logits: Tensor) -> Tensor:
    """Centre of the likeliest bin: (N, 313, h, w) -> (N, 2, h, w). Vivid, in steps of 10."""
    _checked(logits)
    return (
        bin_centres(_work_type(logits))
        .to(logits.device)[logits.argmax(dim=1)]
        .permute(0, 3, 1, 2)
        .contiguous()
    )


@torch.no_grad()
@one_thread()
def sample(logits: Tensor, seed: int, temperature: float = 1.0) -> Tensor:
    """One plausible colouring, coherent over the picture; how: color.sampling.

    Args:
        logits: (N, 313, h, w).
        seed: the same seed and size give the same result, whatever the batch and the device.
        temperature: above 0; 1 draws from the distribution as it is, lower stays closer to its mode.

    Returns:
        (N, 2, h, w) ab, float32.
    """
    _checked(logits, temperature)
    with torch.autocast(logits.device.type, enabled=False):
        return draw((logits.float() / temperature).softmax(dim=1), seed)


def normalised_entropy(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Entropy over log 313: (N, 313, h, w) -> (N, 1, h, w), 0 for certain, 1 for no idea."""
    _checked(logits, temperature)
    with torch.autocast(logits.device.type, enabled=False):
        log_shares = (logits.to(_work_type(logits)) / temperature).log_softmax(dim=1)
        entropy = torch.special.entr(log_shares.exp()).sum(dim=1, keepdim=True)
    return (entropy / math.log(NUM_BINS)).clamp(0.0, 1.0)


def confidence(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """1 - normalised_entropy: (N, 313, h, w) -> (N, 1, h, w), 1 for certain."""
    return 1.0 - normalised_entropy(logits, temperature)


def mask_impossible(logits: Tensor, lightness: Tensor) -> Tensor:
    """Rule out the bins that no sRGB colour of a pixel's lightness belongs to; some bin always remains.

    Args:
        logits: (N, 313, h, w).
        lightness: (N, 1, h, w) L at the size of the logits.

    Returns:
        (N, 313, h, w) logits, -10000 where impossible, of the same type.
    """
    _checked(logits)
    return logits.masked_fill(~possible_bins(lightness), IMPOSSIBLE)
