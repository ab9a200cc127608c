"""How good the weights are on the slices that are held out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from napari_slicewise.evaluation.scores import match_objects, pool_matchings
from napari_slicewise.geometry import tile_grid
from napari_slicewise.inference.backends import activate
from napari_slicewise.inference.plan import border_lost, padded_shape
from napari_slicewise.inference.request import Precision
from napari_slicewise.instances.options import ObjectOptions
from napari_slicewise.instances.pipeline import ShapeOptions, shape_slice
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.training.pieces import Piece, read_labels
from napari_slicewise.training.targets import number_from_one

__all__ = ["HeldOut", "predict_slice", "validate_on"]

_TILE = 768  # px; larger slices are predicted in tiles
_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


class HeldOut:
    """Pieces that are scored and never trained on.

    Parameters
    ----------
    pieces
        All of them.
    normalized
        Reads and normalises a piece.
    spec
        Of the model.
    most
        Pieces that are looked at, evenly chosen: each takes time from training.
    """

    def __init__(
        self,
        pieces: Sequence[Piece],
        normalized: Callable[[Piece], NDArray[np.float32]],
        spec: ModelSpec,
        most: int,
    ) -> None:
        places = np.linspace(0, len(pieces) - 1, min(most, len(pieces))).round().astype(int)
        self._spec = spec
        self._images: list[NDArray[np.float32]] = []
        self._truths: list[tuple[NDArray[np.int64], NDArray[np.bool_]]] = []
        for place in np.unique(places):
            piece = pieces[place]
            labels, known = read_labels(piece)
            seen = np.ones(labels.shape, bool) if known is None else known
            self._images.append(normalized(piece))
            self._truths.append((np.where(seen, labels, 0), seen))

    @property
    def measure(self) -> str:
        """What the score is, in words."""
        if not self._images:
            return ""
        if self._spec.output == "classes":
            return "mean IoU of the classes"
        return "AP at IoU 0.5" if self._of_objects else "foreground IoU"

    def score(self, predict: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> float | None:
        """Score a network, 0 to 1; None where nothing is held out.

        Parameters
        ----------
        predict
            From a normalised ``(channel, y, x)`` to activations ``(head, y, x)``.
        """
        if not self._images:
            return None
        answers = [predict(image) for image in self._images]
        if self._spec.output == "classes":
            return self._class_score(answers)
        return self._object_score(answers) if self._of_objects else self._mask_score(answers)

    @property
    def _of_objects(self) -> bool:
        """Whether objects can be counted: the model splits them, and all of them are known."""
        splits = self._spec.output in ("foreground_distance", "foreground_boundary")
        return splits and all(bool(seen.all()) for _, seen in self._truths)

    def _object_score(self, answers: Sequence[NDArray[np.float32]]) -> float:
        objects = ObjectOptions(threshold=self._spec.threshold)
        options = ShapeOptions(self._spec.output, "labels", objects)
        matchings = [
            match_objects(shape_slice(answer, options), number_from_one(labels), (0.5,))
            for answer, (labels, _) in zip(answers, self._truths, strict=True)
        ]
        return pool_matchings(matchings)[0].average_precision

    def _mask_score(self, answers: Sequence[NDArray[np.float32]]) -> float:
        both = either = 0
        for answer, (labels, seen) in zip(answers, self._truths, strict=True):
            found = answer[0] >= self._spec.threshold
            both += int(np.count_nonzero(found & (labels > 0) & seen))
            either += int(np.count_nonzero((found | (labels > 0)) & seen))
        return both / either if either else 1.0

    def _class_score(self, answers: Sequence[NDArray[np.float32]]) -> float:
        both, either = np.zeros(256, np.int64), np.zeros(256, np.int64)
        for answer, (labels, seen) in zip(answers, self._truths, strict=True):
            found = answer.argmax(axis=0)
            for value in np.union1d(np.unique(found[seen]), np.unique(labels[seen])):
                one, other = (found == value) & seen, (labels == value) & seen
                both[value] += np.count_nonzero(one & other)
                either[value] += np.count_nonzero(one | other)
        present = either > 0
        return float(np.mean(both[present] / either[present])) if present.any() else 1.0


def validate_on(
    held: HeldOut, network: nn.Module, spec: ModelSpec, device: torch.device, precision: Precision
) -> float | None:
    """Score a network on what is held out; None where nothing is."""
    return held.score(lambda image: predict_slice(network, spec, image, device, precision))


@torch.no_grad()
def predict_slice(
    network: nn.Module,
    spec: ModelSpec,
    image: NDArray[np.float32],
    device: torch.device,
    precision: Precision,
) -> NDArray[np.float32]:
    """Predict a normalised slice.

    Parameters
    ----------
    network
        On the device, in evaluation mode.
    spec
        What it is.
    image
        ``(channel, y, x)``, of any size; mirrored beyond its borders.
    device, precision
        Where and in which number format.

    Returns
    -------
    ndarray of float32
        Activations ``(head, y, x)`` in 0..1, see ``inference.backends.activate``.
    """
    rows, columns = image.shape[1:]
    lost = border_lost(spec)
    padded = padded_shape((rows, columns), spec)
    border = ((0, 0), (lost, padded[0] - rows - lost), (lost, padded[1] - columns - lost))
    normal = torch.from_numpy(np.pad(image, border, mode="reflect"))
    dtype = _DTYPES.get(precision)
    out: NDArray[np.float32] | None = None
    side = -(-(_TILE + 2 * spec.margin) // spec.stride) * spec.stride + spec.remainder
    for tile in tile_grid(padded, (side, side), spec.margin, spec.stride, lost):
        part = normal[(slice(None), *tile.read.slices)][None].to(device)
        part = part.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, dtype, enabled=dtype is not None):
            logits = network(part)
        answer = activate(logits.float(), spec.output)[0].cpu().numpy()
        if out is None:
            out = np.zeros((answer.shape[0], *padded), np.float32)
        out[(slice(None), *tile.keep.slices)] = answer[(slice(None), *tile.inner)]
    assert out is not None  # noqa: S101 - a slice has one tile at least
    return np.ascontiguousarray(out[:, lost : lost + rows, lost : lost + columns])
