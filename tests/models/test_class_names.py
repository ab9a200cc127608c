"""Each value of a result of classes has a name, whatever the model's description says."""

from __future__ import annotations

import pytest

from napari_slicewise.models.class_names import named_classes
from napari_slicewise.models.spec import ModelSpec


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({}, ("background", "foreground")),
        ({"output": "classes", "out_channels": 3}, ("background", "class 1", "class 2")),
        (
            {"output": "classes", "out_channels": 3, "class_names": ("none", "a", "b")},
            ("none", "a", "b"),
        ),
        (
            {"output": "classes", "out_channels": 3, "class_names": ("none", "a")},
            ("none", "a", "class 2"),
        ),
        (
            {
                "output": "classes",
                "out_channels": 3,
                "class_names": ("a", "none", "b"),
                "background": 1,
            },
            ("none", "a", "b"),
        ),
        (
            {
                "output": "classes",
                "out_channels": 2,
                "class_names": ("a", "b"),
                "background": None,
                "activation": "sigmoid",
            },
            ("background", "a", "b"),
        ),
    ],
)
def test_each_value_has_a_name(details, expected):
    assert named_classes(ModelSpec("m", **details)) == expected
