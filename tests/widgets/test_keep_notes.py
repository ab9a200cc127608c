"""Journals that cannot be restored are spoken of above the tabs, and stay where they are."""

from __future__ import annotations

from qtpy.QtWidgets import QLabel, QPushButton
from support.kept_layers import end, files, keep

from napari_slicewise.editing import journal_head


def left_by_a_newer_version(start, stack, monkeypatch):
    monkeypatch.setattr(journal_head, "VERSION", 7)
    desk = start(stack)
    layer = desk.run()
    layer.paint((1, 3, 9), 7)
    assert keep(desk, layer).flush()
    end(desk)
    monkeypatch.undo()


def test_a_journal_of_a_newer_version_is_named_shown_and_kept(start, stack, journals, monkeypatch):
    left_by_a_newer_version(start, stack, monkeypatch)
    monkeypatch.setenv("SLICEWISE_JOURNALS", str(journals))
    left = files(journals)
    desk = start(stack)
    bar = desk.find("keep_bar")
    desk.wait(lambda: len(bar.offers.notes) == 1)
    words = desk.find("keep_notes", QLabel)
    assert not bar.isHidden()
    assert "1 journal" in words.text()
    assert "cannot be restored by this version" in words.text()
    assert desk.find("keep_restore", QPushButton).parent().isHidden()
    more = desk.find("keep_notes_more", QLabel)
    assert more.isHidden()
    desk.find("keep_show_notes", QPushButton).click()
    assert not more.isHidden()
    assert left[0] in more.text()
    assert "cells labels" in more.text()
    desk.find("keep_dismiss", QPushButton).click()
    assert bar.isHidden()
    bar.offers.scan_soon()
    desk.qtbot.wait(500)
    assert bar.isHidden()
    assert files(journals) == left
    assert len(desk.viewer.layers) == 1


def test_a_torn_journal_is_spoken_of_beside_one_that_can_be_restored(start, stack, journals):
    desk = start(stack)
    layer = desk.run()
    layer.paint((1, 3, 9), 7)
    assert keep(desk, layer).flush()
    end(desk)
    desk.wait(lambda: not list(journals.glob("*.lock")))
    (journals / "20250101-000000-torn.journal").write_bytes(b"SLICEWISE-JOURNAL\n123")
    desk = start(stack)
    bar = desk.find("keep_bar")
    desk.wait(lambda: len(bar.offers.offers) == 1 and len(bar.offers.notes) == 1)
    assert not desk.find("keep_restore", QPushButton).parent().isHidden()
    bar.press("restore")
    desk.wait(lambda: len(desk.viewer.layers) == 2)
    assert not bar.isHidden()  # of the other one
    assert (journals / "20250101-000000-torn.journal").exists()
