"""How sure the network was of the objects that it drew, kept until a slice is drawn anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from napari_slicewise.io.source import SliceIndex

__all__ = ["Confidence"]


class Confidence:
    """Mean probability of each object on each slice, by the number that it has in the labels."""

    def __init__(self) -> None:
        self._means: dict[SliceIndex, dict[int, float]] = {}

    def put(self, index: SliceIndex, means: Mapping[int, float]) -> None:
        """Take what a run says of the objects of a slice, 0..1."""
        if means:
            self._means[index] = dict(means)

    def forget(self, index: SliceIndex) -> None:
        """Know nothing of a slice any more."""
        self._means.pop(index, None)

    def rename(self, mapping: Mapping[int, int], indices: Iterable[SliceIndex]) -> None:
        """Follow objects that get other numbers, on some slices; 0 is no object."""
        for index in indices:
            means = self._means.get(index)
            if means is not None and not mapping.keys().isdisjoint(means):
                renamed = {mapping.get(number, number): mean for number, mean in means.items()}
                renamed.pop(0, None)
                self._means[index] = renamed

    def known(self) -> dict[SliceIndex, dict[int, float]]:
        """Return all of it, to be read while it changes."""
        return dict(self._means)

    def plain(self) -> list[Any]:
        """Return what JSON can hold."""
        return [
            [list(index), [[number, round(mean, 4)] for number, mean in sorted(means.items())]]
            for index, means in sorted(self._means.items())
        ]

    @classmethod
    def of_plain(cls, document: Any) -> Confidence:
        """Return what :meth:`plain` described; of what is none, nothing."""
        found = cls()
        try:
            for index, pairs in document or ():
                means = {int(number): float(mean) for number, mean in pairs}
                found.put(tuple(int(i) for i in index), means)
        except (TypeError, ValueError):
            return cls()
        return found
