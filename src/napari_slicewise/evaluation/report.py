"""A report in Markdown: scores, and pictures of the best and the worst cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import find_boundaries

from napari_slicewise.errors import OutputError
from napari_slicewise.evaluation.summary import ImageScores
from napari_slicewise.io.atomic_file import explain_output
from napari_slicewise.io.atomic_folder import FolderDraft

__all__ = ["Case", "Gallery", "check_report_folder", "write_report"]

_EACH = 3  # best cases, and worst
_SIDE = 512  # px; larger slices are thinned
_GREY, _TRUE, _FOUND = 200, (0, 190, 255), (255, 150, 0)


@dataclass(frozen=True, eq=False)
class Case:
    """A slice to be shown.

    Parameters
    ----------
    scores
        Of its image.
    image, predicted, truth
        ``(y, x)`` each; the image normalised to 0..1.
    """

    scores: ImageScores
    image: NDArray[np.float32]  # (y, x)
    predicted: NDArray[Any]  # (y, x)
    truth: NDArray[Any]  # (y, x)


class Gallery:
    """Keeps the best and the worst cases, and forgets the others."""

    def __init__(self) -> None:
        self._cases: list[Case] = []

    def add(self, case: Case) -> None:
        """Take a case."""
        self._cases.append(case)
        self._cases.sort(key=lambda c: c.scores.rank)
        if len(self._cases) > 2 * _EACH:
            del self._cases[_EACH]

    @property
    def worst(self) -> tuple[Case, ...]:
        """The worst cases, the worst first."""
        return tuple(self._cases[: min(_EACH, (len(self._cases) + 1) // 2)])

    @property
    def best(self) -> tuple[Case, ...]:
        """The best cases, the best first; none of them is among the worst."""
        return tuple(self._cases[len(self.worst) :][::-1][:_EACH])


def check_report_folder(folder: Path) -> None:
    """Refuse a folder that holds something.

    Raises
    ------
    OutputError
        When it does, or its parent is missing.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder} is there already.", "Choose the name of a new folder.")
    if not folder.resolve().parent.is_dir():
        raise OutputError(f"There is no folder {folder.parent}.", "Create it, or choose another.")


def write_report(
    folder: Path,
    model: str,
    summary: Mapping[str, float],
    images: Sequence[ImageScores],
    gallery: Gallery,
) -> None:
    """Write ``report.md`` and its pictures into a new folder.

    Parameters
    ----------
    folder
        The folder.
    model
        What was evaluated.
    summary
        Scores of all images together.
    images
        Scores of each.
    gallery
        What to show.

    Raises
    ------
    OutputError
        When the folder cannot be written.
    """
    from imagecodecs import png_encode

    check_report_folder(folder)
    lines = [f"# Evaluation of {model}", "", f"{len(images)} images.", ""]
    lines += ["| score | |", "| --- | --- |"]
    lines += [f"| {name} | {_number(value)} |" for name, value in summary.items()]
    with closing(FolderDraft(folder)) as draft, explain_output(folder):
        for title, cases in (("Worst cases", gallery.worst), ("Best cases", gallery.best)):
            lines += ["", f"## {title}", "Left the image, middle the truth, right the prediction."]
            for place, case in enumerate(cases, start=1):
                name = f"{title.split()[0].lower()}-{place}.png"
                (draft.folder / name).write_bytes(png_encode(draw_case(case)))
                lines += ["", f"{case.scores.name}: {_in_words(case.scores)}", "", f"![]({name})"]
        lines += ["", "## All images", *_table(images)]
        (draft.folder / "report.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
        draft.commit()


def draw_case(case: Case) -> NDArray[np.uint8]:
    """Draw the image, and twice more with the outlines of truth and prediction.

    Returns
    -------
    ndarray of uint8
        ``(y, x, colour)``.
    """
    step = -(-max(case.image.shape) // _SIDE)
    grey = (np.clip(case.image[::step, ::step], 0.0, 1.0) * _GREY).astype(np.uint8)
    plain = np.repeat(grey[..., None], 3, axis=2)
    gap = np.full((grey.shape[0], 4, 3), 255, np.uint8)
    panels = [plain]
    for labels, colour in ((case.truth, _TRUE), (case.predicted, _FOUND)):
        panel = plain.copy()
        panel[find_boundaries(labels[::step, ::step], mode="inner")] = colour  # type: ignore[no-untyped-call]
        panels += [gap, panel]
    return np.ascontiguousarray(np.concatenate(panels, axis=1))


def _table(images: Sequence[ImageScores]) -> list[str]:
    rows = ["| image | |", "| --- | --- |"]
    ordered = sorted(images, key=lambda image: image.rank)
    return rows + [f"| {image.name} | {_in_words(image)} |" for image in ordered]


def _in_words(scores: ImageScores) -> str:
    words = [f"foreground IoU {scores.iou:.3f}"]
    if scores.matchings:
        first = scores.matchings[0]
        words.append(f"AP at IoU {first.threshold:g} {first.average_precision:.3f}")
        words.append(f"{first.hits} found, {first.missed} missed, {first.false} false")
    words += [f"class {value} {iou:.3f}" for value, iou in scores.classes]
    if scores.membranes is not None:
        words.append(f"adapted Rand error {scores.membranes.rand_error:.3f}")
        words.append(f"pixel error {scores.membranes.pixel_error:.3f}")
    return ", ".join(words)


def _number(value: float) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
