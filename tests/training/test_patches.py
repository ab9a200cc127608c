"""Patches: what is drawn keeps image and truth together, and comes from where labels are."""

import json

import numpy as np
import pytest
import torch
from support.labelled_discs import STILL, annotated, discs, quick_config

from napari_slicewise.errors import ImageError
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.training import augment
from napari_slicewise.training.config import Variation
from napari_slicewise.training.patches import PatchSampler
from napari_slicewise.training.pieces import Intensities, cut_pieces, read_labels
from napari_slicewise.training.pool import PiecePool
from napari_slicewise.training.request import Annotation
from napari_slicewise.training.truth import make_truth

VARIED = Variation(dim=0.3, rough=0.3, empty=0.1)


def sampler(annotations=None, output="foreground_distance", ceiling=1 << 30, **config):
    annotations = annotations or [annotated(side=100)]
    settings = quick_config(**{"batch": 4, "variation": VARIED, **config})
    spec = ModelSpec("m", output=output, out_channels=2 if output != "foreground" else 1)
    intensities = Intensities(annotations, spec)
    reads = []

    def make(piece):
        reads.append(piece.key)
        return make_truth(intensities.normalized(piece), *read_labels(piece), output, settings)

    pool = PiecePool(make, ceiling, channels=1, side=settings.patch)
    for annotation in annotations:
        pool.replace(annotation.name, cut_pieces(annotation))
    made = PatchSampler(pool, output, settings)
    made.reads = reads
    return made


@pytest.mark.parametrize(
    ("output", "heads"),
    [("foreground", 1), ("foreground_distance", 2), ("foreground_boundary", 2), ("classes", 1)],
)
def test_batches_have_maps_of_one_shape_and_sane_values(output, heads):
    batch = sampler(output=output).draw()
    assert batch.image.shape == batch.border.shape == (4, 1, 64, 64)
    assert batch.target.shape == batch.weight.shape == (4, heads, 64, 64)
    for tensor in (batch.image, batch.weight, batch.border):
        assert tensor.dtype == torch.float32
        assert torch.isfinite(tensor).all()
    assert batch.weight.min() > 0
    if output == "classes":
        assert batch.target.dtype == torch.int64
        assert set(batch.target.unique().tolist()) <= set(range(9))
        return
    foreground, second = batch.target[:, :1], batch.target[:, -1:]
    assert set(foreground.unique().tolist()) <= {0.0, 1.0}
    assert second.max() <= 1.0
    if output == "foreground_distance":
        assert (second[foreground == 0] == 0).all()


def test_same_seed_gives_the_same_batches_and_another_seed_others():
    first, again, other = (sampler(seed=seed).draw() for seed in (1, 1, 2))
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.weight, again.weight)
    assert not torch.equal(first.image, other.image)


def test_drawing_goes_on_from_a_saved_state_as_if_never_stopped():
    whole = sampler()
    whole.draw()
    state = json.loads(json.dumps(whole.state()))
    resumed = sampler(seed=7)
    resumed.restore(state)
    for _ in range(3):
        one, other = whole.draw(), resumed.draw()
        assert torch.equal(one.image, other.image)
        assert torch.equal(one.weight, other.weight)
    assert whole.counts == resumed.counts


def test_image_and_truth_are_deformed_together():
    made = sampler(variation=Variation(intensity=0.0))
    for _ in range(10):
        batch = made.draw()
        agree = ((batch.image > 0.5) == (batch.target[:, :1] > 0)).float().mean()
        assert agree > 0.97


def test_images_smaller_than_a_patch_and_without_objects_are_drawn_too():
    tiny = Annotation("tiny", np.zeros((7, 5), np.uint8), np.zeros((7, 5), np.uint8))
    assert sampler([tiny]).draw().target.sum() == 0


def test_no_patch_lies_where_nothing_is_known_and_unknown_pixels_weigh_nothing():
    image, labels = discs(side=400, count=60)
    known = np.zeros(labels.shape, bool)
    known[300:306, 40:52] = True
    known[20:24, 350:360] = True
    labels[300:306, 40:46] = 1  # an object, and background beside it
    labels[300:306, 46:52] = 0
    made = sampler([Annotation("sparse", image, labels, known)], batch=8)
    for _ in range(6):
        batch = made.draw()
        drawn = [note for note in made.notes if note.name]
        assert all(note.known > 0 for note in drawn)
        for weight, border, note in zip(batch.weight, batch.border, made.notes, strict=True):
            if note.name:
                assert 0 < int((weight[0] > 0).sum()) == note.known < 1500
                assert not border[weight[:1] == 0].any()


def test_notes_say_from_which_annotation_and_window_each_patch_came():
    one, other = annotated("one", seed=1, side=80), annotated("other", seed=2, side=200)
    made = sampler([one, other], variation=STILL)
    for _ in range(20):
        made.draw()
        for note in made.notes:
            top, left, bottom, right = note.window
            side = 80 if note.name == "one" else 200
            assert 0 <= top < bottom <= side
            assert 0 <= left < right <= side
            assert (note.version, note.known) == (0, 64 * 64)
    assert set(made.counts) == {"one", "other"}
    assert sum(made.counts.values()) == 80
    assert made.counts["other"] > made.counts["one"]


def test_each_class_is_drawn_as_often_however_rare():
    labels = np.zeros((300, 300), np.int32)
    labels[100:104, 100:104] = 1
    labels[200:290, :] = 2
    image = (labels * 50).astype(np.uint8)
    made = sampler([Annotation("c", image, labels)], output="classes", batch=8)
    with_rare = sum(int((made.draw().target == 1).any(dim=(1, 2, 3)).sum()) for _ in range(10))
    assert with_rare >= 20  # of 80; by area it would be two or three


def test_drawn_empty_patches_are_noise_without_objects():
    made = sampler(variation=Variation(empty=1.0))
    batch = made.draw()
    assert batch.target.sum() == 0
    assert batch.image.std() > 0.05
    assert [note.name for note in made.notes] == [""] * 4
    assert not made.counts


def test_more_than_fits_in_memory_streams_and_every_piece_has_its_turn():
    many = [annotated(f"s{n}", seed=n, side=64) for n in range(10)]
    piece = 64 * 64 * (17 + 4)
    made = sampler(many, ceiling=3 * piece, batch=16)
    for _ in range(60):
        made.draw()
        assert len(made.state()["held"]) <= 3
    assert len(made.counts) == 10
    # Each piece in memory gives about sixteen patches before another takes its place.
    assert 20 < len(made.reads) < 200


def test_streaming_goes_on_from_a_saved_state_too():
    many = [annotated(f"s{n}", seed=n, side=64) for n in range(6)]
    ceiling = 2 * 64 * 64 * 21
    whole, resumed = sampler(many, ceiling=ceiling), sampler(many, ceiling=ceiling)
    for _ in range(9):
        whole.draw()
    resumed.restore(whole.state())
    assert all(torch.equal(whole.draw().image, resumed.draw().image) for _ in range(9))


def test_contradicting_images_and_labels_are_refused():
    with pytest.raises(ImageError, match="4 x 4 pixels, its labels 4 x 5"):
        Annotation("bad", np.zeros((4, 4)), np.zeros((4, 5), int))
    with pytest.raises(ImageError, match="no labels"):
        PiecePool(lambda _: None, 1, 1, 64).pick(np.random.default_rng(0))


def test_dimmed_objects_move_towards_the_background_and_nothing_else_changes():
    labels = discs(side=100)[1]
    image = np.where(labels > 0, 1.0, 0.2).astype(np.float32)
    dimmed = augment.dim_objects(image, labels, np.random.default_rng(0))
    far = np.zeros(labels.shape, bool)
    far[:4] = labels[:4] == 0
    assert (dimmed <= image + 1e-6).all()
    assert (dimmed >= 0.2 - 1e-6).all()
    assert dimmed[labels > 0].min() < 0.9
    assert np.median(dimmed[labels == 0]) == pytest.approx(0.2)


def test_roughened_objects_have_texture_and_the_background_stays():
    labels = discs(side=100)[1]
    image = np.where(labels > 0, 1.0, 0.2).astype(np.float32)
    rough = augment.roughen_objects(image, labels, np.random.default_rng(0))
    assert np.median(rough[labels == 0]) == pytest.approx(0.2)
    assert rough[labels > 0].std() > 0.05
    assert rough.min() > 0.19


def test_empty_patch_is_noise_over_the_whole_range():
    for seed in range(5):
        patch = augment.draw_empty(64, np.random.default_rng(seed))
        low, high = np.percentile(patch, (1.0, 99.8))
        assert (low, high) == (pytest.approx(0, abs=1e-5), pytest.approx(1, abs=1e-5))


def test_changes_of_intensity_keep_shape_and_finite_numbers():
    rng = np.random.default_rng(0)
    image = (discs(side=100)[0] / 200).astype(np.float32)
    for _ in range(60):
        changed = augment.change_intensity(image - 0.1, rng)
        assert changed.dtype == np.float32
        assert changed.shape == (100, 100)
        assert np.isfinite(changed).all()
    assert np.array_equal(augment.change_intensity(image, rng, likely=0.0), image)
