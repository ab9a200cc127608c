"""Open napari with the installed plugin and print what it finds, as one line of JSON."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ["NAPARI_CONFIG"] = ""  # settings in memory; must come before napari is imported

import napari
from napari._app_model import get_app_model  # the only way to ask what a menu holds
from npe2 import PluginManager

import napari_slicewise

PLUGIN = "napari-slicewise"


def menu(name: str) -> list[str]:
    """Ids of this plugin's commands in a menu."""
    items = get_app_model().menus.get_menu(name)
    ids = [item.command.id for item in items if hasattr(item, "command")]
    return [command for command in ids if command.startswith(PLUGIN)]


def main() -> None:
    """Visit the menus, the samples and the reader."""
    manifest = PluginManager.instance().get_manifest(PLUGIN)
    viewer = napari.Viewer(show=False)
    found: dict[str, object] = {
        "package": napari_slicewise.__file__,
        "segment_menu": menu("napari/layers/segment"),
        "sample_menu": menu(f"napari/file/samples/{PLUGIN}"),
        "widgets": [widget.display_name for widget in manifest.contributions.widgets or []],
    }
    samples = viewer.open_sample(PLUGIN, "nuclei3d_truth")
    found["sample_shapes"] = [list(layer.data.shape) for layer in samples]
    folder = Path(samples[0].source.path or "")
    from napari_slicewise.widgets.samples import sample_folder

    folder = sample_folder()
    found["manifest"] = str(folder)
    (layer,) = viewer.open(folder / "membranes.tif", plugin=PLUGIN)
    found["read_shape"] = list(layer.data.shape)
    found["read_units"] = [str(unit) for unit in layer.units]
    viewer.window.add_plugin_dock_widget(PLUGIN, "Segment")
    found["torch_loaded"] = "torch" in sys.modules
    viewer.close()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
