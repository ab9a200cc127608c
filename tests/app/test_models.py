"""Models in words: the line in the picker, the whole card, and what is done with an image."""

from __future__ import annotations

import numpy as np
import pytest

from napari_slicewise.app.models import bytes_of, card_of, describe_fit
from napari_slicewise.io.source import ArraySource
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.models.zoo import bundled_models, weights_path

SPEC = ModelSpec(
    "mito",
    "Mitochondria",
    description="Mitochondria in  electron\nmicroscopy.",
    licence="CC0-1.0",
    pixel_um=0.5,
    source="A colleague",
    scores={"Dice": 0.91234},
)


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "mito.safetensors"
    path.write_bytes(bytes(1_900_000))
    return path


def test_the_line_of_the_picker_gives_channels_pixel_size_licence_and_size(weights):
    card = card_of(SPEC, weights)
    assert card.title == "Mitochondria"
    assert card.purpose == "Mitochondria in electron microscopy."
    assert card.facts == "1 channel · 0.5 µm/px · CC0-1.0 · 1.9 MB"


def test_what_is_not_known_is_left_out_of_the_line_and_said_on_the_card():
    card = card_of(ModelSpec("bare", in_channels=3))
    assert (card.title, card.purpose, card.facts) == ("bare", "", "3 channels")
    assert dict(card.rows)["Pixel size"] == "not known"
    assert dict(card.rows)["Licence"] == "not stated"
    assert "Source" not in dict(card.rows)


def test_the_card_gives_all_that_the_model_says_of_itself(weights):
    rows = dict(card_of(SPEC, weights).rows)
    assert rows["What for"] == "Mitochondria in electron microscopy."
    assert rows["Takes"] == "1 channel, intensities from percentile 1 to 99.8"
    assert rows["Finds"] == "foreground"
    assert rows["Pixel size"] == "made at 0.5 µm"
    assert rows["Licence"] == "CC0-1.0"
    assert rows["Source"] == "A colleague"
    assert rows["Scores"] == "Dice 0.912"
    assert rows["File"] == f"{weights} (1.9 MB)"
    assert "Licence: CC0-1.0" in card_of(SPEC, weights).text


def test_classes_are_named_where_they_have_names():
    spec = ModelSpec("c", output="classes", out_channels=3, normalization="divide_by_255")
    assert dict(card_of(spec).rows)["Finds"] == "3 classes"
    assert dict(card_of(spec).rows)["Takes"] == "1 channel, 8-bit values divided by 255"
    named = ModelSpec("c", output="classes", out_channels=2, class_names=("ground", "cell"))
    assert dict(card_of(named).rows)["Finds"] == "ground, cell"


def test_markup_in_a_strangers_description_stays_text():
    hostile = "<img src='file:///etc/passwd'> <b>bold</b> " + "long " * 1000
    card = card_of(ModelSpec("x", hostile, description=hostile, licence=hostile, source=hostile))
    assert "<" not in card.text + card.facts + card.title + card.purpose
    assert len(card.purpose) < 2100


def test_every_bundled_model_says_what_for_channels_licence_and_size():
    for spec in bundled_models():
        card = card_of(spec, weights_path(spec.name))
        assert card.purpose
        assert "channel" in card.facts
        assert spec.licence
        assert spec.licence in card.facts
        assert card.facts.endswith("MB")


def test_a_folder_is_as_large_as_its_files_and_a_missing_file_has_no_size(tmp_path, weights):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "rdf.yaml").write_bytes(bytes(100_000))
    assert bytes_of(tmp_path) == 2_000_000
    assert bytes_of(tmp_path / "gone.pt") is None
    assert card_of(SPEC, tmp_path / "gone.pt").facts == "1 channel · 0.5 µm/px · CC0-1.0"


def test_what_is_done_with_the_image_is_said_only_where_something_is_done():
    grey = ModelSpec("grey")
    assert describe_fit(grey, None) == ""
    assert describe_fit(grey, ArraySource(np.zeros((4, 8, 9)))) == ""
    colour = ArraySource(np.zeros((8, 9, 3), np.uint8), (0, 1), channel_axis=2, rgb=True)
    assert describe_fit(grey, colour) == "colour becomes grey"
    three = ModelSpec("rgb", in_channels=3)
    assert describe_fit(three, colour) == "colour as it is"
    assert describe_fit(three, ArraySource(np.zeros((8, 9)))) == "the channel is fed three times"
    classes = ModelSpec("c", output="classes", out_channels=2, class_names=("ground", "cell"))
    assert describe_fit(classes, None) == "finds ground, cell"
