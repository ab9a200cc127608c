"""A whole training: it learns, reproduces itself, holds out, hears of new labels, and is saved."""

import numpy as np
import pytest
import torch
from support.labelled_discs import annotated, discs, quick_config, quick_request

from napari_slicewise.errors import ModelError, RequestError
from napari_slicewise.inference.loading import load_model_file
from napari_slicewise.models.checkpoint import read_checkpoint
from napari_slicewise.training.learner import Learner
from napari_slicewise.training.request import Annotation


def learner(annotations=None, config=None, **request):
    annotations = annotations or [annotated("a")]
    return Learner(quick_request(**request), annotations, config=config or quick_config())


def weights(made, tmp_path):
    made.save(tmp_path / "m.safetensors")
    return read_checkpoint(tmp_path / "m.safetensors").state


def overlap(found, labels):
    return np.count_nonzero(found & (labels > 0)) / np.count_nonzero(found | (labels > 0))


@pytest.mark.parametrize("head", ["binary", "boundary", "distance"])
def test_discs_are_found_after_a_short_training(head):
    config = quick_config(steps=60)
    made = learner([annotated("a"), annotated("b", seed=1)], config, head=head)
    reports = list(made.steps())
    image, labels = discs(seed=5)
    assert overlap(made.predict(image)[0] > 0.5, labels) > 0.8
    assert reports[-1].loss < 0.75 * reports[0].loss
    assert [r.step for r in reports] == list(range(1, 61))
    assert [r.ending for r in reports[-2:]] == ["", "steps are done"]
    assert list(made.steps()) == []


def test_classes_are_told_apart_after_a_short_training():
    rng = np.random.default_rng(0)
    labels = np.zeros((128, 128), np.uint8)
    labels[10:50, 10:120] = 1
    labels[70:110, 20:110] = 2
    image = np.array([50, 120, 200])[labels] + rng.normal(0, 5, labels.shape)
    made = learner([Annotation("c", image, labels)], quick_config(steps=60), head="classes")
    list(made.steps())
    found = made.predict(image).argmax(axis=0)
    assert (found == labels).mean() > 0.9


def test_same_seed_and_data_give_the_same_weights_bit_for_bit(tmp_path):
    states = []
    for _ in range(2):
        many = [annotated(f"s{n}", seed=n) for n in range(6)]
        made = Learner(quick_request(head="distance", steps=8, seed=3), many)
        list(made.steps())
        states.append(weights(made, tmp_path))
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    other = Learner(quick_request(head="distance", steps=8, seed=4), many)
    list(other.steps())
    assert any(not torch.equal(states[0][k], v) for k, v in weights(other, tmp_path).items())


def test_resumed_training_ends_with_the_same_weights_bit_for_bit(tmp_path):
    many = [annotated(f"s{n}", seed=n) for n in range(4)]
    request = quick_request(head="distance", steps=10, seed=3)
    whole = Learner(request, many)
    list(whole.steps())
    stopped = Learner(request, many)
    steps = stopped.steps()
    for _ in range(4):
        next(steps)
    stopped.save_state(tmp_path / "state.training")
    next(steps)  # a step after the state is lost, and done again
    resumed = Learner(request, many)
    resumed.resume(tmp_path / "state.training")
    reports = list(resumed.steps())
    assert [r.step for r in reports] == [5, 6, 7, 8, 9, 10]
    assert "Going on after step 4" in reports[0].message
    expected, got = weights(whole, tmp_path), weights(resumed, tmp_path)
    assert all(torch.equal(expected[key], got[key]) for key in expected)


def test_something_else_is_no_saved_training(tmp_path):
    made = learner()
    torch.save({"network": {}}, tmp_path / "other.pt")
    (tmp_path / "text").write_text("nothing")
    for name in ("other.pt", "text", "missing"):
        with pytest.raises(ModelError, match="no saved training"):
            made.resume(tmp_path / name)
    learner(head="distance").save_state(tmp_path / "distance.training")
    with pytest.raises(ModelError, match="no saved training of this network"):
        made.resume(tmp_path / "distance.training")


def test_held_out_slices_are_scored_and_never_drawn_from():
    many = [annotated(f"s{n}", seed=n, group="stack") for n in range(5)]
    made = learner(many, quick_config(steps=12, validations=3))
    reports = list(made.steps())
    assert made.held_out == ("s2",)
    assert "s2" not in reports[-1].patches_from
    assert set(reports[-1].patches_from) == {"s0", "s1", "s3", "s4"}
    scored = [r.step for r in reports if r.validation is not None]
    assert scored == [4, 8, 12]
    assert reports[-1].measure == "foreground IoU"
    assert reports[-1].best == max(r.validation for r in reports if r.validation is not None)


def test_objects_are_counted_where_all_of_the_held_out_slice_is_known():
    many = [annotated(f"s{n}", seed=n) for n in range(5)]
    assert list(learner(many, head="distance").steps())[-1].measure == "AP at IoU 0.5"
    known = np.ones((96, 96), bool)
    known[:5] = False
    sparse = [annotated(f"s{n}", seed=n, known=known) for n in range(5)]
    assert list(learner(sparse, head="distance").steps())[-1].measure == "foreground IoU"


def test_with_one_slice_it_is_said_that_none_is_held_out():
    made = learner()
    reports = list(made.steps())
    assert made.held_out == ()
    assert "No slice is held out" in reports[0].message
    assert reports[1].message == ""
    assert reports[-1].best is None


def test_painted_pixels_that_are_added_are_drawn_from_at_the_next_step():
    made = learner([annotated("a")], quick_config(steps=30))
    steps = made.steps()
    assert set(next(steps).patches_from) == {"a"}
    made.update(annotated("b", seed=4))
    later = [next(steps) for _ in range(15)]
    assert later[-1].patches_from["b"] > 0
    image, labels = discs()
    known = np.zeros(labels.shape, bool)
    known[10:14, 10:60] = True
    made.update(Annotation("a", image, labels, known))
    drawn = [note for report in steps for note in report.patches if note.name == "a"]
    assert drawn
    assert {note.version for note in drawn} == {1}
    assert all(0 < note.known <= 200 for note in drawn)


def test_added_labels_that_cannot_be_learned_are_left_out_and_said():
    labels = (discs()[1] > 0).astype(np.uint8)
    made = learner([Annotation("a", discs()[0], labels)], head="classes")
    steps = made.steps()
    next(steps)
    made.update(Annotation("b", discs()[0], labels * 7))
    report = next(steps)
    assert "b was left out: the network knows 2 classes" in report.message
    assert "b" not in list(steps)[-1].patches_from


def test_saved_model_predicts_what_the_learner_does_and_tells_where_it_comes_from(tmp_path):
    many = [annotated(f"s{n}", seed=n, group="stack") for n in range(5)]
    made = learner(many, quick_config(steps=12), head="distance", name="mine", title="My discs")
    list(made.steps())
    card = made.save(tmp_path / "mine.safetensors")
    assert (card.name, card.title, card.output) == ("mine", "My discs", "foreground_distance")
    assert "4 slices of 1 image" in card.source
    assert "random weights" in card.source
    assert list(card.scores) == ["AP at IoU 0.5, held out"]
    model = load_model_file(tmp_path / "mine.safetensors")
    assert model.spec == card


def test_training_goes_on_from_a_model_and_forgets_no_head(tmp_path):
    first = learner(config=quick_config(steps=40), head="distance", name="first")
    list(first.steps())
    first.save(tmp_path / "first.safetensors")
    start = str(tmp_path / "first.safetensors")
    many = [annotated(f"s{n}", seed=n) for n in range(5)]
    second = learner(many, quick_config(steps=3), head="auto", start_from=start, name="second")
    reports = list(second.steps())
    assert second.spec.output == "foreground_distance"
    assert reports[0].before is not None
    assert reports[-1].before == reports[0].before
    assert second.save(tmp_path / "second.safetensors").source.endswith("weights of first.")


def test_another_head_keeps_the_body_and_begins_its_last_layer_anew(tmp_path):
    first = learner(head="distance", name="first")
    first.save(tmp_path / "first.safetensors")
    start = str(tmp_path / "first.safetensors")
    old = read_checkpoint(tmp_path / "first.safetensors").state
    second = learner(head="binary", start_from=start)
    second.save(tmp_path / "second.safetensors")
    new = read_checkpoint(tmp_path / "second.safetensors").state
    same = [key for key in old if torch.equal(old[key], new[key].expand_as(old[key]))]
    assert set(old) - set(same) == {"outputs.weight", "outputs.bias"}
    assert torch.equal(new["outputs.weight"], old["outputs.weight"][:1])
    assert "last layer begins anew" in next(second.steps()).message


def test_images_of_other_channels_than_the_start_are_refused(tmp_path):
    learner(name="grey").save(tmp_path / "grey.safetensors")
    image, labels = discs()
    two = Annotation("two", np.stack([image, image]), labels)
    with pytest.raises(ModelError, match="takes 1 channel, the image gives 2"):
        learner([two], start_from=str(tmp_path / "grey.safetensors"))
    made = learner([two])
    next(made.steps())
    assert made.spec.in_channels == 2
    with pytest.raises(RequestError, match="differ in their channels: 1 and 2"):
        learner([two, annotated("one")])


def test_two_slices_of_one_name_and_none_at_all_are_refused():
    with pytest.raises(RequestError, match="Two slices are called 'a'"):
        learner([annotated("a"), annotated("a")])
    with pytest.raises(RequestError, match="no labels to learn from"):
        Learner(quick_request(), [])


def test_slices_of_one_image_share_their_intensities():
    image, labels = discs()
    bright = Annotation("bright", image * 3, labels, group="stack")
    dark = Annotation("dark", image, labels, group="stack")
    made = learner([bright, dark])
    _, other = made.predict(image, group="stack"), made.predict(image)
    lone = learner([dark])
    state = made._lessons.intensities.state()
    assert list(state) == ["stack"]
    assert state["stack"][1][0] > 1.5 * lone._lessons.intensities.state()["stack"][1][0]
    assert other.shape == (1, 96, 96)
