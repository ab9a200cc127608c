"""A run gives for each slice what the bare network gives, whatever the tiles and the memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.random_models import write_random_model

from napari_slicewise.errors import ImageError, ModelError, RequestError
from napari_slicewise.inference.cache import ActivationCache
from napari_slicewise.inference.device import LocalDevices, is_out_of_memory
from napari_slicewise.inference.loading import load_model_file
from napari_slicewise.inference.normalize import measure_range, normalize
from napari_slicewise.inference.plan import resolve
from napari_slicewise.inference.request import Request, visiting_order
from napari_slicewise.inference.runner import Runner
from napari_slicewise.inference.stream import CancelToken
from napari_slicewise.instances.options import ObjectOptions
from napari_slicewise.io.source import ArraySource


class FullDevice(LocalDevices):
    """A device that has room for so many input pixels, and says so with torch's own error."""

    def __init__(self, pixels):
        self.pixels = pixels

    def before_batch(self, device, pixels):  # noqa: ARG002 - the policy's signature
        if pixels > self.pixels:
            raise torch.OutOfMemoryError(f"no room for {pixels} pixels")


def stack(*shape):
    rng = np.random.default_rng(1)
    return (rng.normal(size=shape).cumsum(-1) * 100 + 2000).astype(np.uint16)


def run(model, image, *, policy=None, source=None, **options):
    source = source or ArraySource(image)
    options = {"precision": "float32", "output": "probability", **options}
    indices = options.pop("indices", tuple(source.indices()))
    request = Request(str(model.path), indices, **options)
    runner = Runner(request, source, model, policy or LocalDevices(), CancelToken())
    results = list(runner.results())
    values = np.zeros((*source.leading_shape, *source.slice_shape), np.float32)
    for result in results:
        values[result.index] = result.values
    return values, runner.report()


def bare(model, image):
    """The network alone, on a slice padded by hand."""
    normal = normalize(image[None], measure_range([image[None]], model.spec))
    height, width = image.shape
    padded = np.pad(normal, ((0, 0), (0, -height % 16), (0, -width % 16)), mode="reflect")
    with torch.inference_mode():
        return model.network(torch.from_numpy(padded)[None])[0, 0].sigmoid()[:height, :width]


@pytest.mark.parametrize("shape", [(1, 1), (17, 31), (16, 16), (100, 250)])
def test_one_slice_gives_what_the_bare_network_gives(random_model, shape):
    image = stack(*shape)
    values, report = run(random_model, image)
    np.testing.assert_allclose(values, bare(random_model, image), atol=1e-5)
    assert report.outcome == "completed"


@pytest.mark.parametrize(("tile", "batch"), [(256, 1), (320, 3)])
def test_tiles_give_what_the_whole_slice_gives(random_model, tile, batch):
    image = stack(450, 611)
    whole, _ = run(random_model, image)
    tiled, report = run(random_model, image, tile=tile, batch=batch)
    assert report.details["tile"] == [tile, tile]
    np.testing.assert_allclose(tiled, whole, atol=1e-4)


def test_out_of_memory_shrinks_the_plan_and_changes_nothing(random_model):
    image = stack(3, 500, 700)
    whole, _ = run(random_model, image, batch=4)
    labels, _ = run(random_model, image, batch=4, output="labels")
    policy = FullDevice(400 * 400)
    small, report = run(random_model, image, policy=policy, batch=4)
    np.testing.assert_allclose(small, whole, atol=1e-4)
    assert report.outcome == "completed"
    assert len(report.fallbacks) >= 2
    assert all("Not enough memory" in text for text in report.fallbacks)
    again, _ = run(random_model, image, policy=FullDevice(400 * 400), batch=4, output="labels")
    assert np.mean(again != labels) < 1e-4


def test_memory_that_never_suffices_ends_with_a_clear_error(random_model):
    with pytest.raises(RequestError, match="not enough memory"):
        run(random_model, stack(64, 64), policy=FullDevice(10))


def test_torch_errors_are_told_apart():
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"))
    assert not is_out_of_memory(RuntimeError("shape mismatch"))


def test_a_slice_alone_is_predicted_as_within_its_stack(random_model):
    image = stack(9, 40, 40)
    image[4] //= 4
    together, _ = run(random_model, image)
    alone, _ = run(random_model, image, indices=((4,),))
    np.testing.assert_allclose(alone[4], together[4], atol=1e-5)
    by_itself, _ = run(random_model, image, intensity_range="slice")
    np.testing.assert_allclose(by_itself[4], bare(random_model, image[4]), atol=1e-5)


def test_results_come_in_the_order_asked_for(random_model):
    source = ArraySource(stack(2, 5, 32, 32))
    order = visiting_order(tuple(source.indices()), (1, 3))
    assert order[:6] == ((1, 3), (1, 2), (1, 4), (1, 1), (1, 0), (0, 3))
    runner = Runner(
        Request(str(random_model.path), order), source, random_model, LocalDevices(), CancelToken()
    )
    assert tuple(result.index for result in runner.results()) == order


def test_a_cancelled_run_keeps_what_is_done_and_says_so(random_model):
    source = ArraySource(stack(30, 64, 64))
    token = CancelToken()
    request = Request(str(random_model.path), tuple(source.indices()))
    runner = Runner(request, source, random_model, LocalDevices(), token)
    done = []
    for result in runner.results():
        done.append(result.index)
        if len(done) == 3:
            token.cancel()
    report = runner.report()
    assert report.outcome == "cancelled"
    assert 3 <= report.slices == len(done) < 30


def test_a_page_that_breaks_ends_the_run_after_the_slices_before_it(random_model):
    class Broken(ArraySource):
        def read_slice(self, index):
            if index == (10,):
                raise ImageError("page 10 is broken")
            return super().read_slice(index)

    source = Broken(
        stack(30, 32, 32),
    )
    request = Request(
        str(random_model.path), tuple(source.indices()), intensity_range="slice", batch=1
    )
    runner = Runner(request, source, random_model, LocalDevices(), CancelToken())
    done = []
    results = runner.results()
    with pytest.raises(ImageError, match="page 10") as caught:  # noqa: PT012 - the loop raises
        for result in results:
            done.append(result.index)
    assert done == [(z,) for z in range(10)]
    assert runner.report(caught.value).outcome == "failed"


@pytest.mark.parametrize(
    "image",
    [
        np.eye(20, dtype=bool),
        np.arange(400, dtype=np.int16).reshape(20, 20) - 200,
        np.full((20, 20), 7, np.uint8),
        np.full((20, 20), np.nan, np.float32),
        np.where(np.eye(20) > 0, np.inf, 0.5),
        (np.arange(400).reshape(20, 20) * 10).astype(np.uint16),  # 12 bits in 16
        np.arange(400, dtype=">u2").reshape(20, 20),
    ],
    ids=["bool", "int16", "constant", "nan", "inf", "12-bit", "big-endian"],
)
def test_any_pixel_type_gives_finite_probabilities(random_model, image):
    values, _ = run(random_model, image)
    assert np.isfinite(values).all()


def test_twelve_bit_data_is_not_taken_for_black(random_model):
    image = stack(64, 64) % 4096
    wide = image.astype(np.uint16) * 16
    narrow, _ = run(random_model, image)
    scaled, _ = run(random_model, wide)
    np.testing.assert_allclose(narrow, scaled, atol=1e-5)


def test_channels_feed_the_model_or_the_error_says_what_to_choose(tmp_path, random_model):
    colour = stack(40, 40, 3).astype(np.uint8)
    three = load_model_file(write_random_model(tmp_path / "three.safetensors", in_channels=3))
    as_colour = ArraySource(colour, (0, 1), 2, rgb=True)
    run(three, None, source=as_colour)
    grey, report = run(random_model, None, source=as_colour)
    assert report.details["channels"] == "grey"
    luminance = np.rint(colour @ np.array([0.2125, 0.7154, 0.0721])).astype(np.uint8)
    np.testing.assert_allclose(grey, run(random_model, luminance)[0], atol=1e-5)
    assert run(three, stack(40, 40))[1].details["channels"] == "repeat"
    with pytest.raises(ModelError, match="takes 1 channel, the image gives 2"):
        run(random_model, None, source=ArraySource(stack(2, 40, 40), (1, 2), 0))


def test_labels_classes_and_probability_agree(random_model):
    image = stack(2, 64, 64)
    probability, _ = run(random_model, image)
    threshold = float(np.median(probability))
    objects = ObjectOptions(threshold=threshold, smallest=0)
    classes, _ = run(random_model, image, output="classes", objects=objects)
    labels, _ = run(random_model, image, output="labels", objects=objects)
    np.testing.assert_array_equal(classes, probability >= threshold)
    np.testing.assert_array_equal(labels > 0, classes > 0)


def test_a_device_that_is_not_there_is_refused_with_those_that_are(random_model):
    source = ArraySource(stack(16, 16))
    with pytest.raises(RequestError, match=r"no device 'cuda:7'.*cpu"):
        resolve(Request("m", ((),), device="cuda:7"), random_model.spec, source, LocalDevices())


def test_folded_reduced_precision_stays_close_to_the_network(random_model):
    image = stack(128, 128)
    exact, _ = run(random_model, image)
    reduced, _ = run(random_model, image, precision="bfloat16")
    assert np.abs(exact - reduced).mean() < 0.01


def test_another_threshold_does_not_run_the_network_again(random_model):
    class Counting(LocalDevices):
        batches = 0

        def before_batch(self, device, pixels):  # noqa: ARG002 - the policy's signature
            self.batches += 1

    cache, policy = ActivationCache(10**8), Counting()
    image = stack(6, 40, 40)

    def again(indices=None, **options):
        source = ArraySource(image)
        request = Request(
            str(random_model.path), indices or tuple(source.indices()), output="classes", **options
        )
        runner = Runner(request, source, random_model, policy, CancelToken(), cache=cache)
        return {result.index: result.values for result in runner.results()}, runner.report()

    again(indices=((3,),))
    assert policy.batches == 1
    first, report = again()
    assert report.details["slices_remembered"] == 1
    batches = policy.batches
    lower, report = again(objects=ObjectOptions(threshold=0.3))
    assert policy.batches == batches
    assert report.details["slices_remembered"] == 6
    assert sum(v.sum() for v in lower.values()) > sum(v.sum() for v in first.values())
    image[2] = image[2, ::-1]  # edited in place: this slice is predicted anew
    _, report = again()
    assert report.details["slices_remembered"] == 5


def test_the_cache_forgets_the_oldest_when_it_is_full():
    cache = ActivationCache(3 * 400)
    for name in "abcd":
        cache.put(name.encode(), np.zeros((1, 10, 10), np.float32))
        cache.get(b"a")
    assert cache.get(b"b") is None
    assert cache.get(b"a") is not None
    cache.put(b"too large", np.zeros((1, 100, 100), np.float32))
    assert cache.get(b"d") is not None
