"""The sixty-line U-Net: unpadded convolutions, channels in one tuple, cropped skips.

Source: A. Arora, "U-Net: A PyTorch Implementation in 60 lines of Code", 2020,
https://amaarora.github.io/2020/09/13/unet.html, whose attribute names, and so keys,
these are; written anew. Blocks circulate with and without a ReLU after their second
convolution, in networks whose tensors are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

__all__ = ["UNetCompact"]


class _Block(nn.Module):
    """Unpadded 3x3 convolution, ReLU, the same again; sides become 4 pixels shorter."""

    def __init__(self, in_channels: int, out_channels: int, last: nn.Module) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, kernel_size=3)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(out_channels, out_channels, kernel_size=3)
        self.last = last

    def forward(self, x: Tensor) -> Tensor:
        """``(b, in, y, x)`` to ``(b, out, y - 4, x - 4)``."""
        return self.last(self.conv2(self.relu(self.conv1(x))))  # type: ignore[no-any-return]


class _Encoder(nn.Module):
    """Blocks with 2x2 max pooling between them; every block's output is returned."""

    def __init__(self, channels: Sequence[int], last: nn.Module) -> None:
        super().__init__()
        self.enc_blocks = nn.ModuleList(_Block(a, b, last) for a, b in pairwise(channels))
        self.pool = nn.MaxPool2d(2)

    def forward(self, image: Tensor) -> list[Tensor]:
        """``(b, in, y, x)`` to the outputs of all blocks, the largest first."""
        outputs = [self.enc_blocks[0](image)]
        for block in self.enc_blocks[1:]:
            outputs.append(block(self.pool(outputs[-1])))
        return outputs


class _Decoder(nn.Module):
    """At each level: double the sides, ``[upsampled, centre of the skip]``, a block."""

    def __init__(self, channels: Sequence[int], last: nn.Module) -> None:
        super().__init__()
        levels = list(pairwise(channels))
        self.upconvs = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, 2) for a, b in levels)
        self.dec_blocks = nn.ModuleList(_Block(2 * b, b, last) for _, b in levels)

    def forward(self, features: list[Tensor]) -> Tensor:
        """Bring the encoder's outputs to ``(b, channels[-1], y, x)``."""
        *skips, x = features
        for upconv, block in zip(self.upconvs, self.dec_blocks, strict=True):
            x = upconv(x)
            skip, (height, width) = skips.pop(), x.shape[-2:]
            # Half of an odd difference goes to the even side, as in torchvision's CenterCrop.
            top, left = round((skip.shape[-2] - height) / 2), round((skip.shape[-1] - width) / 2)
            x = block(torch.cat([x, skip[..., top : top + height, left : left + width]], dim=1))
        return x


class UNetCompact(nn.Module):
    """Unpadded U-Net; borders and fitting sides are those of ``UNet2015``.

    Parameters
    ----------
    channels
        Channels of the image, then filters at each level, from the image down; the decoder
        has the same in reverse. With these and one class: 31,031,745 parameters.
    out_channels
        Channels of the logits.
    last_relu
        Whether a ReLU follows each block's second convolution too.
    retain_dim
        Stretch the logits to the image's sides (nearest neighbour), so that they can be
        compared with a whole mask in training. They then no longer lie where the image
        shows what they mean, so inference leaves it off.
    """

    def __init__(
        self,
        channels: Sequence[int] = (3, 64, 128, 256, 512, 1024),
        out_channels: int = 1,
        *,
        last_relu: bool = False,
        retain_dim: bool = False,
    ) -> None:
        super().__init__()
        last = nn.ReLU() if last_relu else nn.Identity()
        self.encoder = _Encoder(channels, last)
        self.decoder = _Decoder(channels[:0:-1], last)
        self.head = nn.Conv2d(channels[1], out_channels, 1)
        self.retain_dim = retain_dim

    def forward(self, image: Tensor) -> Tensor:
        """Image ``(b, in, y, x)`` to logits ``(b, out, y - 184, x - 184)`` (five levels)."""
        logits: Tensor = self.head(self.decoder(self.encoder(image)))
        if self.retain_dim:
            logits = nn.functional.interpolate(logits, image.shape[-2:])
        return logits
