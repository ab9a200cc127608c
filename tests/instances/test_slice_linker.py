"""Objects keep their number from slice to slice, and nothing else gets it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_slicewise.errors import OutputError
from napari_slicewise.instances import link
from napari_slicewise.instances.final_numbers import FinalNumbers
from napari_slicewise.instances.link import LinkOptions, find_links, number_objects
from napari_slicewise.instances.slice_linker import SliceLinker


def squares(*boxes):
    labels = np.zeros((20, 20), np.uint32)
    for number, (y, x, side) in enumerate(boxes, 1):
        labels[y : y + side, x : x + side] = number
    return labels


def indices(n):
    return tuple((z,) for z in range(n))


def canonical(slices, options):
    """The numbered stack, found from all slices together."""
    counts = {index: int(labels.max(initial=0)) for index, labels in slices.items()}
    tables = number_objects(counts, find_links(slices, options), options.least_slices)
    return {index: tables[index][labels] for index, labels in slices.items()}


def linked(slices, order, options):
    """The stack as a panel has it in the end: slices in this order, renames applied."""
    linker, done, forgotten = SliceLinker(slices, link=True, options=options), {}, set()
    for index in order:
        one = linker.link(index, slices[index])
        assert forgotten.isdisjoint(np.unique(one.labels).tolist())
        assert not one.renamed.keys() & set(one.renamed.values())
        for earlier in done.values():
            for old, new in one.renamed.items():
                earlier[earlier == old] = new
        done[index] = one.labels
        forgotten |= one.renamed.keys()
    numbers = set().union(*(np.unique(labels).tolist() for labels in done.values())) - {0}
    assert linker.count == len(numbers)
    return done


def assert_same_objects(one, other):
    """The same partition: numbers translate one to one."""
    pairs = {(0, 0)}
    for index in one:
        assert np.array_equal(one[index] > 0, other[index] > 0)
        pairs.update(zip(one[index].ravel().tolist(), other[index].ravel().tolist(), strict=True))
    assert len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs)


any_options = st.builds(
    LinkOptions,
    gap=st.integers(0, 3),
    anisotropy=st.floats(0.1, 4),
    least_slices=st.integers(1, 4),
)

boxes = st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14), st.integers(1, 9)), max_size=4)


def relabelled(labels):
    """Objects 1..n without the numbers that were painted over."""
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape).astype(np.uint32)


@st.composite
def stacks(draw):
    """A stack, or a movie of stacks, with slices that never come."""
    depth, times = draw(st.integers(1, 8)), draw(st.sampled_from([None, 1, 2]))
    places = [(z,) if times is None else (t, z) for t in range(times or 1) for z in range(depth)]
    return {
        place: relabelled(squares((0, 0, 1), *draw(boxes))) if draw(st.booleans()) else squares()
        for place in places
        if draw(st.integers(0, 9))
    }


@settings(max_examples=150, deadline=None)
@given(stacks(), st.randoms(use_true_random=False), any_options)
def test_any_order_gives_the_same_objects_once_renames_are_made(slices, random, options):
    order = list(slices)
    random.shuffle(order)
    assert_same_objects(linked(slices, order, options), canonical(slices, options))


@settings(max_examples=100, deadline=None)
@given(stacks(), st.integers(0, 3))
def test_slices_in_order_get_the_final_numbers_at_once(slices, gap):
    options = LinkOptions(gap=gap)
    wanted = canonical(slices, options)
    linker = SliceLinker(slices, link=True, options=options)
    for index in sorted(slices):
        one = linker.link(index, slices[index])
        assert not one.renamed
        np.testing.assert_array_equal(one.labels, wanted[index])


@settings(max_examples=100, deadline=None)
@given(stacks(), any_options)
def test_slices_in_order_are_final_once_they_are_released(slices, options):
    wanted = canonical(slices, options)
    linker = SliceLinker(slices, link=True, options=options)
    numbers, released = FinalNumbers(linker), {}
    for arrived, index in enumerate(sorted(slices), 1):
        released.update(numbers.add(index, linker.link(index, slices[index])))
        assert arrived - len(released) <= options.gap + options.least_slices
        assert options.least_slices > 1 or arrived == len(released)
    released.update(numbers.finish())
    assert list(released) == sorted(slices)
    assert all(np.array_equal(released[i][slices[i]], wanted[i]) for i in slices)


@settings(max_examples=100, deadline=None)
@given(stacks(), st.integers(0, 3), st.integers(0, 16))
def test_a_run_that_was_interrupted_goes_on_as_if_it_had_not_been(slices, gap, done):
    options = LinkOptions(gap=gap)
    wanted = canonical(slices, options)
    order = sorted(slices)
    written, left = order[:done], order[done:]
    largest = max((int(wanted[index].max()) for index in written), default=0)
    linker = SliceLinker(left, link=True, options=options, largest=largest)
    for index in written:
        if left and index[:-1] == left[0][:-1] and index[-1] >= left[0][-1] - linker.reach:
            linker.prime(index, wanted[index])
    numbers, released = FinalNumbers(linker, largest), {}
    for index in left:
        released.update(numbers.add(index, linker.link(index, slices[index])))
    released.update(numbers.finish())
    for index in left:
        np.testing.assert_array_equal(released[index][slices[index]], wanted[index])


def test_slices_from_which_objects_were_left_out_are_not_gone_on_after():
    """Where they were is not in the file: a gap would be bridged through one of them."""
    linker = SliceLinker(indices(3), link=True, options=LinkOptions(least_slices=2))
    with pytest.raises(ValueError, match="left out"):
        linker.prime((0,), squares((0, 0, 12)))


def test_the_small_cap_of_an_object_keeps_its_number():
    linker = SliceLinker(indices(2), link=True)
    linker.link((0,), squares((0, 0, 12)))
    assert linker.link((1,), squares((4, 4, 3))).labels.max() == 1


def test_a_speck_inside_does_not_take_the_number_from_the_true_continuation():
    linker = SliceLinker(indices(2), link=True)
    linker.link((0,), squares((0, 0, 12)))
    second = linker.link((1,), squares((0, 0, 2), (3, 1, 12))).labels
    assert second[8, 8] == 1
    assert second[0, 0] == 2


def test_an_object_keeps_its_number_and_a_new_one_gets_another():
    linker = SliceLinker(indices(2), link=True)
    assert linker.link((0,), squares((0, 0, 5))).labels.max() == 1
    second = linker.link((1,), squares((10, 10, 5), (0, 1, 5))).labels
    assert second[12, 12] == 2
    assert second[2, 3] == 1


def test_two_pieces_over_one_object_do_not_share_its_number():
    linker = SliceLinker(indices(2), link=True)
    linker.link((0,), squares((0, 0, 8)))
    second = linker.link((1,), squares((0, 0, 5), (5, 0, 3))).labels
    assert len(np.unique(second[second > 0])) == 2
    assert second[1, 1] == 1


def test_slices_outwards_from_the_middle_link_as_from_the_bottom():
    stack = [squares((0, z, 6), (10, 10, 6)) for z in range(7)]
    for order in (range(7), (3, 2, 4, 1, 5, 0, 6)):
        linker = SliceLinker(indices(7), link=True)
        done = {z: linker.link((z,), stack[z]).labels for z in order}
        for z in range(7):
            assert done[z][1, z + 1] == done[3][1, 4]
            assert done[z][12, 12] == done[3][12, 12]


def test_a_slice_between_two_others_says_that_their_objects_are_one():
    full = squares((0, 0, 8), (10, 10, 8))
    linker = SliceLinker(indices(3), link=True)
    linker.link((0,), full)
    assert linker.link((2,), full).labels.max() == 4
    between = linker.link((1,), full)
    assert between.renamed == {3: 1, 4: 2}
    np.testing.assert_array_equal(between.labels, full)
    assert linker.count == 2


def test_without_gaps_an_empty_slice_ends_an_object():
    linker = SliceLinker(indices(3), link=True, options=LinkOptions(gap=0))
    linker.link((0,), squares((0, 0, 5)))
    assert linker.link((1,), squares()).labels.max() == 0
    assert linker.link((2,), squares((0, 0, 5))).labels.max() == 2


def test_time_points_are_not_linked_where_only_z_is():
    linker = SliceLinker(((0, 0), (0, 1), (1, 0)), link=True)
    first = linker.link((0, 0), squares((0, 0, 5))).labels
    assert linker.link((0, 1), squares((0, 0, 5))).labels.max() == first.max()
    assert linker.link((1, 0), squares((0, 0, 5))).labels.max() == 2


def test_without_linking_numbers_are_unique_in_the_stack():
    linker = SliceLinker(indices(2), link=False)
    assert linker.link((0,), squares((0, 0, 5), (10, 0, 5))).labels.max() == 2
    assert np.unique(linker.link((1,), squares((0, 0, 5))).labels).tolist() == [0, 3]


@pytest.mark.parametrize("gap", [0, 1, 3])
def test_only_slices_that_wait_for_a_neighbour_are_remembered(gap):
    linker = SliceLinker(indices(50), link=True, options=LinkOptions(gap=gap))
    for z in range(50):
        linker.link((z,), squares((0, 0, 5)))
        assert len(linker._finder.remembered) == len(linker._tables) <= gap + 1
    assert not linker._tables


def test_numbers_never_wrap(monkeypatch):
    monkeypatch.setattr(link, "LARGEST_NUMBER", 2)
    linker = SliceLinker(indices(2), link=False)
    linker.link((0,), squares((0, 0, 5), (10, 0, 5)))
    with pytest.raises(OutputError, match="more than 2 objects"):
        linker.link((1,), squares((0, 0, 5)))


@pytest.mark.parametrize("done", [1, 2])
def test_ties_are_broken_after_an_interruption_as_they_were_before(done):
    wide = np.zeros((20, 20), np.uint32)
    wide[:4, :12] = 1
    # In the second slice the object of the first is the second one; the third covers both alike.
    stack = [squares((0, 8, 4)), squares((0, 0, 4), (0, 8, 4)), wide]
    slices = {(z,): labels for z, labels in enumerate(stack)}
    wanted = canonical(slices, LinkOptions())
    assert wanted[(2,)].max() == 2  # the first of the second slice, not the smaller number
    written = sorted(slices)[:done]
    largest = max(int(wanted[index].max()) for index in written)
    linker = SliceLinker(sorted(slices)[done:], link=True, largest=largest)
    for index in written:
        linker.prime(index, wanted[index])
    for index in sorted(slices)[done:]:
        np.testing.assert_array_equal(linker.link(index, slices[index]).labels, wanted[index])
