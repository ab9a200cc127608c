"""Corrections are on the disk as they are made, and come back when they are asked for."""

from __future__ import annotations

import numpy as np
from napari.layers import Labels
from qtpy.QtWidgets import QLabel, QMessageBox, QPushButton
from support.canvas_hands import CanvasHands
from support.kept_layers import end, files, keep, keeping_of, wait_for_offer

from napari_slicewise.editing.journal_folder import empty_trash
from napari_slicewise.editing.locks import Locks
from napari_slicewise.widgets.edit_layer import edit_layer_of


def test_strokes_come_back_in_the_next_window(start, stack, journals):
    desk = start(stack)
    layer = desk.run()
    layer.metadata["slicewise"]["image"] = "cells"
    desk.wait(lambda: keeping_of(desk).state_of(layer)[0].kept)
    layer.paint((1, 3, 9), 7)
    layer.brush_size = 3
    layer.selected_label = 9
    layer.paint((2, 8, 8), 9)
    expected, where = layer.data.copy(), layer.scale
    end(desk)
    desk.wait(lambda: not list(journals.glob("*.lock")))
    assert len(files(journals)) == 1

    desk = start(stack)
    bar = wait_for_offer(desk)
    assert "2 edits" in desk.find("keep_words", QLabel).text()
    assert not bar.isHidden()
    assert len(desk.viewer.layers) == 1  # nothing comes back by itself
    desk.find("keep_restore", QPushButton).click()
    desk.wait(lambda: len(desk.viewer.layers) == 2)
    restored = desk.viewer.layers[-1]
    np.testing.assert_array_equal(restored.data, expected)
    np.testing.assert_array_equal(restored.scale, where)
    assert restored.name == layer.name
    edited = np.stack([edit_layer_of(restored).session.edited((z,)) for z in range(6)])
    np.testing.assert_array_equal(edited, np.isin(expected, [7, 9]))
    desk.wait(lambda: len(files(journals / "trash")) == 1)
    assert len(files(journals)) == 1
    assert bar.isHidden()


def test_nothing_is_offered_for_another_image(start, stack, qtbot):
    desk = start(stack)
    layer = desk.viewer.add_labels(np.zeros(stack.shape, np.uint8))
    keep(desk, layer)
    layer.paint((1, 3, 9), 7)
    end(desk)
    desk = start(stack[::-1].copy())
    qtbot.wait(1000)
    assert not desk.find("keep_bar").offers.offers


def test_an_image_without_a_path_is_known_by_its_pixels_whatever_its_name(start, stack):
    desk = start(stack)
    layer = desk.viewer.add_labels(np.zeros(stack.shape, np.uint8), name="mine")
    keep(desk, layer)
    layer.fill((1, 3, 9), 7)
    end(desk)
    desk = start()
    desk.viewer.add_image(stack.copy(), name="another name")
    bar = wait_for_offer(desk)
    bar.press("restore")
    desk.wait(lambda: "mine" in desk.viewer.layers)
    assert (desk.viewer.layers["mine"].data[1] == 7).all()


def test_a_run_without_corrections_leaves_nothing_behind(start, stack, journals):
    desk = start(stack)
    layer = desk.run()
    desk.wait(lambda: keeping_of(desk).state_of(layer)[0].kept)
    end(desk)
    desk.wait(lambda: not list(journals.glob("*")))


def test_discarded_corrections_stay_in_the_trash_for_a_month(start, stack, journals, monkeypatch):
    desk = start(stack)
    layer = desk.viewer.add_labels(np.zeros(stack.shape, np.uint8))
    keep(desk, layer)
    layer.paint((1, 3, 9), 7)
    end(desk)
    desk = start(stack)
    bar = wait_for_offer(desk)
    asked = []
    answers = iter([QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes])
    monkeypatch.setattr(
        QMessageBox, "question", lambda *given: (asked.append(given), next(answers))[1]
    )
    bar.press("discard")
    assert files(journals)
    assert bar.offers.offers
    bar.press("discard")
    desk.wait(lambda: not files(journals))
    assert len(asked) == 2
    assert len(list((journals / "trash").glob("*.journal"))) == 1
    empty_trash(journals, days=29)
    assert list((journals / "trash").glob("*.journal"))
    empty_trash(journals, days=0)
    assert not list((journals / "trash").glob("*.journal"))


def test_a_layer_that_was_removed_is_offered_and_put_back_it_is_not(start, stack, journals):
    desk = start(stack)
    layer = desk.viewer.add_labels(np.zeros(stack.shape, np.uint8), name="mine")
    keep(desk, layer)
    layer.paint((1, 3, 9), 7)
    desk.viewer.layers.remove(layer)
    wait_for_offer(desk)
    desk.viewer.layers.append(layer)
    keeper = keep(desk, layer)
    wait_for_offer(desk, 0)
    layer.paint((2, 3, 9), 7)
    assert keeper.flush()
    end(desk)
    desk = start(stack)
    bar = wait_for_offer(desk)
    bar.press("restore")
    desk.wait(lambda: "mine" in desk.viewer.layers)
    restored = desk.viewer.layers["mine"].data
    assert restored[1, 3, 9] == restored[2, 3, 9] == 7


def test_other_data_get_another_journal_and_the_first_one_stays(start, stack, journals):
    desk = start(stack)
    layer = desk.viewer.add_labels(np.zeros(stack.shape, np.uint8), name="mine")
    layer.brush_size = 1
    first = keep(desk, layer)
    layer.paint((1, 3, 9), 7)
    layer.data = np.ones(stack.shape, np.uint8)
    second = keep(desk, layer)
    assert second is not first
    layer.paint((2, 3, 9), 5)
    layer.data = layer.data.astype(np.uint32)  # the same labels: the journal goes on
    assert keep(desk, layer) is second
    layer.paint((3, 3, 9), 70_000)
    end(desk)
    desk = start(stack)
    bar = wait_for_offer(desk, 2)
    bar.press("restore")
    desk.wait(lambda: "mine" in desk.viewer.layers)
    expected = np.ones(stack.shape, np.uint32)
    expected[2, 3, 9], expected[3, 3, 9] = 5, 70_000
    np.testing.assert_array_equal(desk.viewer.layers["mine"].data, expected)


def test_a_copy_of_a_layer_is_no_session_and_a_new_name_is_kept(start, stack, journals):
    desk = start(stack)
    layer = desk.viewer.add_labels(np.zeros(stack.shape, np.uint8), name="mine")
    keep(desk, layer)
    layer.paint((1, 3, 9), 7)
    copy = desk.viewer.add_layer(Labels(layer.data.copy(), name="copy"))
    layer.name = "renamed"
    keeping_of(desk).look()
    assert keeping_of(desk).kept(copy) is None
    end(desk)
    desk = start(stack)
    wait_for_offer(desk).press("restore")
    desk.wait(lambda: "renamed" in desk.viewer.layers)


def test_two_viewers_write_one_journal_for_one_layer(start, stack, journals):
    one, two = start(stack), start(stack)
    layer = one.viewer.add_labels(np.zeros(stack.shape, np.uint8), name="mine")
    keep(one, layer)
    two.viewer.layers.append(layer)
    keeping_of(two).keep(layer)
    assert keeping_of(two).kept(layer) is None
    assert len(files(journals)) == 1
    assert not two.find("keep_bar").offers.offers


def test_what_is_painted_over_a_lock_is_taken_back_and_undo_leaves_it_alone(start, stack):
    desk = start(stack)
    data = np.zeros(stack.shape, np.uint8)
    data[:, 2:6, 2:6] = 3
    layer = desk.viewer.add_labels(data)
    edits = edit_layer_of(layer)
    edits.session.set_locks(Locks(objects={3}, done={(4,)}))
    before = layer.data.copy()
    layer.brush_size = 9
    layer.selected_label = 5
    with layer.block_history():
        layer.paint((1, 4, 8), 5)
    assert (layer.data[1][before[1] == 3] == 3).all()
    assert (layer.data[1] == 5).any()
    painted = layer.data.copy()
    layer.paint((4, 4, 8), 5)  # announced before it is written
    desk.wait(lambda: not (layer.data[4] == 5).any())
    layer.undo()
    np.testing.assert_array_equal(layer.data, before)
    layer.redo()
    np.testing.assert_array_equal(layer.data, painted)


def test_strokes_of_a_real_mouse_survive_with_locks_and_decisions(start, journals, qtbot):
    stack = np.random.default_rng(0).integers(0, 4096, (4, 60, 60), dtype=np.uint16)
    desk = start(stack, show=True)
    layer = desk.viewer.add_labels(np.zeros(stack.shape, np.uint8), scale=(1, 0.5, 0.5))
    desk.panel.show_tab("Correct")
    keeper = keep(desk, layer)
    hands = CanvasHands(desk.viewer, qtbot)
    layer.mode, layer.brush_size, layer.selected_label = "paint", 5, 4
    z = int(desk.viewer.dims.current_step[0])
    hands.drag(layer, (z, 20, 20), (z, 20, 40))
    hands.drag(layer, (z, 40, 20), (z, 40, 40))
    hands.undo()
    edits = edit_layer_of(layer)
    edits.session.set_locks(Locks(objects={4}, done={(0,)}))
    edits.review.decided["gap:4:1"] = "accepted"
    keeping_of(desk).look()
    assert keeper.flush()
    expected = layer.data.copy()
    assert (expected[z, 20, 20:40] == 4).all()
    assert not expected[z, 40].any()
    end(desk)
    desk = start(stack)
    wait_for_offer(desk).press("restore")
    desk.wait(lambda: len(desk.viewer.layers) == 2)
    again = edit_layer_of(desk.viewer.layers[-1])
    np.testing.assert_array_equal(again.layer.data, expected)
    assert again.session.locks == Locks(objects={4}, done={(0,)})
    assert again.review.decided == {"gap:4:1": "accepted"}
