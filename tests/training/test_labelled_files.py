"""Files on the disk: which labels belong to which image, read slice by slice."""

import numpy as np
import pytest
import tifffile
from support.labelled_discs import discs

from napari_slicewise.errors import ImageError, RequestError
from napari_slicewise.io.image_info import Axis
from napari_slicewise.io.outputs import write_labels
from napari_slicewise.training.labelled_files import (
    LabelledFile,
    LabelMeaning,
    annotations_of,
    open_pair,
    pair_files,
)


def write(path, array):
    path.parent.mkdir(exist_ok=True)
    tifffile.imwrite(path, array)
    return path


@pytest.fixture
def folders(tmp_path):
    for name in ("a", "b", "c"):
        image, labels = discs()
        write(tmp_path / "images" / f"{name}.tif", image)
        write(tmp_path / "labels" / f"{name}.tif", labels.astype(np.uint16))
    return tmp_path / "images", tmp_path / "labels"


def test_folders_are_paired_by_name_whatever_the_ending(folders):
    images, labels = folders
    (labels / "b.tif").rename(labels / "b_labels.tiff")
    (labels / "c.tif").rename(labels / "c_mask.tif")
    pairs = pair_files(images, labels)
    assert [(p.name, p.labels.name) for p in pairs] == [
        ("a", "a.tif"),
        ("b", "b_labels.tiff"),
        ("c", "c_mask.tif"),
    ]


def test_two_files_are_a_pair_whatever_their_names(folders):
    images, labels = folders
    assert pair_files(images / "a.tif", labels / "b.tif") == [
        LabelledFile("a", images / "a.tif", labels / "b.tif")
    ]


def test_what_does_not_match_is_named(folders):
    images, labels = folders
    (labels / "b.tif").rename(labels / "z.tif")
    with pytest.raises(RequestError) as failure:
        pair_files(images, labels)
    assert "1 without labels" in str(failure.value)
    assert "b.tif" in str(failure.value)
    assert "1 without image: z.tif" in str(failure.value)
    with pytest.raises(RequestError, match="is a folder and"):
        pair_files(images, labels / "a.tif")
    with pytest.raises(RequestError, match="There is no"):
        pair_files(images, labels / "none")


def test_two_files_of_one_name_and_empty_folders_are_refused(folders, tmp_path):
    images, labels = folders
    write(images / "a.tiff", discs()[0])
    with pytest.raises(RequestError, match="have one name"):
        pair_files(images, labels)
    (tmp_path / "none").mkdir()
    with pytest.raises(RequestError, match="no TIFF, PNG or JPEG"):
        pair_files(tmp_path / "none", labels)


def test_images_and_labels_of_other_shapes_or_order_are_refused(tmp_path):
    image = write(tmp_path / "i.tif", np.zeros((5, 40, 30), np.uint8))
    labels = write(tmp_path / "l.tif", np.zeros((5, 30, 40), np.uint8))
    with pytest.raises(ImageError, match=r"5 x 40 x 30 pixels, its labels 5 x 30 x 40.*same order"):
        open_pair(LabelledFile("i", image, labels))
    picture = write(tmp_path / "p.tif", np.zeros((40, 30, 3), np.uint8))
    with pytest.raises(ImageError, match="3 channels; labels have one"):
        open_pair(LabelledFile("i", image, picture))


def test_slices_of_a_stack_are_read_a_window_at_a_time(tmp_path):
    rng = np.random.default_rng(0)
    stack = rng.integers(0, 60000, (4, 3, 40, 50), np.uint16)
    truth = rng.integers(0, 9, (4, 40, 50)).astype(np.uint16)
    image = tmp_path / "i.tif"
    tifffile.imwrite(image, stack, imagej=True, metadata={"axes": "ZCYX"})
    labels = tmp_path / "l.tif"
    tifffile.imwrite(labels, truth, imagej=True, metadata={"axes": "ZYX"})
    pair = LabelledFile("i", image, labels)
    every = list(annotations_of([pair], LabelMeaning()))
    assert [a.name for a in every] == ["i z 0", "i z 1", "i z 2", "i z 3"]
    assert {a.group for a in every} == {"i"}
    part = (..., slice(5, 20), slice(7, 9))
    assert every[2].image.shape == (3, 40, 50)
    assert np.array_equal(every[2].image[part], stack[2, :, 5:20, 7:9])
    assert np.array_equal(every[2].labels[part], truth[2, 5:20, 7:9])
    (one, *_) = annotations_of([pair], LabelMeaning(), channel=1)
    assert one.image.shape == (40, 50)
    assert np.array_equal(one.image[part], stack[0, 1, 5:20, 7:9])


def test_values_for_unknown_and_background_get_their_meaning(tmp_path):
    truth = np.array([[0, 1, 2], [3, 3, 0]], np.uint8)
    image = write(tmp_path / "i.tif", truth)
    labels = write(tmp_path / "l.tif", truth)
    (one,) = annotations_of([LabelledFile("i", image, labels)], LabelMeaning(0, 1))
    all_of_it = (..., slice(None), slice(None))
    assert one.labels[all_of_it].tolist() == [[0, 0, 2], [3, 3, 0]]
    assert one.known[all_of_it].tolist() == [[False, True, True], [True, True, False]]


def test_ome_zarr_folders_are_images_too(tmp_path):
    image, labels = discs()
    axes = (Axis("y", 96), Axis("x", 96))
    for name, array in (("image", image), ("truth", labels)):
        write_labels(tmp_path / f"{name}.ome.zarr", array.astype(np.uint32), axes)
    (pair,) = pair_files(tmp_path / "image.ome.zarr", tmp_path / "truth.ome.zarr")
    assert pair.name == "image"
    (one,) = annotations_of([pair], LabelMeaning())
    whole = (..., slice(None), slice(None))
    assert np.array_equal(one.labels[whole], labels)
