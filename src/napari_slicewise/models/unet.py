"""The U-Net of the tutorial: padded 3x3 convolutions, batch norm, skip connections.

Source: Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical
Image Segmentation", MICCAI 2015, 10.1007/978-3-319-24574-4_28, figure 1; here with
padded convolutions, so that output and input have one size, and with batch norm.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["ConvBlock", "DecoderBlock", "EncoderBlock", "UNet"]


class ConvBlock(nn.Module):
    """Twice: 3x3 convolution with padding 1, batch norm, ReLU. Sides stay as they are."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """``(b, in, y, x)`` to ``(b, out, y, x)``."""
        x = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(x)))  # type: ignore[no-any-return]


class EncoderBlock(nn.Module):
    """A convolution block, then 2x2 max pooling; both results are returned."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = ConvBlock(in_channels, out_channels)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``(b, in, y, x)`` to the skip ``(b, out, y, x)`` and its half ``(b, out, y/2, x/2)``."""
        skip = self.conv(x)
        return skip, self.pool(skip)


class DecoderBlock(nn.Module):
    """2x2 transposed convolution of stride 2, ``[upsampled, skip]``, convolution block."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, out_channels, kernel_size=2, stride=2)
        self.conv = ConvBlock(2 * out_channels, out_channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """``(b, in, y, x)`` and ``(b, out, 2y, 2x)`` to ``(b, out, 2y, 2x)``."""
        return self.conv(torch.cat([self.up(x), skip], dim=1))  # type: ignore[no-any-return]


class UNet(nn.Module):
    """The tutorial's ``build_unet``; attribute names give the keys of its state_dict.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the image, and of the logits.
    first_filters
        Filters of the first block; each level below has twice as many. With 64, and
        three channels in and one out, there are 31,043,521 parameters.
    """

    def __init__(
        self, in_channels: int = 3, out_channels: int = 1, first_filters: int = 64
    ) -> None:
        super().__init__()
        f1, f2, f3, f4, f5 = (first_filters * 2**level for level in range(5))
        self.e1 = EncoderBlock(in_channels, f1)
        self.e2 = EncoderBlock(f1, f2)
        self.e3 = EncoderBlock(f2, f3)
        self.e4 = EncoderBlock(f3, f4)
        self.b = ConvBlock(f4, f5)
        self.d1 = DecoderBlock(f5, f4)
        self.d2 = DecoderBlock(f4, f3)
        self.d3 = DecoderBlock(f3, f2)
        self.d4 = DecoderBlock(f2, f1)
        self.outputs = nn.Conv2d(f1, out_channels, kernel_size=1)

    def forward(self, image: Tensor) -> Tensor:
        """Image ``(b, in, y, x)``, sides multiples of 16, to logits ``(b, out, y, x)``."""
        s1, x = self.e1(image)
        s2, x = self.e2(x)
        s3, x = self.e3(x)
        s4, x = self.e4(x)
        x = self.b(x)
        x = self.d1(x, s4)
        x = self.d2(x, s3)
        x = self.d3(x, s2)
        x = self.d4(x, s1)
        return self.outputs(x)  # type: ignore[no-any-return]
