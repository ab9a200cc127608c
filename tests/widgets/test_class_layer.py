"""Classes in a labels layer have colours of their own, and say their names under the mouse."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Labels

from napari_slicewise.io.class_table import class_colors
from napari_slicewise.widgets.class_layer import show_classes

NAMES = ("background", "nucleus", "cytoplasm")


@pytest.fixture
def layer():
    return Labels(np.repeat([[0, 1, 2, 9]], 4, axis=0).astype(np.uint8))


def test_each_class_has_its_colour_and_the_background_none(layer):
    show_classes(layer, "classes")
    for number in (1, 2, 9):
        expected = np.array(class_colors(10)[number]) / 255
        np.testing.assert_allclose(layer.get_color(number), expected, atol=1e-6)
    assert layer.colormap.map(0)[3] == 0


def test_the_name_of_a_class_is_said_under_the_mouse(layer):
    show_classes(layer, "classes", NAMES)
    assert "class: cytoplasm" in str(layer.get_status((1, 2)))
    assert list(layer.features["class"]) == list(NAMES)


def test_another_model_brings_its_names_and_a_table_of_others_stays(layer):
    show_classes(layer, "classes", NAMES)
    show_classes(layer, "classes", ("none", "a", "b"))
    assert list(layer.features["class"]) == ["none", "a", "b"]
    layer.features = {"index": [1], "mine": ["x"]}
    show_classes(layer, "classes", NAMES)
    show_classes(layer, "classes")
    assert list(layer.features["mine"]) == ["x"]


def test_colours_that_the_user_has_chosen_stay(layer):
    layer.colormap = {None: "gray", 0: "transparent", 1: "red"}
    show_classes(layer, "classes", NAMES)
    np.testing.assert_allclose(layer.get_color(1), (1, 0, 0, 1))


def test_objects_keep_napari_s_colours(layer):
    before = layer.colormap
    show_classes(layer, "labels", NAMES)
    assert layer.colormap is before
    assert layer.features.empty


def test_a_result_of_classes_has_colours_at_once_and_names_at_the_end(desk, stack):
    desk.viewer.add_image(stack)
    output = desk.find("output")
    output.setCurrentIndex(output.findData("classes"))
    layer = desk.run()
    np.testing.assert_allclose(layer.get_color(1), np.array(class_colors(2)[1]) / 255, atol=1e-6)
    assert list(layer.features["class"]) == ["background", "foreground"]
