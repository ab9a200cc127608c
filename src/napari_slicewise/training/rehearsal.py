"""What a model learned from before, in small: patches that keep it from forgetting."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_slicewise.errors import ModelError
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.training.config import TrainingConfig
from napari_slicewise.training.pieces import Intensities, Piece, cut_pieces, read_labels
from napari_slicewise.training.pool import PiecePool
from napari_slicewise.training.request import Annotation
from napari_slicewise.training.truth import Truth, make_truth

__all__ = ["rehearsal_path", "rehearsal_pool", "rehearse_from", "write_rehearsal"]

_SUFFIX = ".rehearsal.npz"
_CEILING = 1 << 30  # bytes; there are few of them


def rehearsal_path(weights: Path) -> Path:
    """Return where the patches of a model lie, beside its weights; there may be none."""
    return weights.with_suffix(_SUFFIX)


def write_rehearsal(weights: Path, slices: Sequence[Annotation]) -> None:
    """Write patches of one size beside a file of weights.

    Parameters
    ----------
    weights
        The model's file.
    slices
        ``(y, x)`` each, of one dtype; all of them known.
    """
    np.savez_compressed(
        rehearsal_path(weights),
        images=np.stack([one.image for one in slices]),
        labels=np.stack([one.labels for one in slices]).astype(np.uint16),
    )


def rehearse_from(weights: Path) -> tuple[Annotation, ...]:
    """Read the patches of a model; empty where it has none.

    Raises
    ------
    ModelError
        When the file is damaged.
    """
    path = rehearsal_path(weights)
    if not path.is_file():
        return ()
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            images, labels = file["images"], file["labels"].astype(np.int32)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path} cannot be read: {error}.", "Remove or replace it.") from error
    return tuple(
        Annotation(f"{path.name} {number}", image, truth)
        for number, (image, truth) in enumerate(zip(images, labels, strict=True))
    )


def rehearsal_pool(
    weights: Path | None, spec: ModelSpec, config: TrainingConfig
) -> PiecePool | None:
    """Make a model's patches ready to draw from; None where there are none.

    Parameters
    ----------
    weights
        The file that a training begins with; None where it begins with none.
    spec, config
        Of the training.

    Raises
    ------
    ModelError
        When the patches' file is damaged.
    """
    slices = rehearse_from(weights) if weights is not None and config.rehearse else ()
    if not slices:
        return None
    intensities = Intensities(slices, spec)

    def make(piece: Piece) -> Truth:
        image = intensities.normalized(piece)
        return make_truth(image, *read_labels(piece), spec.output, config)

    pool = PiecePool(make, _CEILING, spec.in_channels, config.patch)
    for one in slices:
        pool.replace(one.name, cut_pieces(one))
    return pool
