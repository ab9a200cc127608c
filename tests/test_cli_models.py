"""``slicewise models``, ``info`` and ``export``: what they print and what they write."""

import json

import numpy as np
import pytest
import tifffile
from support.random_models import write_random_model

from napari_slicewise.cli import main
from napari_slicewise.models.zoo import bundled_models, thumbnail, weights_path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return write_random_model(folder / "random.safetensors", title="mine", licence="MIT")


def test_table_names_every_bundled_model_with_what_one_needs_to_choose(capsys):
    assert main(["models"]) == 0
    said = capsys.readouterr().out
    head = said.splitlines()[0]
    for word in ("name", "what for", "channels", "pixel size", "licence", "MB", "scores"):
        assert word in head
    for spec in bundled_models():
        size = f"{weights_path(spec.name).stat().st_size / 1e6:.1f}"
        for word in (spec.name, spec.licence, size, *spec.scores):
            assert word.split()[0] in said
    assert main(["models", "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in entries] == [spec.name for spec in bundled_models()]
    assert all(entry["bytes"] > 1e6 for entry in entries)


def test_info_tells_the_whole_card_of_a_bundled_model_by_its_name(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["info", "nuclei"]) == 0
    said = capsys.readouterr().out
    for word in ("nuclei", "CC0-1.0", "percentiles 1 and 99.8", "0.808", "sha256"):
        assert word in said
    assert main(["info", "nuclei", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["out_channels"] == 2


def test_export_info_and_segment_go_together(tmp_path, repository, capsys):
    path, image = tmp_path / "package.zip", tmp_path / "in.tif"
    assert main(["export", "nuclei", "-o", str(path), "--author", "A. Person"]) == 0
    assert "package.zip: nuclei" in capsys.readouterr().out
    assert main(["info", str(path)]) == 0
    said = capsys.readouterr().out
    assert "16 first filters" in said
    assert "CC0-1.0" in said
    stack = tifffile.imread(repository / "sample_data" / "nuclei3d.tif")
    tifffile.imwrite(image, stack[13:15, 100:231, 90:201])
    for name in ("nuclei", str(path)):
        out = tmp_path / f"{name[-3:]}.tif"
        command = ["segment", str(image), "--model", name, "-o", str(out), "--quiet"]
        assert main([*command, "--device", "cpu"]) == 0
    ours, theirs = (tifffile.imread(tmp_path / f"{name}.tif") for name in ("lei", "zip"))
    assert ours.max() > 3
    np.testing.assert_array_equal(ours, theirs)


def test_export_does_not_overwrite(tmp_path, model, capsys):
    path = tmp_path / "package.zip"
    path.write_bytes(b"mine")
    assert main(["export", str(model), "-o", str(path)]) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert path.read_bytes() == b"mine"
    assert main(["export", str(model), "-o", str(path), "--overwrite"]) == 0
    assert path.read_bytes().startswith(b"PK")


def test_sample_of_the_user_is_taken_and_checked(tmp_path, model, capsys):
    small, large = tmp_path / "small.tif", tmp_path / "large.tif"
    rng = np.random.default_rng(1)
    tifffile.imwrite(small, rng.integers(0, 900, (50, 60), "uint16"))
    tifffile.imwrite(large, rng.integers(0, 900, (300, 300), "uint16"))
    command = ["export", str(model), "-o", str(tmp_path / "p.zip"), "--sample"]
    assert main([*command, str(small)]) == 1
    assert "256 x 256 are needed" in capsys.readouterr().err
    assert main([*command, str(large)]) == 0


def test_info_says_why_a_file_is_no_model(tmp_path, capsys):
    path = tmp_path / "package.zip"
    path.write_bytes(b"text")
    assert main(["info", str(path)]) == 1
    assert "broken" in capsys.readouterr().err


def test_every_bundled_model_has_a_small_picture():
    for spec in bundled_models():
        picture = thumbnail(weights_path(spec.name))
        assert picture is not None
        assert picture.startswith(b"\x89PNG")
        assert len(picture) <= 20_000


def test_weights_elsewhere_have_no_picture(model):
    assert thumbnail(model) is None


def test_a_package_is_not_written_under_the_name_of_an_image(tmp_path, model, capsys):
    picture = tmp_path / "image.tif"
    picture.write_bytes(b"pixels")
    assert main(["export", str(model), "-o", str(picture), "--overwrite"]) == 1
    assert "image.zip" in capsys.readouterr().err
    assert picture.read_bytes() == b"pixels"
