"""What stands under File > Open Sample: the stacks of ``sample_data``, and a real photograph."""

from __future__ import annotations

import numpy as np

from napari_slicewise.io.sample_files import sample_folder
from napari_slicewise.io.tiff_reader import LayerData, read_layers

__all__ = ["membranes", "nuclei3d", "nuclei3d_truth", "sample_folder", "tissue"]


def _image(name: str) -> LayerData:
    """Read one sample image, named after its file."""
    data, options, kind = read_layers(sample_folder() / f"{name}.tif")[0]
    return data, {**options, "name": name}, kind


def _truth(name: str) -> LayerData:
    """Read the true labels of a sample into memory, so that they can be edited; not on show."""
    data, options, _ = read_layers(sample_folder() / f"{name}_labels.tif")[0]
    place = {key: options[key] for key in ("scale", "units", "axis_labels") if key in options}
    return np.array(data), {**place, "name": f"{name} truth", "visible": False}, "labels"


def nuclei3d() -> list[LayerData]:
    """Open the drawn stack of nuclei: 32 slices, 1.0 x 0.3 x 0.3 um."""
    return [_image("nuclei3d")]


def nuclei3d_truth() -> list[LayerData]:
    """Open the drawn stack of nuclei with its true labels, hidden at first."""
    return [_image("nuclei3d"), _truth("nuclei3d")]


def membranes() -> list[LayerData]:
    """Open the drawn electron micrographs with their true cells, hidden at first."""
    return [_image("membranes"), _truth("membranes")]


def tissue() -> list[LayerData]:
    """Open a real photograph of stained human tissue, and the stain of its nuclei alone.

    ``skimage.data.immunohistochemistry``, part of the scikit-image wheel: colonic glands,
    FHL2 in brown (DAB), nuclei in blue (haematoxylin). No known copyright restrictions;
    nothing is downloaded. The second layer is the amount of haematoxylin, unmixed from the
    colours: nuclei bright on dark, as the bundled model expects them.
    """
    from skimage.color import rgb2hed
    from skimage.data import immunohistochemistry

    photograph = immunohistochemistry()
    haematoxylin = rgb2hed(photograph)[..., 0].astype(np.float32)
    origin = {"metadata": {"source": "skimage.data.immunohistochemistry"}}
    return [
        (photograph, {**origin, "name": "tissue", "rgb": True}, "image"),
        (haematoxylin, {**origin, "name": "tissue haematoxylin"}, "image"),
    ]
