"""All scores of an image, of several together, and the report."""

import numpy as np
import pytest
from imagecodecs import png_decode

from napari_slicewise.errors import OutputError
from napari_slicewise.evaluation.report import Case, Gallery, draw_case, write_report
from napari_slicewise.evaluation.summary import score_classes, score_image, summarize


def squares(count, side=10):
    labels = np.zeros((60, 60), np.int32)
    for number in range(count):
        labels[15 * number : 15 * number + side, 5 : 5 + side] = number + 1
    return labels


def case(name, found, true):
    scores = score_image(name, squares(found), squares(true))
    return Case(scores, squares(true).astype(np.float32), squares(found), squares(true))


def test_objects_are_pooled_and_masks_averaged():
    images = [score_image("a", squares(3), squares(3)), score_image("b", squares(1), squares(3))]
    summary = summarize(images)
    assert summary["AP at IoU 0.5"] == pytest.approx(4 / 6)
    assert summary["foreground IoU"] == pytest.approx((1 + 1 / 3) / 2)
    assert (summary["objects found"], summary["objects missed"]) == (4, 2)
    assert summary["PQ"] == pytest.approx(4 / 5)


def test_of_a_mask_no_objects_are_counted():
    mask = (squares(3) > 0) * 255
    scores = score_image("m", squares(2), mask)
    assert scores.matchings == ()
    assert "AP at IoU 0.5" not in summarize([scores])


def test_stacks_are_matched_through_or_slice_by_slice():
    truth = np.stack([squares(3), squares(3)])
    found = truth.copy()
    found[1] = np.where(found[1] > 0, found[1] + 10, 0)
    through = score_image("s", found, truth)
    sliced = score_image("s", found, truth, per_slice=True)
    assert (through.matchings[0].hits, through.matchings[0].false) == (3, 3)
    assert (sliced.matchings[0].hits, sliced.matchings[0].false) == (6, 0)


def test_classes_are_scored_one_by_one():
    truth = np.array([[0, 1, 1, 2]])
    found = np.array([[0, 1, 2, 2]])
    scores = score_classes("c", found, truth)
    assert scores.classes == ((0, 1.0), (1, 0.5), (2, 0.5))
    assert summarize([scores])["IoU of class 2"] == 0.5


def test_gallery_keeps_three_best_and_three_worst():
    gallery = Gallery()
    for found in (3, 0, 2, 3, 1, 2, 3, 0, 3, 3):
        gallery.add(case(f"f{found}", found, 3))
    assert [c.scores.name for c in gallery.worst] == ["f0", "f0", "f1"]
    assert [c.scores.name for c in gallery.best] == ["f3", "f3", "f3"]
    lone = Gallery()
    lone.add(case("one", 1, 3))
    assert len(lone.worst) + len(lone.best) == 1


def test_report_has_scores_and_pictures_of_truth_and_prediction(tmp_path):
    gallery = Gallery()
    cases = [case("good", 3, 3), case("bad", 1, 3)]
    for one in cases:
        gallery.add(one)
    images = [one.scores for one in cases]
    write_report(tmp_path / "report", "m", summarize(images), images, gallery)
    text = (tmp_path / "report" / "report.md").read_text("utf-8")
    assert "| AP at IoU 0.5 | 0.6667 |" in text
    assert text.index("bad: ") < text.index("good: ")
    pictures = sorted(p.name for p in (tmp_path / "report").glob("*.png"))
    assert pictures == ["best-1.png", "worst-1.png"]
    for name in pictures:
        assert f"![]({name})" in text
        assert png_decode((tmp_path / "report" / name).read_bytes()).shape == (60, 188, 3)


def test_outlines_are_drawn_where_objects_are():
    drawn = draw_case(case("c", 1, 3))
    left, truth, found = drawn[:, :60], drawn[:, 64:124], drawn[:, 128:]
    changed = [np.flatnonzero((panel != left).any(axis=(1, 2))) for panel in (truth, found)]
    assert changed[0].max() == 39
    assert changed[1].max() == 9


def test_folder_that_holds_something_stays(tmp_path):
    (tmp_path / "old").write_text("mine")
    with pytest.raises(OutputError, match="is there already"):
        write_report(tmp_path, "m", {}, [], Gallery())
    assert (tmp_path / "old").read_text() == "mine"
