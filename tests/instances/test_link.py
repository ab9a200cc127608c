"""The links of a stack are what overlaps say, however they are found, and number its objects."""

from __future__ import annotations

import numpy as np
import pytest

from napari_slicewise.errors import OutputError, RequestError
from napari_slicewise.instances import link
from napari_slicewise.instances.link import LinkOptions, find_links, number_objects, overlaps


def squares(*boxes):
    labels = np.zeros((20, 20), np.uint32)
    for number, (y, x, side) in enumerate(boxes, 1):
        labels[y : y + side, x : x + side] = number
    return labels


def stack(*slices):
    return {(z,): labels for z, labels in enumerate(slices)}


def numbered(slices, options=None, **changes):
    """The stack with the numbers of its objects."""
    links = find_links(slices, options or LinkOptions(**changes))
    counts = {index: int(labels.max(initial=0)) for index, labels in slices.items()}
    tables = number_objects(counts, links, changes.get("least_slices", 1))
    return {index: tables[index][labels] for index, labels in slices.items()}


def test_overlap_is_intersection_over_union():
    found = overlaps(squares((0, 0, 4)), squares((0, 2, 4), (0, 0, 1)))
    assert found.one.tolist() == [1, 1]
    assert found.other.tolist() == [1, 2]
    np.testing.assert_allclose(found.iou, [8 / 24, 1 / 16])
    np.testing.assert_allclose(found.covered, [1 / 2, 1])


def test_slices_without_objects_overlap_nowhere():
    for one, other in ((squares(), squares((0, 0, 4))), (squares(), squares())):
        assert overlaps(one, other).iou.size == 0


def test_numbers_follow_the_order_of_slices_whatever_the_order_of_dictionaries():
    counts = {(2,): 2, (0,): 1, (1,): 2}
    links = {((1,), (2,)): np.array([[2, 1]]), ((0,), (1,)): np.array([[1, 2]])}
    tables = number_objects(counts, links)
    assert {index: table.tolist() for index, table in tables.items()} == {
        (0,): [0, 1],
        (1,): [0, 2, 1],
        (2,): [0, 1, 3],
    }
    again = number_objects(dict(reversed(counts.items())), dict(reversed(links.items())))
    assert all(np.array_equal(again[index], tables[index]) for index in tables)
    assert all(table.dtype == np.uint32 for table in tables.values())


def test_slices_without_objects_have_numbers_too():
    assert number_objects({}, {}) == {}
    assert number_objects({(0,): 0, (1,): 0}, {})[1,].tolist() == [0]


def test_more_objects_than_numbers_are_refused_and_never_wrap(monkeypatch):
    monkeypatch.setattr(link, "LARGEST_NUMBER", 3)
    assert number_objects({(0,): 3}, {})[0,].tolist() == [0, 1, 2, 3]
    with pytest.raises(OutputError, match="more than 3 objects"):
        number_objects({(0,): 4}, {})


def test_links_along_another_axis_than_the_last_are_refused():
    with pytest.raises(ValueError, match="last leading axis"):
        number_objects({(0, 0): 1, (1, 0): 1}, {((0, 0), (1, 0)): np.array([[1, 1]])})


def test_an_object_that_is_missing_in_one_slice_keeps_its_number():
    slices = stack(squares((0, 0, 6)), squares((10, 10, 4)), squares((0, 0, 6)))
    assert [labels[1, 1] for labels in numbered(slices).values()] == [1, 0, 1]


def test_an_empty_slice_between_full_ones_changes_no_number():
    full = squares((0, 0, 6), (10, 10, 6))
    found = numbered(stack(full, squares(), full, squares(), full))
    assert all(np.array_equal(found[z,], full) for z in (0, 2, 4))
    assert not found[1,].any()


def test_a_wider_gap_than_allowed_ends_an_object():
    full, empty = squares((0, 0, 8)), squares()
    ends = [
        numbered(stack(full, *[empty] * missing, full), gap=gap)[missing + 1,].max()
        for missing, gap in ((1, 0), (1, 1), (2, 1), (2, 2), (3, 2))
    ]
    assert ends == [2, 1, 2, 1, 2]


def test_an_object_that_goes_on_is_not_linked_over_a_gap():
    """The lower object goes on under the second one, which begins beside it."""
    lower, upper = squares((0, 0, 8)), squares((0, 0, 8), (0, 8, 8))
    moved = squares((0, 0, 8), (0, 2, 1))
    found = numbered(stack(lower, lower, moved, upper))
    assert [labels[7, 0] for labels in found.values()] == [1, 1, 1, 1]
    assert len(np.unique(found[3,])) == 3


def test_unconnected_pieces_never_share_a_number():
    """Two pieces over one object, and two objects far apart with the same local number."""
    one = squares((0, 0, 9))
    pieces = squares((0, 0, 4), (0, 5, 4), (14, 14, 4))
    found = numbered(stack(one, pieces, squares((14, 14, 4)), squares(), one))
    assert sorted(np.unique(found[1,])) == [0, 1, 2, 3]
    assert found[2,].max() == found[1,][15, 15] == 3
    assert found[4,].max() == 4


def test_a_gap_thicker_than_the_object_is_wide_is_not_bridged():
    small, wide = squares((0, 0, 3)), squares((0, 0, 12))
    for anisotropy, ends in ((1.0, (1, 1)), (5.0, (2, 1)), (20.0, (2, 2))):
        found = [
            numbered(stack(one, squares(), one), anisotropy=anisotropy)[2,].max()
            for one in (small, wide)
        ]
        assert tuple(found) == ends


def test_over_a_gap_objects_must_agree_more_closely_than_from_slice_to_slice():
    large, cap, alike = squares((0, 0, 10)), squares((1, 1, 7)), squares((0, 0, 9))
    for other, next_to, over_gap in ((cap, 1, 2), (alike, 1, 1)):
        assert numbered(stack(large, other))[1,].max() == next_to
        assert numbered(stack(large, squares(), other))[2,].max() == over_gap


def test_slices_that_agree_too_little_are_not_linked_where_so_much_is_asked_for():
    slices = stack(squares((0, 0, 12)), squares((0, 0, 12)), squares((4, 4, 6)))
    ends = [numbered(slices, least_iou=iou)[2,].max() for iou in (0.0, 0.2, 0.3)]
    assert ends == [1, 1, 2]


def test_chunks_that_overlap_by_the_reach_give_the_links_of_the_whole_stack():
    rng = np.random.default_rng(3)
    slices = {
        (z,): squares(*((y, x, 5) for y, x in rng.integers(0, 15, (rng.integers(4), 2))))
        for z in range(30)
    }
    options = LinkOptions(gap=2)
    links = {}
    for start in range(0, 30, 4):
        chunk = {(z,): slices[z,] for z in range(start, min(start + 4 + options.reach, 30))}
        links |= find_links(chunk, options)
    whole = find_links(slices, options)
    assert links.keys() == whole.keys()
    assert all(np.array_equal(links[pair], whole[pair]) for pair in whole)


def test_nothing_is_bridged_over_a_slice_that_is_still_to_come():
    full = squares((0, 0, 8))
    known = {(0,): full, (2,): full}
    assert find_links(known, LinkOptions(), indices=((0,), (1,), (2,))) == {}
    assert len(find_links(known, LinkOptions())) == 1


def test_objects_of_too_few_slices_are_left_out_unless_the_border_cuts_them():
    long, short, cut = (0, 0, 6), (7, 0, 6), (14, 0, 6)
    slices = stack(
        squares(cut), squares(long), squares(short, long), squares(long, short), squares()
    )
    assert [int(labels.max()) for labels in numbered(slices, least_slices=2).values()] == [
        *(1, 2, 3, 3, 0)
    ]
    found = numbered(slices, least_slices=3)
    assert [np.unique(labels).tolist() for labels in found.values()] == [
        *([0, 1], [0, 2], [0, 2], [0, 2], [0])
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"least_slices": 0},
        {"least_iou": -1},
        {"least_covered": 0},
        {"least_covered": 1.1},
        {"gap": -1},
        {"anisotropy": 0},
    ],
)
def test_impossible_options_are_refused(wrong):
    with pytest.raises(RequestError):
        LinkOptions(**wrong)
