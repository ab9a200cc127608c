"""Panels in real viewers, with models and settings of their own."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QSettings
from support.scripted_panel import Desk, ScriptedController

from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.widgets import model_chooser


@pytest.fixture
def model_specs(monkeypatch):
    """Two bundled models: one of grey images, one of colour."""
    specs = (
        ModelSpec("grey", "Grey nuclei", in_channels=1, threshold=0.4),
        ModelSpec("colour", "Colour tissue", in_channels=3, threshold=0.6),
    )
    monkeypatch.setattr(model_chooser, "bundled_models", lambda: specs)
    return specs


@pytest.fixture(autouse=True)
def _own_settings(tmp_path):
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(tmp_path))


@pytest.fixture
def controller():
    return ScriptedController()


@pytest.fixture
def desk(make_napari_viewer, controller, model_specs, qtbot):
    return Desk(make_napari_viewer(), controller, qtbot)


@pytest.fixture
def stack():
    """A stack of 6 slices of 12 x 16 pixels."""
    return np.random.default_rng(0).integers(0, 4096, (6, 12, 16), dtype=np.uint16)


@pytest.fixture
def journals(tmp_path, monkeypatch):
    """A folder of journals for one test."""
    folder = tmp_path / "journals"
    monkeypatch.setenv("SLICEWISE_JOURNALS", str(folder))
    return folder


@pytest.fixture
def start(make_napari_viewer, model_specs, qtbot, journals):
    """Open a viewer with a panel and images, as often as a test likes."""

    def open_desk(*images, **options):
        viewer = make_napari_viewer(**options)
        for image in images:
            viewer.add_image(image, name="cells", scale=(1, 0.5, 0.5)[-image.ndim :])
        return Desk(viewer, ScriptedController(), qtbot)

    return open_desk
