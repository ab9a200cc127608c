"""Fixtures of the controller tests."""

import pytest
from support.random_models import random_model_path  # noqa: F401

from napari_slicewise.app.segment import SegmentController


@pytest.fixture
def controller():
    controller = SegmentController()
    yield controller
    controller.close()
