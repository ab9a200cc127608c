"""Which channel feeds which input, at which pixel size, and what the classes are called."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
import zarr
from support.killed_runs import start
from support.random_models import write_random_model
from yaozarrs import validate_zarr_store

from napari_slicewise import read_image, segment
from napari_slicewise.cli import main
from napari_slicewise.io.tiff_reader import read_layers
from napari_slicewise.io.zarr_resumable import ResumableZarrWriter

PIXEL_UM = 0.25
NAMES = ("background", "nucleus", "cytoplasm")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A model of two channels, trained at twice the image's pixel size; one of three classes."""
    folder = tmp_path_factory.mktemp("models")
    two = write_random_model(folder / "two.safetensors", in_channels=2, pixel_um=2 * PIXEL_UM)
    classes = write_random_model(
        folder / "classes.safetensors", out_channels=3, output="classes", class_names=NAMES
    )
    return {"two": str(two), "classes": str(classes)}


@pytest.fixture(scope="module")
def array():
    """Three slices of three channels, (z, c, y, x)."""
    noise = np.random.default_rng(1).normal(size=(3, 3, 42, 50))
    return (noise.cumsum(-1) * 100 + 2000).astype(np.uint16)


@pytest.fixture
def image(tmp_path, array):
    tifffile.imwrite(
        tmp_path / "in.tif",
        array,
        imagej=True,
        resolution=(1 / PIXEL_UM, 1 / PIXEL_UM),
        metadata={"axes": "ZCYX", "spacing": 1.5, "unit": "um"},
    )
    return tmp_path / "in.tif"


def probability(image, out, model, *options):
    arguments = ["segment", str(image), "-o", str(out), "--model", model, "--quiet"]
    assert main([*arguments, "--output", "probability", *options]) == 0
    return tifffile.imread(out)


def test_channels_feed_the_inputs_in_the_order_that_is_given(tmp_path, image, array, models):
    written = probability(image, tmp_path / "out.tif", models["two"], "--channels", "2,0")
    expected = segment(
        array[:, [2, 0]],
        models["two"],
        channel_axis=1,
        output="probability",
        pixel_um=(PIXEL_UM, PIXEL_UM),
    )
    np.testing.assert_allclose(written, expected, atol=1e-6)
    turned = probability(image, tmp_path / "turned.tif", models["two"], "--channels", "0,2")
    assert np.abs(turned - written).max() > 0.001
    with read_image(image) as opened:
        again = segment(opened, models["two"], channels=(2, 0), output="probability")
    np.testing.assert_allclose(written, again, atol=1e-6)


def test_one_of_the_channels_can_be_chosen_like_that_too(tmp_path, image, models):
    one = probability(image, tmp_path / "a.tif", models["classes"], "--channels", "1")
    same = probability(image, tmp_path / "b.tif", models["classes"], "--channel", "1")
    np.testing.assert_array_equal(one, same)


@pytest.mark.parametrize(
    ("options", "text", "advice"),
    [
        (["--channels", "0,5"], "There is no channel 5", "from 0 to 2"),
        (["--channels", "0,1,2"], "3 of the image are chosen", "Choose 2 of the image's 3"),
        (["--channels", "1"], "1 of the image are chosen", "Choose 2 of the image's 3"),
        ([], "takes 2 channels, the image gives 3", "Choose 2 of the image's 3"),
    ],
)
def test_channels_that_do_not_fit_are_refused_with_what_to_choose(
    tmp_path, image, models, capsys, options, text, advice
):
    out = tmp_path / "out.tif"
    assert main(["segment", str(image), "-o", str(out), "--model", models["two"], *options]) == 1
    said = capsys.readouterr().err.strip()
    assert text in said
    assert advice in said
    assert len(said.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["in.tif"]


@pytest.mark.parametrize("wrong", ["one", "1,", "-1", "0;1"])
def test_what_is_no_list_of_channels_is_an_error_of_usage(capsys, wrong):
    with pytest.raises(SystemExit) as ended:
        main(["segment", "in.tif", "-o", "out.tif", f"--channels={wrong}"])
    assert ended.value.code == 2
    assert "no list of channels" in capsys.readouterr().err


def test_rescaling_can_be_turned_off(tmp_path, image, array, models):
    options = ("--channels", "0,1")
    rescaled = probability(image, tmp_path / "on.tif", models["two"], *options)
    plain = probability(image, tmp_path / "off.tif", models["two"], *options, "--no-rescale")
    without = segment(array[:, :2], models["two"], channel_axis=1, output="probability")
    np.testing.assert_allclose(plain, without, atol=1e-6)
    assert rescaled.shape == plain.shape == (3, 42, 50)
    assert np.abs(rescaled - plain).max() > 0.001
    with read_image(tmp_path / "on.tif") as opened:
        notes = json.dumps(opened.info.metadata)
    assert "rescaled 0.25 -> 0.5 um" in notes


def test_every_way_to_run_gives_the_same(tmp_path, image, models):
    """A resumable run in this process, and one on a worker of dask, in processes of their own."""
    pytest.importorskip("distributed")
    expected = probability(image, tmp_path / "out.tif", models["two"], "--channels", "2,0")
    options = ("--model", models["two"], "--output", "probability", "--channels", "2,0")
    one, many = tmp_path / "one.zarr", tmp_path / "many.zarr"
    assert main(["segment", str(image), "-o", str(one), *options, "--quiet"]) == 0
    with start(image, "-o", many, *options, "--workers", 1, "--threads", 2) as process:
        _, said = process.communicate(timeout=120)
    assert (process.returncode, said) == (0, "")
    for out in (one, many):
        stored = zarr.open_array(str(out / "0"), mode="r")[...]
        np.testing.assert_allclose(stored, expected, atol=1e-6)


def test_classes_are_written_with_their_names_and_colours(tmp_path, image, models):
    out = tmp_path / "classes.ome.zarr"
    arguments = ["segment", str(image), "-o", str(out), "--model", models["classes"], "--quiet"]
    assert main([*arguments, "--output", "classes", "--channel", "0"]) == 0
    validate_zarr_store(str(out))
    array, attributes, kind = read_layers(out)[0]
    assert kind == "labels"
    values = np.asarray(array)
    expected = segment(image, models["classes"], channel=0, output="classes")
    np.testing.assert_array_equal(values, expected)
    found = sorted(set(np.unique(values)) - {0})
    assert found  # or else the test shows nothing
    assert attributes["features"]["index"] == found
    assert attributes["features"]["class"] == [NAMES[number] for number in found]
    colors = attributes["colormap"]
    assert colors[0] == [0, 0, 0, 0]
    assert colors[1] == pytest.approx([230 / 255, 159 / 255, 0, 1])
    assert colors[2] == pytest.approx([86 / 255, 180 / 255, 233 / 255, 1])
    notes = attributes["metadata"]["slicewise"]["provenance"]
    assert notes["class_names"] == list(NAMES)


def test_objects_are_written_without_colours(tmp_path, image, models):
    out = tmp_path / "objects.ome.zarr"
    arguments = ["segment", str(image), "-o", str(out), "--model", models["classes"], "--quiet"]
    assert main([*arguments, "--channel", "0"]) == 0
    assert "colormap" not in read_layers(out)[0][1]


def test_a_run_with_other_channels_or_pixels_does_not_go_on_where_this_one_stopped(
    tmp_path, image, models, monkeypatch, capsys
):
    out = tmp_path / "out.zarr"
    arguments = ["segment", str(image), "-o", str(out), "--model", models["two"], "--quiet"]
    finish = ResumableZarrWriter.finish

    def stop_after_the_first(self, *slice_):
        finish(self, *slice_)
        raise KeyboardInterrupt

    monkeypatch.setattr(ResumableZarrWriter, "finish", stop_after_the_first)
    assert main([*arguments, "--channels", "2,0", "--least-slices", "1"]) == 130
    monkeypatch.undo()
    for other in (["--channels", "0,2"], ["--channels", "2,0", "--no-rescale"]):
        assert main([*arguments, *other, "--least-slices", "1"]) == 1
        assert "restart" in capsys.readouterr().err
    assert main([*arguments, "--channels", "2,0", "--least-slices", "1"]) == 0
