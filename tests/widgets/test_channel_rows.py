"""Each input of a model gets a layer or a channel of one, and pixels of the model's size."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QCheckBox, QComboBox

from napari_slicewise.errors import ImageError, RequestError
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.widgets.image_chooser import ImageChooser

ONE, TWO, THREE = (ModelSpec("m", in_channels=count) for count in (1, 2, 3))
SIZED = ModelSpec("sized", pixel_um=0.5)


class Hands:
    """A viewer, the rows of an image, and a user's hands."""

    def __init__(self, qtbot):
        self.viewer = ViewerModel()
        self.rows = ImageChooser(self.viewer)
        qtbot.addWidget(self.rows)

    def add(self, shape, value, name, **options):
        layer = self.viewer.add_image(np.full(shape, value, np.uint8), name=name, **options)
        self.rows.follow_layers()
        return layer

    def input(self, number):
        return self.rows.findChild(QComboBox, f"input_{number}")

    def choose(self, number, text):
        box = self.input(number)
        assert text in [box.itemText(i) for i in range(box.count())]
        box.setCurrentText(text)

    def given(self, index=()):
        """What the model gets at one pixel."""
        return self.rows.source().read_slice(index)[:, 0, 0].tolist()


@pytest.fixture
def hands(qtbot):
    return Hands(qtbot)


def test_two_layers_of_one_shape_feed_two_inputs(hands):
    hands.add((3, 8, 9), 2, "actin")
    image = hands.add((3, 8, 9), 1, "nuclei")
    hands.rows.choose(image)
    hands.rows.follow_model(TWO)
    assert not hands.input(0).isHidden()
    assert [hands.input(n).currentText() for n in (0, 1)] == ["nuclei", "actin"]
    assert hands.given((1,)) == [1, 2]
    source = hands.rows.source()
    assert (source.channels, source.leading_shape, source.slice_shape) == (2, (3,), (8, 9))
    hands.choose(0, "actin")
    assert hands.given((1,)) == [2, 2]


def test_channels_of_one_layer_are_the_first_choice(hands):
    data = np.stack([np.full((8, 9), n, np.uint8) for n in range(3)])
    layer = hands.viewer.add_image(data, name="cells", axis_labels=("c", "y", "x"))
    hands.rows.follow_layers()
    hands.rows.choose(layer)
    hands.rows.follow_model(TWO)
    assert hands.given() == [0, 1]
    hands.choose(0, "cells · channel 2")
    assert hands.given() == [2, 1]
    assert hands.rows.source().leading_shape == ()
    assert hands.rows.findChild(QComboBox, "channel").isHidden()  # each input says its own


def test_a_layer_beside_a_channel_feeds_the_next_input(hands):
    beside = hands.add((8, 9), 7, "beside")
    data = np.stack([np.full((8, 9), n, np.uint8) for n in range(2)])
    layer = hands.viewer.add_image(data, name="cells", axis_labels=("c", "y", "x"))
    hands.rows.follow_layers()
    hands.rows.choose(layer)
    hands.rows.follow_model(THREE)
    assert hands.given() == [0, 1, 7]
    hands.rows.choose(beside)
    hands.choose(1, "cells · channel 1")
    assert hands.given() == [7, 1, 7]


def test_a_model_of_one_channel_and_a_picture_in_colour_have_no_such_rows(hands):
    hands.add((8, 9), 1, "grey")
    hands.add((8, 9), 2, "other")
    hands.rows.follow_model(ONE)
    assert hands.input(0) is None or hands.input(0).isHidden()
    picture = hands.add((8, 9, 3), 3, "colour", rgb=True)
    hands.rows.choose(picture)
    hands.rows.follow_model(THREE)
    assert hands.input(0) is None or hands.input(0).isHidden()
    assert hands.rows.source().rgb


def test_a_grey_image_feeds_all_inputs_of_a_model_of_colour_until_the_user_chooses(hands):
    hands.add((8, 9), 2, "other")
    image = hands.add((8, 9), 1, "grey")
    hands.rows.choose(image)
    hands.rows.follow_model(THREE)
    assert hands.rows.source().channels == 1  # which the engine repeats
    hands.choose(2, "other")
    assert hands.given() == [1, 1, 2]


def test_layers_of_other_shapes_are_refused_with_what_to_choose(hands):
    hands.add((8, 10), 2, "wide")
    image = hands.add((8, 9), 1, "cells")
    hands.rows.choose(image)
    hands.rows.follow_model(TWO)
    with pytest.raises(ImageError, match="Input 2 of the model has no layer") as caught:
        hands.rows.source()
    assert "the image's shape" in caught.value.hint
    hands.choose(1, "wide")
    with pytest.raises(ImageError, match="'wide' has the shape 8×10, the image 8×9") as caught:
        hands.rows.source()
    assert "layers of one shape" in caught.value.hint


def test_a_layer_that_is_taken_away_is_missed(hands):
    other = hands.add((8, 9), 2, "other")
    image = hands.add((8, 9), 1, "cells")
    hands.add((8, 9), 3, "third")
    hands.rows.choose(image)
    hands.rows.follow_model(TWO)
    hands.choose(1, "other")
    hands.viewer.layers.remove(other)
    hands.rows.follow_layers()
    assert hands.given() == [1, 3]


def test_choices_stay_while_other_layers_come(hands):
    hands.add((8, 9), 2, "other")
    image = hands.add((8, 9), 1, "cells")
    hands.rows.choose(image)
    hands.rows.follow_model(TWO)
    hands.choose(0, "other")
    hands.add((8, 9), 3, "third")
    hands.rows.follow_model(TWO)
    assert hands.given() == [2, 2]


def box(hands):
    return hands.rows.findChild(QCheckBox, "rescale")


def test_rescaling_is_offered_where_both_pixel_sizes_are_known_and_differ(hands):
    layer = hands.add((3, 8, 9), 1, "cells")
    hands.rows.follow_model(SIZED)
    assert box(hands).isHidden()
    layer.units, layer.scale = ("um", "um", "um"), (2.0, 0.25, 0.25)
    assert not box(hands).isHidden()
    assert box(hands).text() == "Rescale to 0.5 µm"
    assert hands.rows.rescale
    assert hands.rows.source().pixel_um == pytest.approx((0.25, 0.25))
    hands.rows.follow_model(ONE)
    assert box(hands).isHidden()


def test_pixel_sizes_in_other_units_are_understood(hands):
    layer = hands.add((8, 9), 1, "cells")
    layer.units, layer.scale = ("nm", "nm"), (250.0, 325.0)
    assert hands.rows.source().pixel_um == pytest.approx((0.25, 0.325))


def test_absurd_pixel_sizes_are_refused_until_rescaling_is_off(hands):
    layer = hands.add((8, 9), 1, "cells")
    layer.units, layer.scale = ("um", "um"), (50.0, 50.0)
    hands.rows.follow_model(SIZED)
    heard = []
    hands.rows.changed.connect(lambda: heard.append(hands.rows.rescale))
    with pytest.raises(RequestError, match="too far apart") as caught:
        hands.rows.source()
    assert "rescaling off" in caught.value.hint
    box(hands).click()
    assert heard == [False]
    hands.rows.source()
