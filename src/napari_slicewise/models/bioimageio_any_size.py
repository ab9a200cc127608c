"""Networks for images of any size: mirrored up to fitting sides, and cut back.

This is what inference does around a network, written once more for packages that go to
other programs; ``bioimageio_network`` copies these functions into them, so they use torch
alone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["AnySize", "AnySizeProgram", "enlarged", "mirrored"]


def mirrored(size: int, before: int, length: int) -> Tensor:
    """Return which of ``size`` pixels stands at each of ``length`` places, mirrored."""
    period = max(2 * (size - 1), 1)
    place = torch.remainder(torch.arange(length) - before, period)
    return torch.minimum(place, period - place) if size > 1 else place


def enlarged(image: Tensor, stride: int, remainder: int, lost: int) -> Tensor:
    """Mirror ``(b, c, y, x)`` to sides ``stride * k + remainder``, and by ``lost`` all around."""
    height, width = image.shape[-2], image.shape[-1]
    rows = (height + 2 * lost - remainder + stride - 1) // stride * stride + remainder
    columns = (width + 2 * lost - remainder + stride - 1) // stride * stride + remainder
    image = image.index_select(-2, mirrored(height, lost, rows).to(image.device))
    return image.index_select(-1, mirrored(width, lost, columns).to(image.device))


class AnySize(nn.Module):
    """Stands before a network among the bases of a class; the state_dict is the network's.

    Parameters
    ----------
    stride, remainder
        Sides that fit the network are ``stride * k + remainder``, in pixels.
    lost
        Pixels at each border that the network gives no output for; they are mirrored too.
    distance
        Whether to give the probability of the foreground, and beside it the distance to
        the object's edge in 0..1, instead of what the network gives.
    network
        What the network is built from.
    """

    def __init__(
        self, stride: int, remainder: int, lost: int, *, distance: bool, **network: object
    ) -> None:
        super().__init__(**network)
        self.sides = (stride, remainder, lost)
        self.distance = distance

    def forward(self, image: Tensor) -> Tensor:
        """Image ``(b, in, y, x)`` of any size to ``(b, out, y, x)``."""
        height, width = image.shape[-2:]
        out = super().forward(enlarged(image, *self.sides))[..., :height, :width]
        if self.distance:
            out = torch.cat([out[:, :1].sigmoid(), out[:, 1:].clamp(0.0, 1.0)], dim=1)
        return out  # type: ignore[no-any-return]


class AnySizeProgram(nn.Module):
    """The same around a network that was traced, to be compiled to TorchScript.

    Parameters
    ----------
    network
        Takes sides that fit.
    stride, remainder, lost, distance
        As for :class:`AnySize`.
    """

    def __init__(
        self, network: nn.Module, stride: int, remainder: int, lost: int, *, distance: bool
    ) -> None:
        super().__init__()
        self.network = network
        self.stride, self.remainder, self.lost = stride, remainder, lost
        self.distance = distance

    def forward(self, image: Tensor) -> Tensor:
        """Image ``(b, in, y, x)`` of any size to ``(b, out, y, x)``."""
        height, width = image.shape[-2], image.shape[-1]
        out = self.network(enlarged(image, self.stride, self.remainder, self.lost))
        out = out[..., :height, :width]
        if self.distance:
            out = torch.cat([out[:, :1].sigmoid(), out[:, 1:].clamp(0.0, 1.0)], dim=1)
        return out  # type: ignore[no-any-return]
