"""Open napari with the installed plugin and print what it finds, as one line of JSON."""

from __future__ import annotations

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path

os.environ["NAPARI_CONFIG"] = ""  # settings in memory; must come before napari is imported

import napari
from napari._app_model import get_app_model  # the only way to ask what a menu holds
from npe2 import PluginManager

PLUGIN = "napari-slicewise"


def folder_of(package: str) -> Path:
    """Where a package was found."""
    spec = find_spec(package)
    assert spec is not None
    return Path(next(iter(spec.submodule_search_locations or [])))


def menu(name: str) -> list[str]:
    """Ids of this plugin's commands in a menu."""
    items = get_app_model().menus.get_menu(name)
    ids = [item.command.id for item in items if hasattr(item, "command")]
    return [command for command in ids if command.startswith(PLUGIN)]


def main() -> None:
    """Visit the menus, the samples and the reader."""
    viewer = napari.Viewer(show=False)
    manifest = PluginManager.instance().get_manifest(PLUGIN)
    found: dict[str, object] = {
        "package": str(folder_of("napari_slicewise")),
        "manifest": str(folder_of("napari_slicewise_manifest")),
        "segment_menu": menu("napari/layers/segment"),
        "sample_menu": menu(f"napari/file/samples/{PLUGIN}"),
        "widgets": [widget.display_name for widget in manifest.contributions.widgets or []],
    }
    samples = viewer.open_sample(PLUGIN, "nuclei3d_truth")
    found["sample_shapes"] = [list(layer.data.shape) for layer in samples]
    (layer,) = viewer.open(folder_of("napari_slicewise_samples") / "membranes.tif", plugin=PLUGIN)
    found["read_shape"] = list(layer.data.shape)
    found["read_units"] = [str(unit) for unit in layer.units]
    viewer.window.add_plugin_dock_widget(PLUGIN, "Segment")
    found["torch_loaded"] = "torch" in sys.modules
    viewer.close()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
