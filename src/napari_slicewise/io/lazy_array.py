"""What all arrays that read from files have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from numpy.typing import NDArray

__all__ = ["LazyArray"]


class LazyArray(ABC):
    """An array that reads what is asked for; has ``shape``, is indexed like numpy's."""

    shape: tuple[int, ...]

    @abstractmethod
    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Read a part."""

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
        """Read everything."""
        array = self[...]
        return array if dtype is None else array.astype(dtype, copy=False)
