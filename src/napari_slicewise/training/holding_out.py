"""Which slices are scored and never trained on: whole images or whole slices, never patches."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from napari_slicewise.errors import RequestError
from napari_slicewise.training.pieces import group_of
from napari_slicewise.training.request import Annotation

__all__ = ["choose_held_out"]

_EACH = 5  # one of so many is held out
_FEWEST = 3  # of which one can be spared


def choose_held_out(
    annotations: Sequence[Annotation], wanted: tuple[str, ...] | None
) -> frozenset[str]:
    """Choose the annotations to be held out.

    A slice is most like its neighbours, and a patch like the slice it comes from: images
    are held out where there are several, else slices.

    Parameters
    ----------
    annotations
        All of them.
    wanted
        Names of annotations or groups; None chooses a fifth of the images, by a hash of
        their names, so that more images do not move one from one side to the other; of
        the slices of one or two images each fifth.

    Returns
    -------
    frozenset of str
        Names of annotations; empty where there are too few to spare one.

    Raises
    ------
    RequestError
        When a wanted name does not exist, or nothing would be left to learn from.
    """
    if wanted is not None:
        return _named(annotations, wanted)
    groups = sorted({group_of(a) for a in annotations})
    if len(groups) >= _FEWEST:
        digests = sorted((hashlib.sha256(name.encode()).digest(), name) for name in groups)
        low = sum(digest[0] < 256 // _EACH for digest, _ in digests)
        chosen = {name for _, name in digests[: max(1, min(low, len(groups) // 3))]}
        return frozenset(a.name for a in annotations if group_of(a) in chosen)
    names = [a.name for a in annotations]
    if len(names) < _FEWEST:
        return frozenset()
    return frozenset(names[min(_EACH // 2, len(names) // 2) :: _EACH])


def _named(annotations: Sequence[Annotation], wanted: tuple[str, ...]) -> frozenset[str]:
    known = {a.name for a in annotations} | {group_of(a) for a in annotations}
    missing = [name for name in wanted if name not in known]
    if missing:
        raise RequestError(
            f"There is no slice {missing[0]!r} to hold out.",
            f"There are: {', '.join(sorted(known)[:10])}.",
        )
    chosen = frozenset(a.name for a in annotations if {a.name, group_of(a)} & set(wanted))
    if len(chosen) == len(annotations):
        raise RequestError(
            "All slices are held out: nothing is left to learn from.", "Hold out fewer."
        )
    return chosen
