"""Names and colours of the classes in a labels layer."""

from __future__ import annotations

from collections.abc import Sequence

from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap

from napari_slicewise.inference.request import Output
from napari_slicewise.io.class_table import class_colors, class_columns

__all__ = ["show_classes"]

_MOST = 256  # what labels of one byte hold
_OTHERS = [0.5, 0.5, 0.5, 1.0]  # numbers that no class has


def show_classes(labels: Labels, output: Output, names: Sequence[str] | None = None) -> None:
    """Give each class a colour of its own, and its name, which napari's status bar shows.

    A class has the same colour in each layer, the background none. Colours and features
    that a user or another program has put there stay. Objects are left as they are.

    Parameters
    ----------
    labels
        The layer.
    output
        What its values mean.
    names
        Of the values 0, 1, 2 ..., the background first; None where they are not known yet.
    """
    if output != "classes":
        return
    if not isinstance(labels.colormap, DirectLabelColormap):
        colors = class_colors(_MOST).items()
        shown = {number: [part / 255 for part in color] for number, color in colors}
        labels.colormap = DirectLabelColormap(color_dict={None: _OTHERS, **shown})
    if names and not set(labels.features.columns) - {"index", "class"}:
        labels.features = class_columns(names)
