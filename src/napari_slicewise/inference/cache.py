"""Predictions that are remembered, so that another threshold needs no network."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

__all__ = ["ActivationCache", "digest_slice"]


def digest_slice(image: NDArray[np.float32]) -> bytes:
    """Digest the content of a prepared slice, ``(channel, y, x)``."""
    digest = blake2b(str(image.shape).encode(), digest_size=20)
    digest.update(np.ascontiguousarray(image).data)
    return digest.digest()


class ActivationCache:
    """Remembers activations by what went into the network, the oldest forgotten first.

    The key is the content of the prepared slice, the weights and the number format:
    an image that was edited in place, or a model file that was replaced, is predicted
    anew without anybody having to say so.

    Parameters
    ----------
    limit
        Bytes that may be kept.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = 0
        self._kept: OrderedDict[Hashable, NDArray[np.float32]] = OrderedDict()

    def get(self, key: Hashable) -> NDArray[np.float32] | None:
        """Return activations ``(head, y, x)``, or None where they are not known."""
        activations = self._kept.get(key)
        if activations is not None:
            self._kept.move_to_end(key)
        return activations

    def put(self, key: Hashable, activations: NDArray[np.float32]) -> None:
        """Remember activations, which must not be changed afterwards."""
        if activations.nbytes > self._limit or key in self._kept:
            return
        self._kept[key] = activations
        self._bytes += activations.nbytes
        while self._bytes > self._limit:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= oldest.nbytes
