"""What a model learned from before keeps it from forgetting."""

import numpy as np
import pytest
from support.labelled_discs import annotated, discs, quick_config, quick_request

from napari_slicewise.errors import ModelError
from napari_slicewise.training.learner import Learner
from napari_slicewise.training.rehearsal import rehearsal_path, rehearse_from, write_rehearsal
from napari_slicewise.training.request import Annotation


def reversed_discs(seed):
    """Dark discs on bright ground."""
    image, labels = discs(seed=seed)
    return Annotation(f"dark {seed}", (255 - image.clip(0, 255)).astype(np.uint16), labels)


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """A model that finds bright discs."""
    path = tmp_path_factory.mktemp("known") / "known.safetensors"
    bright = [annotated("a"), annotated("b", seed=1)]
    made = Learner(quick_request(), bright, config=quick_config(steps=80))
    list(made.steps())
    made.save(path)
    return path


def overlap(made, one):
    found, true = made.predict(one.image)[0] > 0.5, one.labels > 0
    return np.count_nonzero(found & true) / np.count_nonzero(found | true)


def tuned(known, rehearse):
    config = quick_config(steps=60, rehearse=rehearse, keep_statistics=True, learning_rate=3e-3)
    request = quick_request(start_from=str(known))
    made = Learner(request, [reversed_discs(2), reversed_discs(3)], config=config)
    return made, list(made.steps())


def test_patches_are_read_as_they_were_written(tmp_path):
    slices = [annotated("a"), annotated("b", seed=1)]
    weights = tmp_path / "m.safetensors"
    assert rehearse_from(weights) == ()
    write_rehearsal(weights, slices)
    assert rehearsal_path(weights).name == "m.rehearsal.npz"
    for one, other in zip(slices, rehearse_from(weights), strict=True):
        assert np.array_equal(one.image, other.image)
        assert np.array_equal(one.labels, other.labels)
    rehearsal_path(weights).write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(ModelError, match="cannot be read"):
        rehearse_from(weights)


def test_model_forgets_less_where_it_rehearses(known):
    old = annotated("old", seed=9)
    without, _ = tuned(known, 0.5)
    write_rehearsal(known, [annotated(f"r{n}", seed=20 + n) for n in range(4)])
    try:
        within, reports = tuned(known, 0.5)
    finally:
        rehearsal_path(known).unlink()
    assert overlap(within, old) > overlap(without, old) + 0.1
    drawn = [note.name for report in reports for note in report.patches]
    assert 0.3 < drawn.count("") / len(drawn) < 0.7
    assert set(reports[-1].patches_from) == {"dark 2", "dark 3"}
