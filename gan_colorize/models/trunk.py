"""The trunk of the user-guided colorizer, shared by the networks that steer it in different ways.

Zhang, Zhu et al. 2017 (Real-Time User-Guided Image Colorization), section 3.2 and figure 3: ten blocks, 5 and
6 dilated, three additive shortcuts. Blocks have the names of the published network, so that its weights load.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from .blocks import conv_stack, he_init


class GuidedTrunk(nn.Module):
    """(N, inputs, H, W) -> what blocks 8 and 10 make: (N, 4w, H/4, W/4) and (N, 2w, H, W).

    inputs: channels of the first convolution (4 in the paper: L, hinted ab, mask); width: channels of the
    first block, 64 in the paper. Sides must be multiples of 8.
    """

    def __init__(self, inputs: int, width: int = 64) -> None:
        super().__init__()
        w = width
        self.model1 = nn.Sequential(*conv_stack([inputs, w, w]))
        self.model2 = nn.Sequential(*conv_stack([w, 2 * w, 2 * w]))
        self.model3 = nn.Sequential(*conv_stack([2 * w, 4 * w, 4 * w, 4 * w]))
        self.model4 = nn.Sequential(*conv_stack([4 * w, 8 * w, 8 * w, 8 * w]))
        self.model5 = nn.Sequential(*conv_stack([8 * w] * 4, dilation=2))
        self.model6 = nn.Sequential(*conv_stack([8 * w] * 4, dilation=2))
        self.model7 = nn.Sequential(*conv_stack([8 * w] * 4))
        self.model8up = nn.Sequential(nn.ConvTranspose2d(8 * w, 4 * w, 4, 2, 1))
        self.model3short8 = nn.Sequential(nn.Conv2d(4 * w, 4 * w, 3, 1, 1))
        self.model8 = nn.Sequential(nn.ReLU(), *conv_stack([4 * w] * 3))
        self.model9up = nn.Sequential(nn.ConvTranspose2d(4 * w, 2 * w, 4, 2, 1))
        self.model2short9 = nn.Sequential(nn.Conv2d(2 * w, 2 * w, 3, 1, 1))
        self.model9 = nn.Sequential(nn.ReLU(), *conv_stack([2 * w, 2 * w]))
        self.model10up = nn.Sequential(nn.ConvTranspose2d(2 * w, 2 * w, 4, 2, 1))
        self.model1short10 = nn.Sequential(nn.Conv2d(w, 2 * w, 3, 1, 1))
        self.model10 = nn.Sequential(nn.ReLU(), nn.Conv2d(2 * w, 2 * w, 3, 1, 1), nn.LeakyReLU(0.2))
        he_init(self)

    def run(
        self, x: Tensor, steer: Callable[[int, Tensor], Tensor] = lambda block, x: x
    ) -> tuple[Tensor, Tensor]:
        """x (N, inputs, H, W) -> outputs of blocks 8 and 10.

        steer: called with the number of a block and its output, before blocks 5, 9 and 10 go on from it;
            what it returns is gone on with. Here a condition of the whole picture comes in.
        """
        one = self.model1(x)  # (N, w, H, W)
        two = self.model2(one[:, :, ::2, ::2])  # (N, 2w, H/2, W/2)
        three = self.model3(two[:, :, ::2, ::2])  # (N, 4w, H/4, W/4)
        four = steer(4, self.model4(three[:, :, ::2, ::2]))  # (N, 8w, H/8, W/8)
        seven = self.model7(self.model6(self.model5(four)))
        eight = steer(8, self.model8(self.model8up(seven) + self.model3short8(three)))  # (N, 4w, H/4, W/4)
        nine = steer(9, self.model9(self.model9up(eight) + self.model2short9(two)))  # (N, 2w, H/2, W/2)
        return eight, self.model10(self.model10up(nine) + self.model1short10(one))  # (N, 2w, H, W)
