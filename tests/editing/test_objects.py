"""The table says what skimage's regionprops says, and the queue finds what was planted."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from skimage.measure import regionprops_table

from napari_slicewise.editing.locks import Locks
from napari_slicewise.editing.objects import measure_objects, write_csv
from napari_slicewise.editing.review import Review, find_doubts
from napari_slicewise.io.image_info import Axis
from napari_slicewise.io.source import ArraySource

UM = (Axis("z", 4, 2.0, "um"), Axis("y", 30, 0.5, "um"), Axis("x", 40, 0.25, "um"))


def volume() -> np.ndarray:
    rng = np.random.default_rng(5)
    labels = np.zeros((4, 30, 40), np.uint32)
    for number in (1, 4, 9, 70_000):
        z, y, x = rng.integers(0, (2, 22, 30))
        labels[z : z + 3, y : y + 6, x : x + 8] = number
    return labels


def test_sizes_places_and_intensities_are_those_of_regionprops():
    labels = volume()
    image = np.random.default_rng(1).random(labels.shape)
    table = measure_objects(
        ArraySource(labels), axes=UM, image=ArraySource(image), probability=ArraySource(image / 2)
    )
    names = ("label", "area", "centroid", "bbox", "intensity_mean")
    truth = regionprops_table(labels.astype(np.int64), image, properties=names)
    columns = table.columns
    assert columns["index"].tolist() == truth["label"].tolist()
    assert columns["pixels"].tolist() == truth["area"].tolist()
    np.testing.assert_allclose(columns["volume_um3"], truth["area"] * 0.25)
    for axis, name in enumerate("zyx"):
        np.testing.assert_allclose(columns[f"centroid_{name}"], truth[f"centroid-{axis}"])
        assert columns[f"box_{name}_start"].tolist() == truth[f"bbox-{axis}"].tolist()
        assert columns[f"box_{name}_stop"].tolist() == truth[f"bbox-{axis + 3}"].tolist()
    np.testing.assert_allclose(columns["mean_intensity"], truth["intensity_mean"])
    np.testing.assert_allclose(columns["confidence"], truth["intensity_mean"] / 2)
    assert columns["first_slice"].tolist() == [str(z) for z in truth["bbox-0"]]
    assert columns["last_slice"].tolist() == [str(z - 1) for z in truth["bbox-3"]]
    assert columns["slices"].tolist() == (truth["bbox-3"] - truth["bbox-0"]).tolist()


def test_borders_states_and_areas_of_a_single_image():
    labels = np.zeros((10, 10), np.uint8)
    labels[0, 3:5] = 2
    labels[4:6, 4:6] = 3
    axes = (Axis("y", 10, 2.0, "um"), Axis("x", 10, 2.0, "um"))
    table = measure_objects(
        ArraySource(labels), axes=axes, locks=Locks(objects={3}), states={2: "accepted"}
    )
    assert table.columns["touches_border"].tolist() == [True, False]
    assert table.columns["state"].tolist() == ["accepted", "locked"]
    assert table.columns["area_um2"].tolist() == [8.0, 16.0]
    assert "area_um2" not in measure_objects(ArraySource(labels)).columns
    assert table.first == ((), ())


def test_blank_labels_give_an_empty_table_and_no_doubts():
    labels = ArraySource(np.zeros((3, 5, 5), np.uint32))
    table = measure_objects(labels, axes=None, image=labels)
    assert len(table) == 0
    assert find_doubts(labels, table) == []


def test_the_csv_reads_back(tmp_path: Path):
    table = measure_objects(ArraySource(volume()), axes=UM)
    path = write_csv(tmp_path / "objects.csv", table)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["id"]) for row in rows] == table.numbers.tolist()
    assert [float(row["volume_um3"]) for row in rows] == table.columns["volume_um3"].tolist()


def planted() -> np.ndarray:
    """Ten columns through eight slices, and one of each thing that may be wrong."""
    labels = np.zeros((8, 40, 140), np.uint32)
    for number in range(1, 11):
        left = 14 * (number - 1)
        labels[:, 10:18, left : left + 5 + number % 6] = number
    labels[3] = 0  # an empty slice
    labels[5, labels[5] == 4] = 0  # a gap
    labels[5:][labels[5:] == 6] = 26  # a broken link
    labels[6, 30:31, 100:101] = 11  # a speck
    return labels


def test_the_queue_finds_what_is_wrong_and_says_why_in_a_fixed_order():
    labels = planted()
    probability = np.where(labels == 2, 0.55, 0.95)
    source = ArraySource(labels)
    table = measure_objects(source, probability=ArraySource(probability))
    doubts = find_doubts(source, table)
    assert [(d.kind, d.index, d.number) for d in doubts if d.kind != "size"] == [
        ("empty", (3,), 0),
        ("gap", (5,), 4),
        ("broken", (5,), 6),
        ("uncertain", (3,), 2),
    ]
    sizes = [(d.index, d.number) for d in doubts if d.kind == "size"]
    assert sizes[0] == ((6,), 11)
    assert {number for _, number in sizes} <= {11, 6, 26}  # the two halves are small, too
    words = {d.kind: d.words for d in doubts}
    assert words["empty"] == "Slice 3 without objects, between others with"
    assert words["broken"] == "Object 6 ends on slice 4 where object 26 begins"
    assert words["uncertain"] == "Object 2 is uncertain: mean probability 0.55"
    assert "unusually small" in words["size"]
    assert doubts == find_doubts(source, table)
    locks = Locks(objects={2, 6}, done={(6,)})
    left = {d.kind for d in find_doubts(source, table, locks)}
    assert not left & {"uncertain", "size"}


def test_decisions_are_kept_and_the_queue_goes_round():
    source = ArraySource(planted())
    review = Review(find_doubts(source, measure_objects(source)))
    first = review.after(None)
    assert first == review.doubts[0]
    second = review.after(first)
    assert second == review.doubts[1]
    review.decide(first, "accepted")
    review.decide(second, "deleted")
    assert review.progress == (2, len(review.doubts))
    assert review.after(review.doubts[-1]) == review.doubts[2]
    again = Review.of_plain(review.plain())
    again.doubts = find_doubts(source, measure_objects(source))
    assert again.open == review.open
    assert again.states() == review.states()
    again.reopen(first)
    assert again.after(None) == first
    for doubt in again.open:
        again.decide(doubt, "accepted")
    assert again.after(None) is None


@pytest.mark.parametrize("shape", [(2, 3, 6, 6)])
def test_time_series_are_followed_in_each_point_of_time(shape: tuple[int, ...]):
    labels = np.zeros(shape, np.uint32)
    labels[0, [0, 2], 2:4, 2:4] = 1
    labels[1, :, 2:4, 2:4] = 1
    source = ArraySource(labels)
    doubts = find_doubts(source, measure_objects(source))
    assert [(d.kind, d.index) for d in doubts] == [("empty", (0, 1))]


def test_confidence_by_slice_is_weighted_by_pixels_and_unknown_where_nobody_said(tmp_path):
    labels = np.zeros((2, 6, 6), np.uint8)
    labels[0, :2, :2], labels[1, :3, :4], labels[1, 5, 5] = 1, 1, 2
    known = {(0,): {1: 0.5}, (1,): {1: 0.9}}
    table = measure_objects(ArraySource(labels), confidence=known)
    one, two = table.columns["confidence"]
    assert one == pytest.approx((4 * 0.5 + 12 * 0.9) / 16)
    assert np.isnan(two)
    assert "uncertain" not in {doubt.kind for doubt in find_doubts(ArraySource(labels), table)}
    lines = write_csv(tmp_path / "t.csv", table).read_text().splitlines()
    place = lines[0].split(",").index("confidence")
    assert [line.split(",")[place] for line in lines[1:]][1] == ""
    assert "confidence" not in measure_objects(ArraySource(labels), confidence={}).columns


def test_an_uncertain_object_is_looked_at_before_a_less_uncertain_one():
    labels = np.zeros((2, 6, 6), np.uint8)
    labels[:, :2, :2], labels[:, 3:5, 3:5] = 1, 2
    known = {(z,): {1: 0.65, 2: 0.55} for z in range(2)}
    table = measure_objects(ArraySource(labels), confidence=known)
    doubts = find_doubts(ArraySource(labels), table)
    assert [d.number for d in doubts if d.kind == "uncertain"] == [2, 1]
