"""Where the sample stacks lie that come with the package."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from napari_slicewise.errors import ImageError

__all__ = ["sample_folder"]

SAMPLES_PACKAGE = "napari_slicewise_samples"


def sample_folder() -> Path:
    """Find the folder with the sample files, in a wheel and in an editable install alike.

    ``importlib.resources`` does not: of an editable install it meets a path that does not
    exist. This is how npe2 finds the manifest.

    Raises
    ------
    ImageError
        When the samples were left out of the installation.
    """
    spec = find_spec(SAMPLES_PACKAGE)
    for location in (spec.submodule_search_locations or ()) if spec else ():
        if Path(location).is_dir():
            return Path(location)
    raise ImageError(
        "The sample files are not part of this installation.", "Install napari-slicewise again."
    )
