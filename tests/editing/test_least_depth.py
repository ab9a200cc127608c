"""Shallow objects are left out at the end of a run as they are where numbers are final."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi

from napari_slicewise.editing.least_depth import ObjectDepths
from napari_slicewise.editing.session import EditSession
from napari_slicewise.instances.link import LinkOptions, find_links, number_objects
from napari_slicewise.instances.slice_linker import SliceLinker
from napari_slicewise.io.source import ArraySource

DEPTH, SIDE = 9, 48


def blobs(seed):
    """Objects of one to several slices, numbered in each slice by itself."""
    noise = ndi.gaussian_filter(np.random.default_rng(seed).normal(size=(DEPTH, SIDE, SIDE)), 1.2)
    mask = noise > np.quantile(noise, 0.8)
    return {(z,): ndi.label(mask[z])[0].astype(np.uint32) for z in range(DEPTH)}


@pytest.mark.parametrize("least", [2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_a_run_in_any_order_ends_as_one_with_final_numbers(seed, least):
    slices = blobs(seed)
    counts = {index: int(labels.max()) for index, labels in slices.items()}
    tables = number_objects(counts, find_links(slices, LinkOptions()), least)
    expected = np.stack([tables[index][slices[index]] for index in sorted(slices)])
    assert (expected == 0).sum() > sum((labels == 0).sum() for labels in slices.values())

    session = EditSession(ArraySource(np.zeros((DEPTH, SIDE, SIDE), np.uint32)))
    depths, linker = ObjectDepths(), SliceLinker(list(slices), link=True)
    for place in np.random.default_rng(seed).permutation(DEPTH):
        index = (int(place),)
        linked = linker.link(index, slices[index])
        session.rename(linked.renamed)
        session.merge(index, linked.labels)
        depths.add(index, linked.labels, linked.renamed)
    for _ in depths.take_out(session, least):
        pass
    found = session.labels.data
    np.testing.assert_array_equal(found > 0, expected > 0)
    pairs = np.unique(np.stack([found[found > 0], expected[found > 0]]), axis=1)
    assert pairs.shape[1] == np.unique(found).size - 1 == np.unique(expected).size - 1
    assert depths.removed > 0
