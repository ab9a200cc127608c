"""Labels that are too large for memory can be painted on, and their file stays as it was."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from napari.layers import Labels

from napari_slicewise.io import layer_data
from napari_slicewise.io.editable_labels import EditableLabels
from napari_slicewise.io.image_info import Axis
from napari_slicewise.io.layer_writer import write_labels_layer
from napari_slicewise.io.lazy_array import LazyArray
from napari_slicewise.io.outputs import write_labels
from napari_slicewise.io.tiff_reader import open_image, read_layers

SHAPE = (3, 4, 20, 30)
AXES = tuple(Axis(name, size) for name, size in zip("tzyx", SHAPE, strict=True))


class InFile(LazyArray):
    """Stands for a file: an array that counts its reads."""

    def __init__(self, values: Any) -> None:
        self._values = values
        self.shape, self.dtype = values.shape, values.dtype

    @property
    def chunks(self) -> tuple[int, ...]:
        return (*(1 for _ in self.shape[:-2]), *self.shape[-2:])

    def __getitem__(self, key: Any) -> Any:
        return self._values[key].copy()


def values() -> Any:
    return np.random.default_rng(0).integers(0, 9, SHAPE).astype(np.uint16)


def one_key(size: int) -> st.SearchStrategy[Any]:
    whole = st.integers(-size, size - 1)
    ends = st.one_of(st.none(), st.integers(-size, size))
    return st.one_of(whole, st.builds(slice, ends, ends, st.one_of(st.none(), st.integers(1, 3))))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(*(one_key(n) for n in SHAPE)), min_size=1, max_size=4))
def test_writes_and_reads_are_those_of_numpy(keys: list[Any]) -> None:
    truth, editable = values(), EditableLabels(InFile(values()))
    for number, key in enumerate(keys):
        truth[key] = editable[key] + 10 + number
        editable[key] = truth[key]
        np.testing.assert_array_equal(editable[key], truth[key])
    for key in keys:
        np.testing.assert_array_equal(editable[key], truth[key])
    np.testing.assert_array_equal(editable[...], truth)


def test_points_are_written_as_numpy_does() -> None:
    truth, editable = values(), EditableLabels(InFile(values()))
    random = np.random.default_rng(1)
    points = tuple(random.integers(-n, n, 50) for n in SHAPE)
    for array in (truth, editable):
        array[points] = 77
        array[(1, 2, points[2], points[3])] = 78
    np.testing.assert_array_equal(editable[points], truth[points])
    np.testing.assert_array_equal(np.asarray(editable), truth)


@pytest.mark.parametrize("ending", [".ome.tif", ".ome.zarr"])
def test_large_labels_of_a_file_are_painted_filled_undone_and_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """The file is first left as it was, then replaced by what is on the screen."""
    monkeypatch.setattr(layer_data, "memory_budget", lambda: 0)
    monkeypatch.setattr("napari_slicewise.io.tiff_reader._SMALL_BYTES", 0)
    path = write_labels(tmp_path / f"labels{ending}", values(), AXES)
    data, options, kind = read_layers(path)[0]
    layer = Labels.create(data, options, kind)
    assert isinstance(layer.data, EditableLabels)
    truth = values()
    layer.paint((1, 2, 10, 10), 50)
    assert layer.data[1, 2, 10, 10] == 50
    assert layer.data.copied == 1
    painted = np.asarray(layer.data)
    truth[1, 2] = painted[1, 2]
    np.testing.assert_array_equal(painted, truth)
    layer.fill((0, 1, 3, 3), 60)
    assert layer.data[0, 1, 3, 3] == 60
    layer.undo()
    layer.undo()
    np.testing.assert_array_equal(np.asarray(layer.data), values())
    layer.redo()
    np.testing.assert_array_equal(np.asarray(layer.data), truth)
    np.testing.assert_array_equal(np.asarray(open_image(path).data), values())
    data, meta, _ = layer.as_layer_data_tuple()
    write_labels_layer(str(path), data, meta)
    np.testing.assert_array_equal(np.asarray(open_image(path).data), truth)
    np.testing.assert_array_equal(np.asarray(layer.data), truth)


def test_a_copy_is_edited_apart_and_neither_passes_for_a_dask_array() -> None:
    first = EditableLabels(InFile(values()))
    first[0, 1] = 40
    second = deepcopy(first)
    second[0, 2] = 41
    assert first[0, 1].min() == second[0, 1].min() == 40
    assert second[0, 2].max() == 41
    np.testing.assert_array_equal(first[0, 2], values()[0, 2])
    assert not hasattr(first, "dask")
    assert float(first.max().compute()) == 40.0  # the rest is dask's, as for other lazy arrays


def test_an_edit_reads_and_copies_only_the_slices_that_it_touches() -> None:
    reads: list[Any] = []

    class Counted(InFile):
        def __getitem__(self, key: Any) -> Any:
            reads.append(key)
            return super().__getitem__(key)

    editable = EditableLabels(Counted(values()))
    editable[2, 3, 5:9, 5:9] = 50
    assert reads == [(2, 3, slice(None), slice(None))]
    assert editable.copied == 1
