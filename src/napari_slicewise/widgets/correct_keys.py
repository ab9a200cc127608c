"""Keys of the tools, on the canvas, while the selected layer can be corrected."""

from __future__ import annotations

from collections.abc import Callable

from napari.layers import Labels

__all__ = ["CorrectKeys"]

_ENDS = ("Enter", "Escape")


class CorrectKeys:
    """Binds keys to one layer at a time: napari hands keys to the selected layer first."""

    def __init__(self) -> None:
        self._acts: dict[str, Callable[[], None]] = {}
        self._layer: Labels | None = None
        self._ends: tuple[Callable[[], None], ...] = ()  # what Enter and Esc do

    def add(self, key: str, act: Callable[[], None]) -> None:
        """Remember what a key does, in napari's spelling of keys."""
        self._acts[key] = act

    def bind(self, layer: Labels) -> None:
        """Let the keys work on a layer; what others have bound there stays theirs."""
        self.unbind()
        self._layer = layer
        for key, act in self._acts.items():
            self._bind(key, act)

    def unbind(self) -> None:
        """Give all keys back."""
        self.release_ends()
        layer, self._layer = self._layer, None
        if layer is not None:
            for act in self._acts.values():
                _unbind(layer, act)

    def take_ends(self, enter: Callable[[], None], escape: Callable[[], None]) -> None:
        """Take Enter and Esc too, which are napari's own while no tool is chosen."""
        if self._layer is not None and not self._ends:
            self._ends = (enter, escape)
            for key, act in zip(_ENDS, self._ends, strict=True):
                self._bind(key, act)

    def release_ends(self) -> None:
        """Give Enter and Esc back to napari."""
        if self._layer is not None:
            for act in self._ends:
                _unbind(self._layer, act)
        self._ends = ()

    def _bind(self, key: str, act: Callable[[], None]) -> None:
        def pressed(_layer: Labels) -> None:
            act()

        pressed.act = act
        try:
            self._layer.bind_key(key, pressed)
        except ValueError:  # another plugin's, or the user's own
            return


def _unbind(layer: Labels, act: Callable[[], None]) -> None:
    for binding, bound in list(layer.keymap.items()):
        if getattr(bound, "act", None) == act:
            layer.bind_key(binding, None)
