"""What goes wrong in a training: it is said, and what was learned before is kept."""

import resource
import signal

import numpy as np
import pytest
import torch
from support.labelled_discs import annotated, quick_config, quick_request

from napari_slicewise.errors import ImageError, ModelError, OutputError
from napari_slicewise.models.checkpoint import read_checkpoint
from napari_slicewise.training.learner import Learner
from napari_slicewise.training.patches import Batch


def learner(**config):
    return Learner(quick_request(), [annotated("a")], config=quick_config(**config))


def test_loss_that_is_no_number_ends_the_training_with_the_weights_before(tmp_path):
    made = learner()
    steps = made.steps()
    for _ in range(3):
        next(steps)
    made.save(tmp_path / "before.safetensors")
    draw = made._sampler.draw

    def spoiled():
        batch = draw()
        image = torch.full_like(batch.image, torch.nan)
        return Batch(image, batch.target, batch.weight, batch.border)

    made._sampler.draw = spoiled
    (last,) = list(steps)
    assert last.ending == "diverged"
    assert np.isnan(last.loss)
    assert "diverged at step 4" in last.message
    assert "weights before that are kept" in last.message
    made.save(tmp_path / "after.safetensors")
    one, other = (read_checkpoint(tmp_path / f"{n}.safetensors").state for n in ("before", "after"))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_memory_that_runs_out_makes_patches_smaller_and_is_said():
    made = learner(patch=128)
    learn, seen = made._trainer.learn, []

    def scarce(batch):
        seen.append(tuple(batch.image.shape))
        if batch.image.numel() > 2 * 64 * 64:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")
        return learn(batch)

    made._trainer.learn = scarce
    reports = list(made.steps())
    assert reports[-1].ending == "steps are done"
    assert seen[:2] == [(2, 1, 128, 128), (2, 1, 64, 64)]
    assert set(seen[1:]) == {(2, 1, 64, 64)}
    assert "Memory ran out: patches of 64 px, 2 at once." in reports[0].message
    assert reports[1].message == ""


def test_memory_that_never_suffices_is_an_error_and_other_errors_stay_what_they_are():
    made = learner()

    def never(_batch):
        raise RuntimeError(
            "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"
        )

    made._trainer.learn = never
    with pytest.raises(ModelError, match="memory does not suffice"):
        next(made.steps())

    def broken(_batch):
        raise RuntimeError("shapes do not match")

    made = learner()
    made._trainer.learn = broken
    with pytest.raises(RuntimeError, match="shapes do not match"):
        next(made.steps())


@pytest.fixture
def _small_disk():
    """No file can grow beyond 1,000 bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    heard = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, heard)


def test_disk_that_is_full_leaves_the_old_files(tmp_path, request):
    made = learner()
    steps = made.steps()
    next(steps)
    model, state = tmp_path / "m.safetensors", tmp_path / "m.training"
    made.save(model)
    made.save_state(state)
    before = model.read_bytes(), state.read_bytes()
    next(steps)
    request.getfixturevalue("_small_disk")
    for save, path in ((made.save, model), (made.save_state, state)):
        with pytest.raises(OutputError, match="could not be written"):
            save(path)
    assert (model.read_bytes(), state.read_bytes()) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.safetensors", "m.training"]


def test_slice_that_cannot_be_read_is_told_with_its_cause():
    class Gone:
        shape, dtype = (64, 64), np.dtype(np.uint8)

        def __getitem__(self, key):
            raise OSError("the drive was removed")

    one = annotated("a")
    object.__setattr__(one, "image", Gone())
    object.__setattr__(one, "labels", one.labels[:64, :64])
    with pytest.raises(ImageError, match="drive was removed"):
        Learner(quick_request(), [one])
