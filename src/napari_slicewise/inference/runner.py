"""One run: a generator of finished slices that panel, command line and tests drive alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from napari_slicewise.errors import RequestError, SlicewiseError
from napari_slicewise.inference.cache import ActivationCache
from napari_slicewise.inference.device import DevicePolicy
from napari_slicewise.inference.loading import LoadedModel
from napari_slicewise.inference.normalize import IntensityRange
from napari_slicewise.inference.plan import border_lost, resolve
from napari_slicewise.inference.predict import Predictor, Prepared
from napari_slicewise.inference.prepare import SlicePreparer
from napari_slicewise.inference.request import (
    MOST_HEADS,
    Outcome,
    Request,
    RunReport,
    SliceResult,
    shape_options,
)
from napari_slicewise.inference.stream import CancelToken, in_background
from napari_slicewise.instances.final_numbers import FinalNumbers
from napari_slicewise.instances.link import LinkOptions
from napari_slicewise.instances.pipeline import ShapeOptions, shape_slice
from napari_slicewise.instances.slice_linker import NumberedSlices, SliceLinker
from napari_slicewise.io.source import SliceSource

__all__ = ["Runner"]


class Runner:
    """Drives one request from the image to finished slices.

    Reading and normalising, the network, and the shaping of objects work at the same
    time on three threads; the results come in the order of ``request.indices``.

    Parameters
    ----------
    request
        What was asked for.
    source
        The image.
    model
        The network.
    policy
        The devices.
    token
        To stop the run: between two batches it ends, and keeps what is done.
    on_status
        Told in words what is being done.
    cache
        Predictions of earlier runs.
    after
        What an interrupted run has written, to go on with its numbers.
    intensities
        The range of the whole stack, where it is known; None measures it.
    numbers
        ``final``: slices that are asked for in order come with the numbers that they keep,
        some slices later where that takes knowing the next ones. ``provisional``: each
        comes at once, and later ones may rename its objects (``SliceResult.renamed``);
        ``least_slices`` is not looked at then, as a human may be painting on the object.

    Raises
    ------
    RequestError, ModelError
        When the request cannot be met; nothing has been computed then.
    """

    def __init__(
        self,
        request: Request,
        source: SliceSource,
        model: LoadedModel,
        policy: DevicePolicy,
        token: CancelToken,
        on_status: Callable[[str], None] = lambda _text: None,
        cache: ActivationCache | None = None,
        after: NumberedSlices | None = None,
        intensities: IntensityRange | None = None,
        numbers: Literal["final", "provisional"] = "final",
    ) -> None:
        self._request = request
        self._source = source
        self._model = model
        self._token = token
        self._intensities = intensities
        self._on_status = on_status
        self._fallbacks: list[str] = []
        self._done = 0
        least = request.least_slices if numbers == "final" else 1
        self._linker = _linker(request, after or NumberedSlices(), least)
        in_order = all(a < b for a, b in pairwise(request.indices))
        holds = request.link and least > 1 and in_order
        self._final = FinalNumbers(self._linker, after.largest if after else 0) if holds else None
        self._began = time.perf_counter()
        # Activations are for labels: what decides on the number format must be the same.
        planned = replace(request, output="labels") if request.output == "activations" else request
        plan = resolve(planned, model.spec, source, policy)
        self._predictor = Predictor(
            plan, model, policy, token, self._note_fallback, cache, on_status
        )

    def results(self) -> Generator[SliceResult]:
        """Yield finished slices.

        Raises
        ------
        SlicewiseError
            When the image cannot be read, or memory ends.
        """
        with closing(self._shaped()) as shaped:
            if self._request.output != "labels":
                yield from shaped
            elif self._final is None:
                for result in shaped:
                    linked = self._linker.link(result.index, result.values)
                    yield replace(result, values=linked.labels, renamed=linked.renamed)
            else:
                yield from self._finally_numbered(shaped, self._final)

    def _finally_numbered(
        self, shaped: Iterator[SliceResult], final: FinalNumbers
    ) -> Iterator[SliceResult]:
        held: dict[tuple[int, ...], SliceResult] = {}
        try:
            for result in shaped:
                held[result.index] = result
                linked = self._linker.link(result.index, result.values)
                for index, labels in final.add(result.index, linked):
                    yield replace(held.pop(index), values=labels)
        except SlicewiseError:
            yield from (replace(held[index], values=labels) for index, labels in final.finish())
            raise
        yield from (replace(held[index], values=labels) for index, labels in final.finish())

    def _shaped(self) -> Generator[SliceResult]:
        """Yield slices whose objects have their local numbers 1..n."""
        plan = self._predictor.plan
        self._on_status("Measuring the range of intensities")
        preparer = SlicePreparer(plan, self._source, self._token, self._intensities)
        self._on_status(plan.describe())
        options = shape_options(self._request, plan.spec.output, plan.threshold)
        height, width = self._source.slice_shape
        lost = border_lost(plan.spec)
        inside = np.s_[:, lost : lost + height, lost : lost + width]
        prepared = in_background(self._prepare(preparer), 2, "slicewise-read")
        predicted = in_background(self._predictor.predict_all(prepared), 2, "slicewise-predict")
        try:
            for item in predicted:
                began = time.perf_counter()
                values = _shaped(item.activations[inside], options)
                self._done += 1
                yield SliceResult(item.index, values, item.seconds + time.perf_counter() - began)
        finally:
            predicted.close()

    def report(self, error: Exception | None = None) -> RunReport:
        """Say how the run ended; ``error`` is what ended it, if anything did."""
        seconds = time.perf_counter() - self._began
        outcome: Outcome = "completed"
        if error is not None:
            outcome = "failed"
        elif self._done < len(self._request.indices):
            outcome = "cancelled"
        return RunReport(
            outcome=outcome,
            slices=self._done,
            seconds=seconds,
            message=error.message if isinstance(error, SlicewiseError) else str(error or ""),
            hint=error.hint if isinstance(error, SlicewiseError) else "",
            fallbacks=tuple(self._fallbacks),
            details={
                **self._predictor.plan.details(),
                "objects": self._linker.count if self._request.output == "labels" else None,
                "slices_remembered": self._predictor.remembered,
                **self._formats(),
                "model_sha256": self._model.sha256,
                "version": version("napari-slicewise"),
                # torch's own str subclass would drag torch along into the desktop's process.
                "torch": str(torch.__version__),
                "date": datetime.now(UTC).isoformat(timespec="seconds"),
                "seconds_a_slice": seconds / self._done if self._done else None,
            },
        )

    def _formats(self) -> dict[str, dict[str, int]]:
        """Say how many slices were computed in each number format, where there were several."""
        formats = self._predictor.formats
        return {"slices_by_precision": dict(formats)} if len(formats) > 1 else {}

    def _prepare(self, preparer: SlicePreparer) -> Iterator[Prepared]:
        for index in self._request.indices:
            if self._token.cancelled:
                return
            yield Prepared(index, preparer.prepare(index))

    def _note_fallback(self, text: str) -> None:
        self._fallbacks.append(text)
        self._on_status(text)


def _linker(request: Request, after: NumberedSlices, least: int) -> SliceLinker:
    """Return what links the slices of a run, knowing what an interrupted one has written."""
    options = LinkOptions(
        least_iou=request.least_iou,
        gap=request.gap,
        anisotropy=request.anisotropy,
        least_slices=least,
    )
    linker = SliceLinker(request.indices, link=request.link, options=options, largest=after.largest)
    for index in sorted(after.slices):
        linker.prime(index, after.slices[index])
    return linker


def _shaped(activations: NDArray[np.float32], options: ShapeOptions | None) -> NDArray[Any]:
    if options is None:
        if len(activations) > MOST_HEADS:
            raise RequestError(
                f"Models with more than {MOST_HEADS} outputs have no preview.", "Press Segment."
            )
        return np.ascontiguousarray(activations)
    return shape_slice(activations, options)
