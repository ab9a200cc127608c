"""Int8 is quantised on the image, checked on it, remembered, and refused where it is wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_slicewise.errors import RequestError
from napari_slicewise.inference import int8_choice, quantization
from napari_slicewise.inference.cache import ActivationCache
from napari_slicewise.inference.device import LocalDevices
from napari_slicewise.inference.int8_choice import Int8Choice
from napari_slicewise.inference.loading import load_model_file
from napari_slicewise.inference.plan import resolve
from napari_slicewise.inference.prepare import SlicePreparer
from napari_slicewise.inference.quantization import Int8Store, can_quantize
from napari_slicewise.inference.request import Request
from napari_slicewise.inference.runner import Runner
from napari_slicewise.inference.stream import CancelToken
from napari_slicewise.io.source import ArraySource
from napari_slicewise.models.zoo import resolve_model

pytestmark = pytest.mark.skipif(not can_quantize(), reason="OpenVINO or NNCF is not installed")


class AnyProcessor(LocalDevices):
    """A processor on which int8 is faster, whatever this one is."""

    def quantizes(self, device):
        return device == "cpu"


class NoOpenVino(LocalDevices):
    def engine(self, device, precision):  # noqa: ARG002 - the policy's signature
        return "torch"


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """Keep the user's cache folder out of it."""
    monkeypatch.setattr(quantization, "cache_folder", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def nuclei():
    return load_model_file(resolve_model("nuclei"))


def discs(slices=4, side=320):
    """Bright discs of different sizes on a dark ground, with some noise."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side]
    image = np.full((slices, side, side), 100.0)
    for z in range(slices):
        for cy, cx in rng.uniform(10, side - 10, (60, 2)):
            image[z][np.hypot(y - cy, x - cx) < rng.uniform(6, 10)] = rng.uniform(500, 900)
    return (image + rng.normal(0, 10, image.shape)).clip(0).astype(np.uint16)


def start(model, image, precision="int8", policy=None, token=None, **options):
    source = ArraySource(image)
    request = Request("m", tuple(source.indices()), precision=precision, **options)
    return Runner(request, source, model, policy or AnyProcessor(), token or CancelToken())


def run(*args, **options):
    runner = start(*args, **options)
    values = {result.index: result.values for result in runner.results()}
    return np.stack(list(values.values())), runner.report()


def make_wild(model):
    """Undo a scale between two layers that float32 does not notice and int8 does.

    Some filters become 1e4 times as strong, and the layer after them as much weaker:
    ReLU lets scales pass, so that the function stays the same.
    """
    block = model.network.e1.conv
    with torch.no_grad():
        block.bn1.weight[::2] *= 1e4
        block.bn1.bias[::2] *= 1e4
        block.conv2.weight[:, ::2] /= 1e4
    return replace(model, sha256="wild", quantized={}, _backends={})


def test_labels_in_int8_are_those_of_float32_but_for_few_pixels(nuclei):
    image = discs()
    exact, _ = run(nuclei, image, "float32", output="classes")
    quick, report = run(nuclei, image, output="classes")
    assert report.details["precision"] == "int8"
    assert "of the pixels differ" in report.details["precision_check"]
    assert report.fallbacks == ()
    assert exact.any()
    assert 0 < np.mean(exact != quick) < 0.002


def test_the_network_and_its_check_are_kept_for_the_next_run(nuclei, cache, monkeypatch):
    image = discs()
    first, _ = run(nuclei, image)

    def refuse(*_):
        raise AssertionError("quantised a second time")

    monkeypatch.setattr(int8_choice, "quantize_and_check", refuse)
    for model in (nuclei, load_model_file(nuclei.path)):  # from memory, then from disk
        again, report = run(model, image, "auto")
        assert report.details["precision"] == "int8"
        np.testing.assert_array_equal(again, first)
    assert {path.suffix for path in (cache / "openvino" / "int8").iterdir()} == {
        ".json",
        ".xml",
        ".bin",
    }


@pytest.mark.parametrize("suffix", [".json", ".xml", ".bin"])
def test_a_damaged_network_is_quantised_again(nuclei, cache, suffix):
    image = discs()
    first, _ = run(nuclei, image)
    (kept,) = (cache / "openvino" / "int8").glob(f"*{suffix}")
    whole = kept.read_bytes()
    kept.write_bytes(whole[: len(whole) // 2])
    again, report = run(load_model_file(nuclei.path), image)
    np.testing.assert_array_equal(again, first)
    assert report.details["precision"] == "int8"
    assert len(kept.read_bytes()) == len(whole)


def test_networks_used_longest_ago_are_forgotten(nuclei, cache, monkeypatch):
    monkeypatch.setattr(quantization, "_MOST_KEPT", 1)
    run(nuclei, discs())
    folder = cache / "openvino" / "int8"
    before = {path.name for path in folder.iterdir()}
    run(nuclei, discs()[:, ::-1])
    after = {path.name for path in folder.iterdir()}
    assert len(before) == len(after) == 3
    assert not before & after


def test_a_network_that_int8_spoils_runs_in_another_format_and_says_so(nuclei):
    image = discs()
    exact, _ = run(nuclei, image, "float32", output="classes")
    wild = make_wild(nuclei)
    same, _ = run(wild, image, "float32", output="classes")
    assert np.mean(same != exact) < 1e-4  # the function is the same
    values, report = run(wild, image, output="classes")
    assert report.details["precision"] != "int8"
    assert np.mean(values != exact) < 0.002
    (text,) = report.fallbacks
    assert text.startswith("Not int8: ")
    assert "differ from float32" in text
    _, report = run(wild, image, "auto", output="classes")  # known now, and not tried again
    assert report.details["precision"] != "int8"
    assert report.fallbacks == ()
    assert "differ from float32" in report.details["precision_check"]


def test_automatic_changes_to_int8_after_the_first_slices_where_that_pays(nuclei, monkeypatch):
    asked = []

    def pays(seconds_a_pixel, pixels_left, calibration_pixels, held_out_pixels):
        asked.append((pixels_left, calibration_pixels, held_out_pixels))
        return len(asked) == 2

    monkeypatch.setattr(int8_choice, "pays_off", pays)
    _, report = run(nuclei, discs(6), "auto")
    area = 320 * 320
    assert asked[0] == (4 * area, 16 * 160**2, 8 * 160**2)
    assert asked[1][0] == 3 * area
    assert len(asked) == 2
    assert report.details["precision"] == "int8"
    assert "the first 3 slices in" in report.details["precision_check"]
    before, after = report.details["slices_by_precision"].items()
    assert (before[1], after) == (3, ("int8", 3))
    assert report.outcome == "completed"


def test_remembered_slices_of_the_first_format_are_counted_too(nuclei, monkeypatch):
    cache, token = ActivationCache(1 << 26), CancelToken()
    source = ArraySource(discs(8))
    request = Request("m", tuple(source.indices()), precision="auto")
    first = Runner(request, source, nuclei, AnyProcessor(), token, cache=cache)
    for count, _ in enumerate(first.results(), 1):
        if count == 3:
            token.cancel()
    kept = first.report().slices
    monkeypatch.setattr(int8_choice, "pays_off", lambda *_: True)
    again = Runner(request, source, nuclei, AnyProcessor(), CancelToken(), cache=cache)
    assert len(list(again.results())) == 8
    details = again.report().details
    fine = sum(n for name, n in details["slices_by_precision"].items() if name != "int8")
    assert details["slices_remembered"] >= kept
    assert fine > details["slices_remembered"]
    assert f"the first {fine} slices in" in details["precision_check"]


def test_automatic_leaves_short_runs_alone(nuclei):
    _, report = run(nuclei, discs(), "auto")
    assert report.details["precision"] != "int8"
    assert report.details["precision_check"] == ""


def test_a_small_image_proves_nothing(nuclei):
    _, report = run(nuclei, discs(1, 100))
    assert report.details["precision"] != "int8"
    assert "too small" in report.fallbacks[0]


def test_which_slices_are_asked_for_changes_neither_tiles_nor_result(nuclei):
    image = discs()
    source = ArraySource(image)
    digests = set()
    for indices in (tuple(source.indices()), ((2,),)):
        request = Request("m", indices, precision="int8")
        plan = resolve(request, nuclei.spec, source, AnyProcessor())
        SlicePreparer(plan, source, CancelToken())
        digests.add(plan.tiles.digest)
    assert len(digests) == 1


@pytest.mark.parametrize("during", ["calibration", "check"])
def test_a_stop_ends_the_calibration_at_the_next_tile(nuclei, monkeypatch, during):
    token = CancelToken()
    seen = 0
    until_stopped = quantization._until_stopped

    def counting(tiles, asked):
        nonlocal seen
        for tile in until_stopped(tiles, asked):
            seen += 1
            if seen == (3 if during == "calibration" else 14):
                token.cancel()
            yield tile

    monkeypatch.setattr(quantization, "_until_stopped", counting)
    results, report = [], None
    runner = start(nuclei, discs(), token=token)
    results = list(runner.results())
    report = runner.report()
    assert seen == (3 if during == "calibration" else 14)
    assert results == []
    assert report.outcome == "cancelled"
    assert report.fallbacks == ()


def test_the_status_says_what_the_check_found(nuclei):
    said, plan = [], None
    source = ArraySource(discs())
    request = Request("m", tuple(source.indices()), precision="int8")
    plan = resolve(request, nuclei.spec, source, AnyProcessor())
    SlicePreparer(plan, source, CancelToken())
    choice = Int8Choice(nuclei, CancelToken(), said.append, said.append)
    assert choice.begin(plan).precision == "int8"
    assert said[0].startswith("Calibrating int8")
    assert said[1].startswith("CPU")
    assert "int8 (checked: 0." in said[1]
    assert said[1].endswith(" % of the pixels differ)")


def test_memory_that_ends_during_the_calibration_costs_only_int8(nuclei, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(int8_choice, "quantize_and_check", full)
    values, report = run(nuclei, discs())
    assert values.any()
    assert "not enough memory to calibrate" in report.fallbacks[0]


def test_int8_is_refused_where_nothing_can_run_it(nuclei):
    with pytest.raises(RequestError, match="no int8"):
        start(nuclei, discs(), policy=NoOpenVino())


def test_automatic_knows_that_odd_numbers_of_filters_gain_nothing(random_model):
    source = ArraySource(discs())
    request = Request("m", tuple(source.indices()))
    assert resolve(request, random_model.spec, source, AnyProcessor()).quantize == "never"
    sixteen = replace(random_model.spec, first_filters=16)
    assert resolve(request, sixteen, source, AnyProcessor()).quantize == "if it pays"
    assert resolve(request, sixteen, source, NoOpenVino()).quantize == "never"


def test_a_store_that_cannot_be_written_costs_only_the_store(nuclei, cache):
    (cache / "openvino").mkdir()
    (cache / "openvino" / "int8").write_text("a file where the folder should be")
    _, report = run(nuclei, discs())
    assert report.details["precision"] == "int8"
    assert Int8Store(cache).find("anything") is None
