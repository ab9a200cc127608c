"""Each tool in a real window, by mouse and keys, with undo and redo after it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import zarr
from qtpy.QtWidgets import QLabel, QPushButton
from support.canvas_hands import CanvasHands
from support.scripted_panel import Desk

SLICES = 5


def two_squares():
    """Objects 1 and 2 side by side on all slices but the middle one, 3 apart from them."""
    data = np.zeros((SLICES, 40, 60), np.uint16)
    data[:, 10:20, 10:20] = 1
    data[:, 10:20, 20:30] = 2
    data[:, 28:34, 40:50] = 3
    data[2] = 0
    data[1, 13:16, 13:16] = 0  # a hole in object 1
    data[1, 2:4, 2:4] = 1  # a piece of it elsewhere
    return data


@pytest.fixture(params=["numpy", "zarr"])
def array(request, tmp_path):
    if request.param == "numpy":
        return two_squares()
    stored = zarr.create_array(
        str(tmp_path / "labels.zarr"), shape=(SLICES, 40, 60), chunks=(1, 20, 30), dtype="u2"
    )
    stored[:] = two_squares()
    return stored


@pytest.fixture
def bench(make_napari_viewer, controller, model_specs, qtbot, array):
    desk = Desk(make_napari_viewer(show=True), controller, qtbot)
    return Bench(desk, qtbot, array)


class Bench:
    """Labels in a window, with the Correct tab in front."""

    def __init__(self, desk, qtbot, array, **kwargs):
        self.desk, self.qtbot = desk, qtbot
        self.layer = desk.viewer.add_labels(array, **kwargs)
        desk.viewer.dims.set_current_step(0, 1)
        desk.panel.show_tab("Correct")
        self.hands = CanvasHands(desk.viewer, qtbot)
        self.corrector = desk.panel.correct.corrector

    @property
    def labels(self):
        return np.array(self.layer.data)

    @property
    def hint(self):
        return self.desk.find("correct_hint", QLabel).text()

    def press(self, name):
        self.desk.find(f"tool_{name}", QPushButton).click()

    def everywhere(self):
        self.desk.find("correct_where").choose("stack")

    def wait(self):
        self.qtbot.waitUntil(lambda: not self.corrector.busy, timeout=10_000)

    def shown(self):
        """The numbers that are drawn at this moment."""
        return np.asarray(self.layer._slice.image.raw)

    def check(self, expected):
        """After a tool: the expected labels, one step of undo and redo, and the picture."""
        self.wait()
        before = two_squares()
        np.testing.assert_array_equal(self.labels, expected)
        np.testing.assert_array_equal(self.shown(), expected[1])
        self.hands.undo()
        np.testing.assert_array_equal(self.labels, before)
        np.testing.assert_array_equal(self.shown(), before[1])
        self.hands.redo()
        np.testing.assert_array_equal(self.labels, expected)
        np.testing.assert_array_equal(self.shown(), expected[1])
        self.hands.undo()
        np.testing.assert_array_equal(self.labels, before)


def test_two_clicks_and_enter_merge_objects_on_this_slice(bench):
    bench.press("merge")
    assert "Enter merges" in bench.hint
    bench.hands.click(bench.layer, (1, 11, 12))
    bench.hands.click(bench.layer, (1, 15, 25))
    bench.hands.type("Return")
    expected = two_squares()
    expected[1][expected[1] == 2] = 1
    bench.check(expected)


def test_a_stroke_over_objects_merges_them_on_all_slices(bench):
    bench.everywhere()
    bench.press("merge")
    bench.hands.drag(bench.layer, (1, 11, 12), (1, 11, 27))
    expected = two_squares()
    expected[expected == 2] = 1
    bench.check(expected)


def test_a_line_splits_an_object(bench):
    bench.press("split")
    bench.hands.drag(bench.layer, (1, 25, 45), (1, 37, 45))
    bench.wait()
    parts = bench.labels[1, 28:34, 40:50]
    assert set(np.unique(parts)) == {3, 4}
    assert (parts[:, :4] == parts[0, 0]).all()
    assert (parts[:, 7:] == parts[0, -1]).all()
    bench.check(bench.labels)


def test_seeds_split_an_object_in_three_dimensions(bench):
    data = two_squares()
    data[1:] = 0
    data[1:4, 10:20, 10:19] = 7
    data[1:4, 10:20, 21:30] = 7
    data[1:4, 14:16, 19:21] = 7
    bench.layer.data[:] = data
    bench.layer.refresh()
    bench.everywhere()
    bench.press("seeds")
    bench.hands.click(bench.layer, (1, 12, 12))
    bench.hands.click(bench.layer, (1, 12, 27))
    bench.hands.type("Return")
    bench.wait()
    left, right = bench.labels[1:4, 10:20, 10:19], bench.labels[1:4, 10:20, 21:30]
    assert len(np.unique(left)) == len(np.unique(right)) == 1
    assert left[0, 0, 0] != right[0, 0, 0]
    bench.hands.undo()
    np.testing.assert_array_equal(bench.labels, data)
    bench.hands.redo()
    assert (bench.labels[1:4, 10:20, 10:19] == left).all()


def test_delete_acts_on_the_object_under_the_mouse_when_its_key_is_pressed(bench):
    bench.hands.rest(bench.layer, (1, 15, 25))
    bench.hands.type("D")
    expected = two_squares()
    expected[1][expected[1] == 2] = 0
    bench.check(expected)


def test_delete_by_click_on_all_slices(bench):
    bench.everywhere()
    bench.press("delete")
    bench.hands.click(bench.layer, (1, 30, 45))
    expected = two_squares()
    expected[expected == 3] = 0
    bench.check(expected)


def test_holes_are_filled(bench):
    bench.press("fill")
    bench.hands.click(bench.layer, (1, 11, 12))
    expected = two_squares()
    expected[1, 13:16, 13:16] = 1
    bench.check(expected)


def test_the_largest_piece_is_kept(bench):
    bench.press("largest")
    bench.hands.click(bench.layer, (1, 11, 12))
    expected = two_squares()
    expected[1, 2:4, 2:4] = 0
    bench.check(expected)


def test_growing_leaves_the_neighbour_alone(bench):
    bench.press("grow")
    bench.hands.click(bench.layer, (1, 15, 25))
    expected = two_squares()
    expected[1, 9, 20:30] = expected[1, 20, 20:30] = expected[1, 10:20, 30] = 2
    bench.check(expected)


def test_shrinking_takes_a_border_off(bench):
    bench.press("shrink")
    bench.hands.click(bench.layer, (1, 30, 45))
    expected = two_squares()
    expected[1, 28:34, 40:50] = 0
    expected[1, 29:33, 41:49] = 3
    bench.check(expected)


def test_smoothing_rounds_the_corners_off(bench):
    bench.desk.find("correct_pixels").setValue(2)
    bench.press("smooth")
    bench.hands.click(bench.layer, (1, 30, 45))
    bench.wait()
    assert bench.labels[1, 28, 40] == 0
    assert bench.labels[1, 31, 45] == 3
    bench.check(bench.labels)


def test_interpolation_fills_the_slice_between_two(bench):
    bench.hands.rest(bench.layer, (1, 30, 45))
    bench.hands.type("I")
    expected = two_squares()
    expected[2, 28:34, 40:50] = 3
    bench.check(expected)


def test_objects_are_numbered_in_sequence(bench):
    data = two_squares()
    bench.layer.data[:] = data * 10
    bench.press("relabel")
    bench.wait()
    np.testing.assert_array_equal(bench.labels, data)
    bench.hands.undo()
    np.testing.assert_array_equal(bench.labels, data * 10)
    bench.hands.redo()
    np.testing.assert_array_equal(bench.labels, data)


def test_the_next_free_number_is_selected_for_the_brush(bench):
    bench.hands.type("N")
    bench.wait()
    assert bench.layer.selected_label == 4


def test_strokes_and_tools_are_taken_back_in_their_order(bench):
    layer, states = bench.layer, [bench.labels]
    layer.brush_size = 3
    for act in (
        lambda: layer.paint((1, 35, 5), 9),
        lambda: bench.press("relabel"),
        lambda: layer.paint((1, 35, 7), 8),
        lambda: (bench.hands.rest(layer, (1, 30, 45)), bench.hands.type("D")),
        lambda: layer.fill((1, 15, 25), 6),
    ):
        act()
        bench.wait()
        states.append(bench.labels)
    assert all((a != b).any() for a, b in pairwise(states))
    for _ in range(2):
        for state in states[-2::-1]:
            bench.hands.undo()
            np.testing.assert_array_equal(bench.labels, state)
        bench.hands.undo()
        np.testing.assert_array_equal(bench.labels, states[0])
        for state in states[1:]:
            bench.hands.redo()
            np.testing.assert_array_equal(bench.labels, state)
