"""Objects of a movie, followed from frame to frame by laptrack.

The linear assignment of Jaqaman 2008 (10.1038/nmeth.1237) as the library laptrack solves it:
first neighbouring frames, then gaps and divisions. Overlap, by which slices of a stack are
linked, loses what moves by more than its own width, and knows no divisions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib import import_module
from importlib.util import find_spec
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_slicewise.errors import RequestError
from napari_slicewise.instances.link import Index, Links

__all__ = ["Division", "check_tracking", "find_spots", "parents_of", "track"]

Division = tuple[tuple[Index, int], tuple[Index, int]]
"""A mother and one of her daughters: frame and local number of each."""

LARGEST_STEP = 1.0  # of the objects' usual diameter, from frame to frame
LARGEST_STEP_OVER_GAP = 1.5
DAUGHTER_DISTANCE = 1.0


def check_tracking(axis: str, *, link: bool) -> None:
    """Refuse to track what is no movie, or where the library is not installed.

    Parameters
    ----------
    axis
        Name of the axis that objects are linked through; empty where it has none.
    link
        Whether they are linked at all.

    Raises
    ------
    RequestError
        When there is nothing to track, or nothing to track with.
    """
    if not link or axis.casefold() not in ("t", ""):
        raise RequestError(
            "Only linked objects of a movie are tracked, along its axis t.",
            "Leave out the tracking.",
        )
    if find_spec("laptrack") is None:
        raise RequestError(
            "To follow objects through a movie takes the library laptrack.",
            'Install it: pip install "napari-slicewise[tracking]".',
        )


def find_spots(labels: NDArray[Any]) -> NDArray[np.float64]:  # (object, 3)
    """Return row, column and area of the objects 1..n of a frame, in pixels."""
    count = int(labels.max(initial=0))
    numbers = np.arange(1, count + 1)
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    centres = ndi.center_of_mass(np.ones(labels.shape, np.uint8), labels, numbers)
    found: NDArray[np.float64] = np.column_stack([np.reshape(centres, (-1, 2)), areas])
    return found


def track(spots: Mapping[Index, NDArray[np.float64]], gap: int) -> tuple[Links, list[Division]]:
    """Follow objects along the last leading axis.

    Parameters
    ----------
    spots
        Of each frame, as :func:`find_spots` gives them; every object is in its row.
    gap
        In how many frames in a row an object may be missing.

    Returns
    -------
    links
        Which objects are one, by local numbers; not those of a mother and her daughters.
    divisions
        Mothers and daughters.
    """
    links: Links = {}
    divisions: list[Division] = []
    for _, frames in groupby(sorted(spots), key=lambda index: index[:-1]):
        found = _track_movie(list(frames), spots, gap)
        links |= found[0]
        divisions += found[1]
    return links, divisions


def _track_movie(
    frames: list[Index], spots: Mapping[Index, NDArray[np.float64]], gap: int
) -> tuple[Links, list[Division]]:
    areas = np.concatenate([spots[index][:, 2] for index in frames])
    if len(frames) < 2 or not areas.size:
        return {}, []
    laptrack: Any = import_module("laptrack")  # with pandas and scikit-learn: a second
    diameter = 2 * np.sqrt(np.median(areas) / np.pi)
    # Frames that were not asked for count as empty ones.
    first, last = frames[0][-1], frames[-1][-1]
    by_time = {index[-1]: spots[index][:, :2] / diameter for index in frames}
    nothing = np.zeros((0, 2))
    tracker = laptrack.LapTrack(
        cutoff=LARGEST_STEP**2,
        gap_closing_cutoff=LARGEST_STEP_OVER_GAP**2 if gap else False,
        gap_closing_max_frame_count=gap + 1,  # how much later, not how many are missing
        splitting_cutoff=DAUGHTER_DISTANCE**2,
    )
    tree = tracker.predict([by_time.get(time, nothing) for time in range(first, last + 1)])
    outer = frames[0][:-1]
    pairs: dict[tuple[Index, Index], list[tuple[int, int]]] = {}
    divisions: list[Division] = []
    for mother, daughter in sorted(tree.edges):
        ends = [((*outer, first + time), int(spot) + 1) for time, spot in (mother, daughter)]
        if tree.out_degree(mother) > 1:
            divisions.append((ends[0], ends[1]))
        else:
            pairs.setdefault((ends[0][0], ends[1][0]), []).append((ends[0][1], ends[1][1]))
    return {where: np.array(found, np.int64) for where, found in pairs.items()}, divisions


def parents_of(
    divisions: Collection[Division], tables: Mapping[Index, NDArray[np.uint32]]
) -> dict[int, int]:
    """Return the mother of each daughter, by the numbers of the movie.

    Parameters
    ----------
    divisions
        By local numbers.
    tables
        ``(n + 1,)`` for each frame: the numbers of its objects, 0 for those left out.
    """
    found = {}
    for (before, mother), (after, daughter) in divisions:
        numbers = int(tables[before][mother]), int(tables[after][daughter])
        if all(numbers):
            found[numbers[1]] = numbers[0]
    return found
