"""One run: a generator of finished slices that panel, command line and tests drive alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime
from importlib.metadata import version

import numpy as np
import torch

from napari_slicewise.errors import SlicewiseError
from napari_slicewise.inference.cache import ActivationCache
from napari_slicewise.inference.device import DevicePolicy
from napari_slicewise.inference.loading import LoadedModel
from napari_slicewise.inference.plan import border_lost, resolve
from napari_slicewise.inference.predict import Predictor, Prepared
from napari_slicewise.inference.prepare import SlicePreparer
from napari_slicewise.inference.request import Outcome, Request, RunReport, SliceResult
from napari_slicewise.inference.stream import CancelToken, in_background
from napari_slicewise.instances.link import SliceLinker
from napari_slicewise.instances.pipeline import ShapeOptions, shape_slice
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
    ) -> None:
        self._request = request
        self._source = source
        self._model = model
        self._token = token
        self._on_status = on_status
        self._fallbacks: list[str] = []
        self._done = 0
        self._linker = SliceLinker(request.indices, link=request.link)
        self._began = time.perf_counter()
        plan = resolve(request, model.spec, source, policy)
        self._predictor = Predictor(plan, model, policy, token, self._note_fallback, cache)

    def results(self) -> Generator[SliceResult]:
        """Yield finished slices.

        Raises
        ------
        SlicewiseError
            When the image cannot be read, or memory ends.
        """
        plan = self._predictor.plan
        self._on_status("Measuring the range of intensities")
        preparer = SlicePreparer(plan, self._source, self._token)
        self._on_status(plan.describe())
        options = ShapeOptions(
            heads=plan.spec.output,
            output=self._request.output,
            threshold=plan.threshold,
            split=self._request.split,
            smallest=self._request.smallest,
        )
        height, width = self._source.slice_shape
        lost = border_lost(plan.spec)
        inside = np.s_[:, lost : lost + height, lost : lost + width]
        prepared = in_background(self._prepare(preparer), 2, "slicewise-read")
        predicted = in_background(self._predictor.predict_all(prepared), 2, "slicewise-predict")
        try:
            for item in predicted:
                began = time.perf_counter()
                values = shape_slice(item.activations[inside], options)
                if self._request.output == "labels":
                    values = self._linker.link(item.index, values)
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
                "model_sha256": self._model.sha256,
                "version": version("napari-slicewise"),
                # torch's own str subclass would drag torch along into the desktop's process.
                "torch": str(torch.__version__),
                "date": datetime.now(UTC).isoformat(timespec="seconds"),
                "seconds_a_slice": seconds / self._done if self._done else None,
            },
        )

    def _prepare(self, preparer: SlicePreparer) -> Iterator[Prepared]:
        for index in self._request.indices:
            if self._token.cancelled:
                return
            yield Prepared(index, preparer.prepare(index))

    def _note_fallback(self, text: str) -> None:
        self._fallbacks.append(text)
        self._on_status(text)
