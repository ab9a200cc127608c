"""The row of the panel that says where a run writes: into the labels that are there, or anew."""

from __future__ import annotations

from collections.abc import Sequence

from napari_slicewise.widgets.result_layer import ResultLayer
from napari_slicewise.widgets.rows import Choice

__all__ = ["IntoChooser"]

_NEW = "A new layer"


class IntoChooser(Choice):
    """Chooser of a result to write into; the latest one, unless the user wants another."""

    def __init__(self) -> None:
        super().__init__(
            "into",
            "Into",
            "Where the result is written. In labels that are there, all that you painted,\n"
            "corrected or locked stays as it is, and objects keep their numbers and colours.",
        )
        self._targets: dict[str, ResultLayer] = {}
        self._by_hand = False
        self.fill([(_NEW, "")])
        self.activated.connect(self._on_hand)

    @property
    def target(self) -> ResultLayer | None:
        """What to write into; None for a new layer."""
        return self._targets.get(self.currentData())

    def offer(self, targets: Sequence[ResultLayer]) -> None:
        """List what can be written into, the first of them being the usual choice."""
        known = {str(target.labels.unique_id): target for target in targets}
        if self._by_hand and self.currentData() and self.currentData() not in known:
            self._by_hand = False
        self._targets = known
        items = [(f"Labels “{t.labels.name}”", key) for key, t in known.items()]
        self.fill([*items, (_NEW, "")])
        if not self._by_hand:
            self.setCurrentIndex(0)
        self.setEnabled(bool(known))

    def forget(self) -> None:
        """Go back to the usual choice, once a run has begun."""
        self._by_hand = False

    def _on_hand(self) -> None:
        self._by_hand = True
