"""How many threads of the processor a training takes."""

from __future__ import annotations

import torch

__all__ = ["use_threads"]


def use_threads(count: int) -> None:
    """Compute with so many threads from now on; the results depend on it in the last digits."""
    torch.set_num_threads(count)
