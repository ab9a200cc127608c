"""Draw the small pictures of the bundled models: ``python scripts/draw_thumbnails.py``.

Each shows a piece of a sample stack and the outlines of the objects in it, as the true
labels have them, and goes beside the weights.
"""

from __future__ import annotations

import argparse
import io
from importlib.resources import files
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

import napari_slicewise.models.weights as weights
from napari_slicewise.io.sample_files import sample_folder
from napari_slicewise.models.bioimageio_cover import SIDE, outlined, shrink_picture

# Of each model: the sample, the slice, and the upper left corner of a square of pixels.
PIECES = {
    "nuclei": ("nuclei3d", 8, (120, 64), SIDE),
    "membranes": ("membranes", 3, (40, 40), SIDE),
}


def main() -> None:
    """Draw a picture for each bundled model that has a piece."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--out", type=Path, default=Path(str(files(weights))))
    folder = parser.parse_args().out
    for model in sorted(Path(str(files(weights))).glob("*.safetensors")):
        if model.stem in PIECES:
            place = folder / f"{model.stem}.png"
            place.write_bytes(draw(model.stem))
            print(f"{place}: {place.stat().st_size} bytes")


def draw(name: str) -> bytes:
    """Return the picture of a model, as PNG."""
    sample, slice_number, (top, left), side = PIECES[name]
    samples = sample_folder()
    square = slice_number, slice(top, top + side), slice(left, left + side)
    plane = tifffile.imread(samples / f"{sample}.tif")[square]
    labels = tifffile.imread(samples / f"{sample}_labels.tif")[square]
    picture = shrink_picture(_png(outlined(plane, labels)))
    assert picture is not None
    return picture


def _png(pixels: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


if __name__ == "__main__":
    main()
