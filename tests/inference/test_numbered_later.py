"""Runs whose objects are numbered when all slices are there: by volume, and tracked in a movie."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_slicewise.api import SegmentRun
from napari_slicewise.cli_tables import notes_of
from napari_slicewise.inference.device import LocalDevices
from napari_slicewise.inference.loading import LoadedModel
from napari_slicewise.inference.request import Request
from napari_slicewise.inference.resume_in_rounds import RoundsRun, needs_rounds
from napari_slicewise.instances.options import ImageGrid, ObjectOptions
from napari_slicewise.io import label_store
from napari_slicewise.io.image_info import Axis
from napari_slicewise.io.outputs import open_writer
from napari_slicewise.io.picture import Picture
from napari_slicewise.io.source import ArraySource
from napari_slicewise.io.tiff_reader import open_image
from napari_slicewise.io.zarr_resumable import ResumableZarrWriter
from napari_slicewise.models.spec import ModelSpec


class Torch(LocalDevices):
    """No other engine, whose conversion takes seconds."""

    def engine(self, device, precision):  # noqa: ARG002 - the policy's signature
        return "torch"


@pytest.fixture(params=["memory", "disk"], autouse=True)
def _place(request, monkeypatch):
    if request.param == "disk":
        monkeypatch.setattr(label_store, "memory_budget", lambda: 0)


@pytest.fixture
def model():
    """White is an object."""
    network = torch.nn.Conv2d(1, 1, 1)
    torch.nn.init.constant_(network.weight, 20)
    torch.nn.init.constant_(network.bias, -10)
    spec = ModelSpec("white", normalization="divide_by_255", margin=16)
    return LoadedModel(spec, "white", Path("white"), network.eval())


def movie():
    """A cell that stays, and one that divides before the fourth of six frames."""
    y, x = np.indices((64, 128))
    frames = np.zeros((6, 64, 128), np.uint8)
    for t, one in enumerate(frames):
        apart = 6 + 2 * (t - 3)
        columns = (30, 90) if t < 3 else (30 - apart, 30 + apart, 90)
        for column in columns:
            one[(y - 30) ** 2 + (x - column) ** 2 <= 25] = 255
    return frames


def request_of(image, objects):
    source = ArraySource(image)
    return source, Request("white", tuple(source.indices()), objects=objects, precision="float32")


@pytest.mark.parametrize("name", ["out.tif", "out.ome.tif", "out.zarr"])
def test_a_tracked_movie_keeps_ids_over_time_and_says_who_the_mother_is(tmp_path, model, name):
    pytest.importorskip("laptrack")
    frames = movie()
    objects = ObjectOptions(track=True).settled(ImageGrid("t", len(frames)))
    source, request = request_of(frames, objects)
    assert needs_rounds(request)
    axes = Axis("t", 6, 1.0, "s"), Axis("y", 64), Axis("x", 128)
    if name.endswith(".zarr"):
        with ResumableZarrWriter(tmp_path / name, Picture(axes), "uint32", {}) as writer:
            run = RoundsRun(request, source, model, writer, Torch())
            assert len(list(run)) == 6
            writer.describe(*notes_of(run.report.details, "movie"))
    else:
        with open_writer(tmp_path / name, Picture(axes), "uint32") as writer:
            run = SegmentRun(request, source, model, Torch())
            for result in run:
                writer.write(result.index, result.values, result.confidence)
            writer.describe(*notes_of(run.report.details, "movie"))
    with open_image(tmp_path / name) as opened:
        labels, table = np.asarray(opened.data), opened.info.objects
    mother, other, left, right = (
        int(labels[place]) for place in ((0, 30, 30), (0, 30, 90), (5, 30, 20), (5, 30, 40))
    )
    assert sorted({mother, other, left, right}) == [1, 2, 3, 4]
    assert set(labels[:, 30, 90]) == {other}
    assert set(labels[:3, 30, 30]) == {mother}
    parents = dict(zip(table["index"], table["parent"], strict=True))
    assert parents == {mother: None, other: None, left: mother, right: mother}
    assert "parents" not in notes_of(run.report.details, "movie")[0]
    assert run.report.details["objects"] == 4


def test_a_run_that_leaves_out_by_volume_says_how_many_objects_stay(model):
    image = np.zeros((4, 32, 48), np.uint8)
    image[:, 4:10, 4:10] = 255  # 144 voxels
    image[1:3, 20:26, 30:36] = 255  # 72
    objects = ObjectOptions(smallest="100 voxels").settled(ImageGrid("z", 4))
    source, request = request_of(image, objects)
    run = SegmentRun(request, source, model, Torch())
    labels = np.stack([result.values for result in run])
    np.testing.assert_array_equal(labels > 0, (image > 0) & (np.arange(48) < 20))
    assert run.report.details["objects"] == labels.max() == 1
    assert run.report.outcome == "completed"


def test_a_run_that_is_stopped_numbers_what_it_has(model):
    image = np.full((6, 32, 32), 255, np.uint8)
    objects = ObjectOptions(smallest="6000 voxels").settled(ImageGrid("z", 6))
    source, request = request_of(image, objects)
    run = SegmentRun(replace(request, batch=1), source, model)

    class Stopping(Torch):
        batches = 0

        def before_batch(self, device, pixels):  # noqa: ARG002 - the policy's signature
            self.batches += 1
            if self.batches == 2:
                run.token.cancel()

    run.policy = Stopping()
    results = list(run)
    assert run.report.outcome == "cancelled"
    assert len(results) < 6
    assert not any(result.values.any() for result in results)  # of 1024 voxels a slice, too few
