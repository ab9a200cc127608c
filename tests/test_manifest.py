"""What napari shows of the plugin: menu entries, dock, samples. A real viewer is built."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from npe2 import PluginManager, PluginManifest

PLUGIN = "napari-slicewise"
SAMPLES = ("nuclei3d", "nuclei3d_truth", "membranes", "tissue")

MakeViewer = Callable[..., Any]


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    PluginManager.instance().discover()
    return PluginManager.instance().get_manifest(PLUGIN)


def test_the_repository_holds_the_only_manifest(repository: Path, manifest: PluginManifest) -> None:
    assert list(repository.glob("napari.yaml"))
    assert not list((repository / "src").rglob("napari.yaml"))
    assert PluginManifest.from_file(repository / "napari.yaml").contributions == (
        manifest.contributions
    )


def test_every_command_can_be_imported(manifest: PluginManifest) -> None:
    manifest.validate_imports()


def test_no_sample_key_equals_a_command(manifest: PluginManifest) -> None:
    # Such a pair registers the same action twice, and napari's window cannot be built.
    suffixes = {command.id.split(".", 1)[1] for command in manifest.contributions.commands or []}
    assert not suffixes & {sample.key for sample in manifest.contributions.sample_data or []}


def test_readers_cover_the_tiff_family(manifest: PluginManifest) -> None:
    patterns = [
        pattern
        for reader in manifest.contributions.readers or []
        for pattern in reader.filename_patterns
    ]
    for ending in ("tif", "tiff", "ome.tif", "ome.tiff", "tf2", "tf8", "btf", "lsm", "stk"):
        assert any(fnmatch(f"image.{ending}", pattern) for pattern in patterns), ending


def test_menus_hold_the_entries(make_napari_viewer: MakeViewer) -> None:
    from napari._app_model import get_app_model  # the only way to ask what a menu holds

    make_napari_viewer()
    menus = get_app_model().menus

    def commands(menu: str) -> set[str]:
        items = menus.get_menu(menu)
        return {item.command.id for item in items if hasattr(item, "command")}

    assert f"{PLUGIN}.segment" in commands("napari/layers/segment")
    assert any(PLUGIN in command for command in commands("napari/plugins"))
    samples = commands(f"napari/file/samples/{PLUGIN}")
    assert {f"{PLUGIN}.{key}" for key in SAMPLES} <= samples


def test_the_panel_opens_as_a_dock(make_napari_viewer: MakeViewer) -> None:
    viewer = make_napari_viewer()
    _dock, panel = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment")
    assert panel is not None
    assert any("Segment" in name for name in viewer.window.dock_widgets)


def test_the_nuclei_sample_lies_in_micrometres(make_napari_viewer: MakeViewer) -> None:
    viewer = make_napari_viewer()
    (image,) = viewer.open_sample(PLUGIN, "nuclei3d")
    assert image.name == "nuclei3d"
    assert image.data.shape == (32, 256, 256)
    assert np.allclose(image.scale, (1.0, 0.3, 0.3))
    assert {f"{unit:P}" for unit in image.units} == {"micrometer"}
    assert image.axis_labels == ("z", "y", "x")


@pytest.mark.parametrize(("key", "size"), [("nuclei3d_truth", 0.3), ("membranes", 4.0)])
def test_truth_lies_over_its_image(
    make_napari_viewer: MakeViewer, repository: Path, key: str, size: float
) -> None:
    viewer = make_napari_viewer()
    image, truth = viewer.open_sample(PLUGIN, key)
    stored = tifffile.imread(repository / "sample_data" / f"{image.name}_labels.tif")
    assert np.array_equal(truth.data, stored)
    assert not truth.visible
    assert truth.scale[-1] == pytest.approx(size)
    assert np.allclose(truth.scale, image.scale)
    assert truth.units == image.units
    assert truth.axis_labels == image.axis_labels


def test_the_tissue_sample_is_a_photograph_and_its_nuclear_stain(
    make_napari_viewer: MakeViewer,
) -> None:
    viewer = make_napari_viewer()
    photograph, stain = viewer.open_sample(PLUGIN, "tissue")
    assert photograph.rgb
    assert photograph.data.shape == (512, 512, 3)
    assert "skimage" in photograph.metadata["source"]
    # A pixel of a blue nucleus holds more of the stain than one of the brown gland.
    assert stain.data.shape == (512, 512)
    blueness = photograph.data[..., 2].astype(float) - photograph.data[..., 0]
    assert stain.data[blueness > 40].mean() > 2 * stain.data[blueness < -40].mean()
