"""Tools, strokes, undo and the machine on one labels layer: nothing stale comes back."""

from __future__ import annotations

import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from napari.layers import Labels

from napari_slicewise.editing.edits import Edit
from napari_slicewise.editing.errors import EditError
from napari_slicewise.editing.session import EditSession
from napari_slicewise.io.source import ArraySource
from napari_slicewise.widgets.edit_layer import EditLayer, edit_layer_of, reason_against_editing


def change(data, where, new):
    """The edit that gives voxels another number."""
    old = np.asarray(data)[where]
    return Edit.of_points(np.nonzero(where), old, np.full(old.shape, new, old.dtype))


def machine(number, box):
    values = np.zeros((8, 10), np.uint32)
    values[box] = number
    return values


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.mark.parametrize("shape", [(8, 10), (3, 8, 10), (2, 3, 8, 10), (2, 2, 3, 8, 10)])
@pytest.mark.parametrize("kind", ["numpy", "zarr"])
@pytest.mark.parametrize("reverse", [False, True])
def test_an_edit_is_one_step_in_any_number_of_dimensions(viewer, shape, kind, reverse):
    start = np.random.default_rng(0).integers(0, 4, shape, dtype=np.uint16)
    data = start.copy() if kind == "numpy" else zarr.array(start)
    layer = viewer.add_labels(data)
    if reverse:
        viewer.dims.order = viewer.dims.order[::-1]
    edits = edit_layer_of(layer)
    edits.apply(change(start, start == 2, 9), viewer.dims)
    expected = np.where(start == 2, 9, start)
    np.testing.assert_array_equal(np.array(layer.data), expected)
    layer.undo()
    np.testing.assert_array_equal(np.array(layer.data), start)
    layer.redo()
    np.testing.assert_array_equal(np.array(layer.data), expected)
    shown = np.asarray(layer._slice.image.raw)
    order = viewer.dims.order
    step = viewer.dims.current_step
    at = tuple(slice(None) if a in order[-2:] else step[a] for a in range(len(shape)))
    plane = expected[at]
    np.testing.assert_array_equal(shown, plane.T if reverse else plane)


def test_an_edit_with_many_numbers_is_one_step(viewer):
    start = np.arange(80).reshape(8, 10)
    layer = viewer.add_labels(start.copy())
    edits = edit_layer_of(layer)
    edit = Edit.of_points(np.nonzero(start > 0), start[start > 0], start[start > 0] + 100)
    edits.apply(edit)
    assert len(layer._undo_history) == 1
    layer.undo()
    np.testing.assert_array_equal(layer.data, start)
    layer.redo()
    np.testing.assert_array_equal(layer.data, np.where(start > 0, start + 100, 0))


def test_napari_alone_could_take_an_edit_back_too(viewer):
    start = np.random.default_rng(1).integers(0, 9, (3, 8, 10))
    layer = viewer.add_labels(start.copy())
    edits = edit_layer_of(layer)
    many = Edit.of_points(np.nonzero(start > 0), start[start > 0], start[start > 0] + 100)
    edits.apply(many)
    edits.apply(change(layer.data, layer.data == 105, 1))
    Labels.undo(layer)
    Labels.undo(layer)
    np.testing.assert_array_equal(layer.data, start)
    Labels.redo(layer)
    np.testing.assert_array_equal(layer.data, np.where(start > 0, start + 100, 0))


def test_without_napari_s_own_history_the_public_way_is_taken(viewer, monkeypatch):
    from napari_slicewise.widgets import edit_layer

    monkeypatch.setattr(edit_layer, "has_own_history", lambda _layer: False)
    start = np.random.default_rng(1).integers(0, 4, (3, 8, 10))
    layer = viewer.add_labels(start.copy())
    edits = edit_layer_of(layer)
    edits.apply(change(start, start == 2, 9), viewer.dims)
    layer.paint((0, 4, 4), 7)
    layer.undo()
    np.testing.assert_array_equal(layer.data, np.where(start == 2, 9, start))
    layer.undo()
    np.testing.assert_array_equal(layer.data, start)
    layer.redo()
    np.testing.assert_array_equal(layer.data, np.where(start == 2, 9, start))


def test_strokes_from_before_the_panel_was_opened_are_taken_back_after_those_since(viewer):
    layer = viewer.add_labels(np.zeros((3, 8, 10), int))
    layer.brush_size = 1
    layer.paint((0, 1, 1), 1)
    layer.paint((0, 1, 3), 2)
    edits = edit_layer_of(layer)
    edits.apply(change(layer.data, layer.data == 1, 5))
    states = [layer.data.copy()]
    for _ in range(3):
        layer.undo()
        states.append(layer.data.copy())
    assert not states[-1].any()
    assert [int(s[0, 1, 1]) for s in states] == [5, 1, 1, 0]
    assert [int(s[0, 1, 3]) for s in states] == [2, 2, 0, 0]
    for state in states[-2::-1]:
        layer.redo()
        np.testing.assert_array_equal(layer.data, state)
    layer.undo()
    layer.paint((0, 5, 5), 3)
    layer.redo()
    assert layer.data[0, 1, 1] == 1
    assert layer.data[0, 5, 5] == 3


def test_undoing_a_tool_after_another_run_shows_that_run(viewer):
    layer = viewer.add_labels(np.zeros((3, 8, 10), np.uint32))
    session = EditSession(ArraySource(layer.data))
    edits = edit_layer_of(layer, session)
    session.merge((1,), machine(1, (slice(2, 6), slice(2, 6))))
    edits.apply(change(layer.data, layer.data == 1, 0), viewer.dims)
    session.begin_run()
    session.merge((1,), machine(1, (slice(1, 7), slice(1, 7))))
    assert not layer.data[1, 2:6, 2:6].any()
    layer.undo()
    np.testing.assert_array_equal(layer.data[1] > 0, machine(1, (slice(1, 7), slice(1, 7))) > 0)
    layer.redo()
    assert not layer.data[1, 2:6, 2:6].any()
    assert layer.data[1, 1, 1:7].all()


def test_undo_on_a_hidden_layer_is_not_lost(viewer):
    layer = viewer.add_labels(np.ones((8, 10), int))
    edits = edit_layer_of(layer)
    edits.apply(change(layer.data, layer.data == 1, 4))
    layer.visible = False
    layer.undo()
    assert (layer.data == 1).all()
    assert not len(edits.session.history)


def test_an_edit_for_other_labels_is_refused_and_changes_nothing(viewer):
    layer = viewer.add_labels(np.ones((8, 10), int))
    edits = edit_layer_of(layer)
    edit = change(layer.data, layer.data == 1, 4)
    layer.data[0, 0] = 2
    before = layer.data.copy()
    with pytest.raises(EditError, match="meantime"):
        edits.apply(edit)
    np.testing.assert_array_equal(layer.data, before)
    assert not layer._undo_history


def test_new_data_begin_without_history(viewer):
    layer = viewer.add_labels(np.ones((8, 10), int))
    edits = edit_layer_of(layer)
    edits.apply(change(layer.data, layer.data == 1, 4))
    layer.data = np.zeros((4, 5), int)
    layer.undo()
    assert not layer.data.any()
    edits.apply(change(layer.data, layer.data == 0, 6))
    layer.undo()
    assert not layer.data.any()


def test_the_same_labels_in_a_larger_type_keep_what_is_the_human_s(viewer):
    layer = viewer.add_labels(np.zeros((3, 8, 10), np.uint8))
    session = EditSession(ArraySource(layer.data))
    edits = edit_layer_of(layer, session)
    session.merge((1,), machine(1, (slice(2, 6), slice(2, 6))))
    layer.paint((1, 3, 3), 7)
    mine = session.edited((1,))
    layer.data = layer.data.astype(np.uint32)
    assert edits.session is session
    assert mine.any()
    np.testing.assert_array_equal(session.edited((1,)), mine)


def test_a_brush_stroke_of_many_moves_is_one_patch(viewer):
    layer = viewer.add_labels(np.zeros((3, 20, 20), int))
    edits = edit_layer_of(layer)
    layer.brush_size = 5
    with layer.block_history():
        for column in range(3, 15):
            layer.paint((1, 8, column), 1)
            layer.paint((1, 8, column), 2)
    assert len(edits.session.history) == 1
    painted = layer.data.copy()
    layer.undo()
    assert not layer.data.any()
    layer.redo()
    np.testing.assert_array_equal(layer.data, painted)


def test_a_layer_has_one_editor_however_often_it_is_asked_for(viewer):
    layer = viewer.add_labels(np.zeros((8, 10), int))
    assert isinstance(edit_layer_of(layer), EditLayer)
    assert edit_layer_of(layer) is edit_layer_of(layer)


def test_what_cannot_be_changed_is_said_in_words(viewer):
    import dask.array as da

    fixed = np.zeros((8, 10), int)
    fixed.flags.writeable = False
    assert not reason_against_editing(viewer.add_labels(np.zeros((8, 10), int)))
    for layer in (
        viewer.add_image(np.zeros((8, 10))),
        viewer.add_labels([np.zeros((8, 10), int), np.zeros((4, 5), int)]),
        viewer.add_labels(da.zeros((8, 10), dtype=int)),
        viewer.add_labels(fixed),
        None,
    ):
        assert reason_against_editing(layer)
