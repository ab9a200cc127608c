"""Patches: what is drawn keeps image and truth together."""

import numpy as np
import pytest
import torch

from napari_slicewise.errors import ImageError
from napari_slicewise.training import augment
from napari_slicewise.training.patches import PatchSampler, TrainingImage


def _squares(side=100):
    labels = np.zeros((side, side), np.int32)
    for number, (y, x) in enumerate([(10, 10), (40, 60), (70, 20)], start=1):
        labels[y : y + 15, x : x + 15] = number
    return TrainingImage("squares", (labels > 0).astype(np.float32), labels)


def _sampler(seed=0, image=None):
    return PatchSampler([image or _squares()], patch=64, batch=4, seed=seed)


def test_batches_have_four_maps_of_one_shape_and_sane_values():
    batch = _sampler().draw()
    for tensor in (batch.image, batch.foreground, batch.distance, batch.weight):
        assert tensor.shape == (4, 1, 64, 64)
        assert tensor.dtype == torch.float32
        assert torch.isfinite(tensor).all()
    assert set(batch.foreground.unique().tolist()) <= {0.0, 1.0}
    assert (batch.distance[batch.foreground == 0] == 0).all()
    assert batch.distance.max() <= 1.0
    assert batch.weight.min() > 0


def test_same_seed_gives_the_same_batches_and_another_seed_others():
    first, again, other = _sampler(1).draw(), _sampler(1).draw(), _sampler(2).draw()
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.weight, again.weight)
    assert not torch.equal(first.image, other.image)


def test_image_and_truth_are_scaled_and_turned_together(monkeypatch):
    monkeypatch.setattr(augment, "change_intensity", lambda image, _: image)
    monkeypatch.setattr(augment, "dim_objects", lambda image, *_: image)
    monkeypatch.setattr(augment, "roughen_objects", lambda image, *_: image)
    monkeypatch.setattr(augment, "draw_empty", lambda side, _: np.zeros((side, side), np.float32))
    sampler = _sampler(3)
    for _ in range(10):
        batch = sampler.draw()
        agree = ((batch.image > 0.5) == (batch.foreground > 0)).float().mean()
        assert agree > 0.99


def test_images_smaller_than_a_patch_and_without_objects_are_drawn_too():
    tiny = TrainingImage("tiny", np.zeros((7, 5), np.float32), np.zeros((7, 5), np.int32))
    assert _sampler(image=tiny).draw().foreground.sum() == 0


def test_contradicting_or_missing_images_are_refused():
    with pytest.raises(ImageError, match="one shape"):
        TrainingImage("bad", np.zeros((4, 4), np.float32), np.zeros((4, 5), np.int32))
    with pytest.raises(ImageError, match="no images"):
        PatchSampler([], patch=64, batch=1, seed=0)


def test_all_eight_symmetries_are_drawn_and_shared_by_all_arrays():
    rng = np.random.default_rng(0)
    image = np.arange(9).reshape(3, 3)
    seen = set()
    for _ in range(100):
        one, other = augment.flip_and_turn([image, image + 10], rng)
        assert np.array_equal(one + 10, other)
        seen.add(tuple(one.ravel()))
    assert len(seen) == 8


def test_dimmed_objects_move_towards_the_background_and_nothing_else_changes():
    labels = _squares().labels
    image = np.where(labels > 0, 1.0, 0.2).astype(np.float32)
    dimmed = augment.dim_objects(image, labels, np.random.default_rng(0))
    assert dimmed[90, 90] == pytest.approx(0.2)
    assert (dimmed <= image + 1e-6).all()
    assert (dimmed >= 0.2 - 1e-6).all()
    assert dimmed[labels > 0].min() < 0.9


def test_roughened_objects_have_texture_and_the_background_stays():
    labels = _squares().labels
    image = np.where(labels > 0, 1.0, 0.2).astype(np.float32)
    rough = augment.roughen_objects(image, labels, np.random.default_rng(0))
    assert rough[90, 90] == pytest.approx(0.2)
    assert rough[labels > 0].std() > 0.05
    assert rough.min() > 0.19


def test_empty_patch_is_noise_over_the_whole_range():
    for seed in range(5):
        patch = augment.draw_empty(64, np.random.default_rng(seed))
        low, high = np.percentile(patch, (1.0, 99.8))
        assert (low, high) == (pytest.approx(0, abs=1e-5), pytest.approx(1, abs=1e-5))


def test_changes_of_intensity_keep_shape_and_finite_numbers():
    rng = np.random.default_rng(0)
    for _ in range(60):
        changed = augment.change_intensity(_squares().image - 0.1, rng)
        assert changed.dtype == np.float32
        assert changed.shape == (100, 100)
        assert np.isfinite(changed).all()
