"""Slices are held out whole, images before slices."""

import numpy as np
import pytest

from napari_slicewise.errors import RequestError
from napari_slicewise.training.holding_out import choose_held_out
from napari_slicewise.training.request import Annotation


def _slices(names, group=lambda _: ""):
    zeros = np.zeros((4, 4), np.uint8)
    return [Annotation(name, zeros, zeros, group=group(name)) for name in names]


def test_one_or_two_slices_can_spare_none():
    assert choose_held_out(_slices("a"), None) == frozenset()
    assert choose_held_out(_slices("ab"), None) == frozenset()


def test_a_fifth_of_the_images_is_held_out_whole():
    slices = _slices(
        [f"{i} {z}" for i in range(50) for z in range(3)], lambda name: name.split()[0]
    )
    held = choose_held_out(slices, None)
    images = {name.split()[0] for name in held}
    assert 5 <= len(images) <= 16
    assert len(held) == 3 * len(images)


def test_more_images_do_not_move_one_from_one_side_to_the_other():
    few = choose_held_out(_slices([f"i{n}" for n in range(40)]), None)
    more = choose_held_out(_slices([f"i{n}" for n in range(80)]), None)
    assert few == {name for name in more if int(name[1:]) < 40}


@pytest.mark.parametrize(("count", "held"), [(3, 1), (5, 1), (20, 4)])
def test_of_one_stack_each_fifth_slice_is_held_out(count, held):
    slices = _slices([f"z{n}" for n in range(count)], lambda _: "stack")
    assert len(choose_held_out(slices, None)) == held


def test_wanted_slices_and_images_are_held_out_and_unknown_ones_refused():
    slices = _slices(["a 1", "a 2", "b 1"], lambda name: name[0])
    assert choose_held_out(slices, ("a",)) == {"a 1", "a 2"}
    assert choose_held_out(slices, ("a 2",)) == {"a 2"}
    assert choose_held_out(slices, ()) == frozenset()
    with pytest.raises(RequestError, match="no slice 'c'"):
        choose_held_out(slices, ("c",))
    with pytest.raises(RequestError, match="nothing is left"):
        choose_held_out(slices, ("a", "b"))
