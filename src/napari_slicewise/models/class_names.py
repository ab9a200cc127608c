"""What the classes of a result are called. No torch here."""

from __future__ import annotations

from napari_slicewise.models.spec import ModelSpec

__all__ = ["named_classes"]


def named_classes(spec: ModelSpec) -> tuple[str, ...]:
    """Return the names of the values 0, 1, 2 ... in a result of classes, 0 the background.

    Classes that the model's description does not name are numbered. A model without
    classes has background and foreground.

    Parameters
    ----------
    spec
        The model.
    """
    if spec.output != "classes":
        return ("background", "foreground")
    given = list(spec.class_names)
    if spec.background is None:  # each channel is a class, and the background is what is left
        own = len(given) == spec.out_channels + 1
        names = given if own else ["background", *given]
        count = spec.out_channels + 1
    else:  # the activations begin with the background, wherever the network has it
        names = [*given]
        if spec.background < len(given):
            names.insert(0, names.pop(spec.background))
        count = spec.out_channels
    usual = ["background", *(f"class {number}" for number in range(1, count))]
    return tuple(
        names[number] if number < len(names) and names[number] else usual[number]
        for number in range(count)
    )
