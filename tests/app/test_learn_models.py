"""Names of trained models: fit for a file, and never one that is taken."""

from __future__ import annotations

import pytest

from napari_slicewise.app.learn_models import free_title, model_path
from napari_slicewise.errors import OutputError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SLICEWISE_MODELS", str(tmp_path))
    return tmp_path


def test_a_model_lies_in_the_users_folder_under_its_title(folder):
    assert model_path("My nuclei (2)") == folder / "My nuclei (2).safetensors"


def test_what_no_file_can_be_called_is_replaced(folder):
    assert model_path("../a/b:c").parent == folder
    assert "/" not in model_path("../a/b:c").name


@pytest.mark.parametrize("title", ["", "  ", "..."])
def test_a_model_without_a_name_is_refused(title):
    with pytest.raises(OutputError, match="no name"):
        model_path(title)


def test_a_name_that_is_taken_is_refused_and_the_next_one_offered(folder):
    (folder / "nuclei.safetensors").write_bytes(b"weights")
    with pytest.raises(OutputError, match="already"):
        model_path("nuclei")
    assert free_title("nuclei") == "nuclei 2"
    (folder / "nuclei 2.md").write_text("a card")
    assert free_title("nuclei") == "nuclei 3"
    assert free_title("") == "model"
