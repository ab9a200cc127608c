"""Objects keep their number from slice to slice, and nothing else gets it."""

from __future__ import annotations

import numpy as np

from napari_slicewise.instances.link import SliceLinker, overlaps


def squares(*boxes):
    labels = np.zeros((20, 20), np.uint32)
    for number, (y, x, side) in enumerate(boxes, 1):
        labels[y : y + side, x : x + side] = number
    return labels


def indices(n):
    return tuple((z,) for z in range(n))


def test_overlap_is_intersection_over_union():
    found = overlaps(squares((0, 0, 4)), squares((0, 2, 4), (0, 0, 1)))
    assert found.one.tolist() == [1, 1]
    assert found.other.tolist() == [1, 2]
    np.testing.assert_allclose(found.iou, [8 / 24, 1 / 16])
    np.testing.assert_allclose(found.covered, [1 / 2, 1])


def test_the_small_cap_of_an_object_keeps_its_number():
    linker = SliceLinker(indices(2), link=True)
    linker.link((0,), squares((0, 0, 12)))
    assert linker.link((1,), squares((4, 4, 3))).max() == 1


def test_a_speck_inside_does_not_take_the_number_from_the_true_continuation():
    linker = SliceLinker(indices(2), link=True)
    linker.link((0,), squares((0, 0, 12)))
    second = linker.link((1,), squares((0, 0, 2), (3, 1, 12)))
    assert second[8, 8] == 1
    assert second[0, 0] == 2


def test_an_object_keeps_its_number_and_a_new_one_gets_another():
    linker = SliceLinker(indices(2), link=True)
    assert linker.link((0,), squares((0, 0, 5))).max() == 1
    second = linker.link((1,), squares((10, 10, 5), (0, 1, 5)))
    assert second[12, 12] == 2
    assert second[2, 3] == 1


def test_two_pieces_over_one_object_do_not_share_its_number():
    linker = SliceLinker(indices(2), link=True)
    linker.link((0,), squares((0, 0, 8)))
    split = squares((0, 0, 5), (5, 0, 3))
    second = linker.link((1,), split)
    assert len(np.unique(second[second > 0])) == 2
    assert second[1, 1] == 1


def test_slices_outwards_from_the_middle_link_as_from_the_bottom():
    stack = [squares((0, z, 6), (10, 10, 6)) for z in range(7)]
    for order in (range(7), (3, 2, 4, 1, 5, 0, 6)):
        linker = SliceLinker(indices(7), link=True)
        done = {z: linker.link((z,), stack[z]) for z in order}
        for z in range(7):
            assert done[z][1, z + 1] == done[3][1, 4]
            assert done[z][12, 12] == done[3][12, 12]


def test_an_empty_slice_ends_an_object():
    linker = SliceLinker(indices(3), link=True)
    linker.link((0,), squares((0, 0, 5)))
    assert linker.link((1,), squares()).max() == 0
    assert linker.link((2,), squares((0, 0, 5))).max() == 2


def test_time_points_are_not_linked_where_only_z_is():
    linker = SliceLinker(((0, 0), (0, 1), (1, 0)), link=True)
    first = linker.link((0, 0), squares((0, 0, 5)))
    assert linker.link((0, 1), squares((0, 0, 5))).max() == first.max()
    assert linker.link((1, 0), squares((0, 0, 5))).max() == 2


def test_without_linking_numbers_are_unique_in_the_stack():
    linker = SliceLinker(indices(2), link=False)
    assert linker.link((0,), squares((0, 0, 5), (10, 0, 5))).max() == 2
    assert np.unique(linker.link((1,), squares((0, 0, 5)))).tolist() == [0, 3]


def test_only_slices_that_wait_for_a_neighbour_are_remembered():
    linker = SliceLinker(indices(50), link=True)
    for z in range(50):
        linker.link((z,), squares((0, 0, 5)))
        assert len(linker._done) <= 1
