"""Results of an earlier session: restored from a journal, reopened, or left by a closed panel."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from napari.components import ViewerModel
from napari.layers import Labels

from napari_slicewise.errors import SlicewiseError
from napari_slicewise.inference.request import Output, Request
from napari_slicewise.instances.sizes import Size
from napari_slicewise.widgets.edit_layer import EditLayer, known_edits
from napari_slicewise.widgets.result_layer import ResultLayer

__all__ = ["request_of", "results_beside"]


def results_beside(viewer: ViewerModel, known: Collection[Labels]) -> list[ResultLayer]:
    """Find layers in a viewer that a run has filled, and whose session is known.

    Parameters
    ----------
    viewer
        The viewer.
    known
        Layers of results that the caller knows already.
    """
    found = []
    for layer in viewer.layers:
        edits = known_edits(layer)
        if edits is not None and layer not in known:
            result = _result_of(viewer, edits)
            if result is not None:
                found.append(result)
    return found


def _result_of(viewer: ViewerModel, edits: EditLayer) -> ResultLayer | None:
    image, source = edits.made_from or (None, None)
    if image is None or source is None or not len(edits.session.ownership.machine):
        return None
    asked = edits.asked or dict(edits.layer.metadata.get("slicewise", {}).get("parameters", {}))
    indices = tuple(edits.session.ownership.machine)
    request = request_of(asked, indices, objects=edits.session.renumber)
    return ResultLayer(viewer, image, source, request, edits=edits)


def request_of(
    asked: Mapping[str, Any], indices: tuple[tuple[int, ...], ...], *, objects: bool
) -> Request:
    """Return a run's request from what was noted of it, as far as it can be understood.

    Parameters
    ----------
    asked
        What ``parameters_of`` gave, in this version of the plugin or another one.
    indices
        The slices that were written.
    objects
        Whether the labels are objects, and no classes.
    """
    output: Output = "labels" if objects else "classes"
    blank = Request("", indices, output=output)
    try:
        request = _rebuilt(blank, {**asked, "indices": indices, "output": output})
    except (SlicewiseError, TypeError, ValueError):
        return blank
    return request if isinstance(request.model, str) else blank


def _rebuilt(example: Any, noted: Mapping[str, Any]) -> Any:
    """Return a copy of a dataclass with what was noted in it; unknown words are left out."""
    values: dict[str, Any] = {}
    for name in (field.name for field in fields(example) if field.name in noted):
        usual, value = getattr(example, name), noted[name]
        if isinstance(value, Mapping) and value.keys() == {"value", "unit"}:
            values[name] = Size(**value)
        elif is_dataclass(usual):
            values[name] = _rebuilt(usual, value) if isinstance(value, Mapping) else usual
        else:
            values[name] = tuple(value) if isinstance(value, list) else value
    return replace(example, **values)
