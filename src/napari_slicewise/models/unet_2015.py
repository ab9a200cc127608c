"""The original U-Net of 2015: unpadded convolutions, no batch norm, cropped skips.

Source: Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical
Image Segmentation", MICCAI 2015, 10.1007/978-3-319-24574-4_28, figure 1 and section 2
(layers, and that drop-out ends the contracting path), section 3 (initial weights).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

__all__ = ["UNet2015", "ValidBlock", "crop_centre"]


class ValidBlock(nn.Module):
    """Twice: unpadded 3x3 convolution, ReLU. Sides become 4 pixels shorter."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, kernel_size=3)
        self.conv2 = nn.Conv2d(out_channels, out_channels, kernel_size=3)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """``(b, in, y, x)`` to ``(b, out, y - 4, x - 4)``."""
        return self.relu(self.conv2(self.relu(self.conv1(x))))  # type: ignore[no-any-return]


def crop_centre(skip: Tensor, height: int, width: int) -> Tensor:
    """Cut the middle out of ``(b, c, y, x)``; where it is not the middle, up and left of it."""
    top, left = (skip.shape[-2] - height) // 2, (skip.shape[-1] - width) // 2
    return skip[..., top : top + height, left : left + width]


class UNet2015(nn.Module):
    """The network of figure 1: 572x572 pixels in, 388x388 out.

    Of ``depth`` poolings (4 in the paper) the border costs ``6 * 2**depth - 4`` pixels on
    each side (92). Whole 2x2 windows are pooled at every level where the input's sides are
    ``2**depth * k - 4`` (188, 204, ... 572); elsewhere the last row or column is dropped,
    and the output lies half a window off.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the image, and classes, of which the softmax follows outside.
    widths
        Filters at each level, from the image down. With these, one channel in and two
        classes out, there are 31,030,658 parameters.
    dropout
        Probability with which an activation at the end of the contracting path is zeroed
        in training. The paper does not say how often; it has no effect on results.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 2,
        widths: Sequence[int] = (64, 128, 256, 512, 1024),
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        down = list(pairwise([in_channels, *widths]))
        up = list(pairwise(reversed(widths)))
        self.contracting = nn.ModuleList(ValidBlock(a, b) for a, b in down)
        self.pool = nn.MaxPool2d(2)
        self.dropout = nn.Dropout(dropout)
        self.upconvs = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, stride=2) for a, b in up)
        self.expanding = nn.ModuleList(ValidBlock(2 * b, b) for _, b in up)
        self.classifier = nn.Conv2d(widths[0], out_channels, kernel_size=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, image: Tensor) -> Tensor:
        """Image ``(b, in, y, x)`` to logits ``(b, out, y - 184, x - 184)`` (depth 4)."""
        x = self.contracting[0](image)
        skips = []
        for block in self.contracting[1:]:
            skips.append(x)
            x = block(self.pool(x))
        x = self.dropout(x)
        for upconv, block in zip(self.upconvs, self.expanding, strict=True):
            x = upconv(x)
            skip = crop_centre(skips.pop(), x.shape[-2], x.shape[-1])
            x = block(torch.cat([skip, x], dim=1))  # the copy stands on the left in figure 1
        return self.classifier(x)  # type: ignore[no-any-return]
