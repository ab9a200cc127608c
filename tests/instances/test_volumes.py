"""Objects that are left out for their volume in all slices together."""

from __future__ import annotations

import numpy as np
import pytest

from napari_slicewise.instances.link import find_links, number_objects
from napari_slicewise.instances.link_options import LinkOptions
from napari_slicewise.instances.volumes import Volumes


def stack():
    """Three columns through 1, 3 and 5 slices: of 4, 12 and 80 voxels; and their local numbers."""
    labels = np.zeros((5, 12, 12), np.uint32)
    labels[2, 0:2, 0:2] = 1
    labels[1:4, 5:7, 0:2] = 2
    labels[:, 4:8, 6:10] = 3
    slices = {}
    for z, one in enumerate(labels):
        present = [0, *np.unique(one[one > 0]).tolist()]
        slices[z,] = np.searchsorted(present, one).astype(np.uint32)
    return slices, labels


@pytest.mark.parametrize(
    ("smallest", "largest", "kept"),
    [
        (0, None, [1, 2, 3]),
        (4, None, [1, 2, 3]),
        (5, None, [2, 3]),
        (13, None, [3]),
        (0, 79, [1, 2]),
        (0, 80, [1, 2, 3]),
        (5, 12, [2]),
        (81, None, []),
    ],
)
def test_the_volume_of_all_slices_decides(smallest, largest, kept):
    slices, labels = stack()
    counts = {index: int(one.max()) for index, one in slices.items()}
    pixels = {index: np.bincount(one.ravel()) for index, one in slices.items()}
    links = find_links(slices, LinkOptions())
    tables = number_objects(counts, links, volumes=Volumes(pixels, smallest, largest))
    found = np.stack([tables[index][one] for index, one in sorted(slices.items())])
    np.testing.assert_array_equal(found > 0, np.isin(labels, kept))
    assert sorted(np.unique(found[found > 0])) == list(range(1, len(kept) + 1))


def test_no_slices_have_no_volumes():
    assert number_objects({}, {}, volumes=Volumes({}, 3)) == {}
