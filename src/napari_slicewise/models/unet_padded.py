"""A padded U-Net of any depth and widths, for weights made by other projects' networks.

Source: the scheme of Ronneberger, Fischer and Brox 2015 (10.1007/978-3-319-24574-4_28)
with padded convolutions; ``adapters`` brings other projects' tensors under these keys.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from napari_slicewise.models.spec import UpsamplingKind

__all__ = ["PaddedBlock", "UNetPadded"]


class PaddedBlock(nn.Module):
    """Twice: 3x3 convolution with padding 1, batch norm or none, ReLU."""

    def __init__(self, channels: tuple[int, int, int], *, batch_norm: bool) -> None:
        super().__init__()
        a, b, c = channels  # into the first convolution, between the two, out of the second
        self.conv1 = nn.Conv2d(a, b, kernel_size=3, padding=1)
        self.bn1 = nn.BatchNorm2d(b) if batch_norm else nn.Identity()
        self.conv2 = nn.Conv2d(b, c, kernel_size=3, padding=1)
        self.bn2 = nn.BatchNorm2d(c) if batch_norm else nn.Identity()
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """``(b, channels[0], y, x)`` to ``(b, channels[2], y, x)``."""
        x = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(x)))  # type: ignore[no-any-return]


class UNetPadded(nn.Module):
    """Padded U-Net whose every width is free; skips are joined as ``[upsampled, skip]``.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the image, and of the logits.
    widths
        Filters of the 3x3 convolutions in the order in which they are computed, two a
        block: ``4 * depth + 2`` numbers; where upsampling is transposed, then the ``depth``
        filters of the transposed convolutions, the deepest first.
    upsampling
        ``transposed``: 2x2, stride 2. Else interpolation: ``bilinear``, the same with
        ``align_corners`` (``bilinear_aligned``), or ``nearest``.
    batch_norm
        Whether batch norm follows each 3x3 convolution.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        widths: Sequence[int],
        upsampling: UpsamplingKind = "transposed",
        *,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        depth = (len(widths) - 2) // (5 if upsampling == "transposed" else 4)
        pairs = list(zip(widths[: 4 * depth + 2 : 2], widths[1 : 4 * depth + 2 : 2], strict=True))
        ups = widths[4 * depth + 2 :]
        self.descent, self.ascent = nn.ModuleList(), nn.ModuleList()
        self.ups = nn.ModuleList()
        before, outs = in_channels, []
        for mid, out in pairs[: depth + 1]:
            self.descent.append(PaddedBlock((before, mid, out), batch_norm=batch_norm))
            before = out
            outs.append(out)
        for level, (mid, out) in enumerate(pairs[depth + 1 :]):
            self.ups.append(_upsample(before, ups[level] if ups else 0, upsampling))
            joined = (ups[level] if ups else before) + outs[depth - 1 - level]
            self.ascent.append(PaddedBlock((joined, mid, out), batch_norm=batch_norm))
            before = out
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Conv2d(before, out_channels, kernel_size=1)

    def forward(self, image: Tensor) -> Tensor:
        """Image ``(b, in, y, x)``, sides multiples of ``2**depth``, to logits of its size."""
        x = self.descent[0](image)
        skips = []
        for block in self.descent[1:]:
            skips.append(x)
            x = block(self.pool(x))
        for up, block in zip(self.ups, self.ascent, strict=True):
            x = block(torch.cat([up(x), skips.pop()], dim=1))
        return self.head(x)  # type: ignore[no-any-return]


def _upsample(in_channels: int, out_channels: int, kind: UpsamplingKind) -> nn.Module:
    """Make the layer that doubles the sides; only a transposed one has weights."""
    if kind == "transposed":
        return nn.ConvTranspose2d(in_channels, out_channels, kernel_size=2, stride=2)
    if kind == "nearest":
        return nn.Upsample(scale_factor=2)
    return nn.Upsample(scale_factor=2, mode="bilinear", align_corners=kind == "bilinear_aligned")
