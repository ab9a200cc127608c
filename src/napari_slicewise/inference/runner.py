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
from napari_slicewise.inference.activations import ActivationStream
from napari_slicewise.inference.cache import ActivationCache
from napari_slicewise.inference.device import DevicePolicy
from napari_slicewise.inference.directions import OtherDirections, stacks_of
from napari_slicewise.inference.loading import LoadedModel
from napari_slicewise.inference.normalize import IntensityRange
from napari_slicewise.inference.numbered_later import LaterNumbers
from napari_slicewise.inference.plan import resolve
from napari_slicewise.inference.predict import Predicted, Predictor
from napari_slicewise.inference.request import (
    MOST_HEADS,
    Outcome,
    Request,
    RunReport,
    SliceResult,
    shape_options,
)
from napari_slicewise.inference.stream import CancelToken
from napari_slicewise.instances.confidence import object_confidence
from napari_slicewise.instances.final_numbers import FinalNumbers
from napari_slicewise.instances.pipeline import (
    ShapeOptions,
    foreground_probability,
    shape_slice,
)
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
        ``least_slices``, volumes and ``track`` are not looked at then, as a human may be
        painting on the object.

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
        least = request.links.least_slices if numbers == "final" else 1
        self._linker = _linker(request, after or NumberedSlices(), least)
        in_order = all(a < b for a, b in pairwise(request.indices))
        holds = request.objects.link and least > 1 and in_order
        self._final = FinalNumbers(self._linker, after.largest if after else 0) if holds else None
        self._later = _later_numbers(request, source) if numbers == "final" else None
        self._began = time.perf_counter()
        # Activations are for labels: what decides on the number format must be the same.
        planned = replace(request, output="labels") if request.output == "activations" else request
        plan = resolve(planned, model.spec, source, policy)
        self._predictor = Predictor(
            plan, model, policy, token, self._note_fallback, cache, on_status
        )
        self._policy, self._cache = policy, cache
        several = request.directions != "z" and request.output != "activations"
        self._others = self._other_directions() if several else None

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
            elif self._later is not None:
                yield from self._later.numbered(shaped)
            elif self._final is None:
                for result in shaped:
                    linked = self._linker.link(result.index, result.values)
                    yield result.numbered(linked.table, linked.renamed)
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
                for index, table in final.add(result.index, linked):
                    yield held.pop(index).numbered(table)
        except SlicewiseError:
            yield from (held[index].numbered(table) for index, table in final.finish())
            raise
        yield from (held[index].numbered(table) for index, table in final.finish())

    def _shaped(self) -> Generator[SliceResult]:
        """Yield slices whose objects have their local numbers 1..n."""
        plan = self._predictor.plan
        stream = ActivationStream(
            self._predictor, self._source, self._token, self._intensities, self._on_status
        )
        self._intensities = stream.intensities
        options = shape_options(self._request, plan.spec.output, plan.threshold)
        others, indices = self._others, self._request.indices
        for stack in stacks_of(indices) if others is not None else [indices]:
            if others is not None:
                others.begin(stack[0][:-1])
            with closing(stream.of(stack)) as predicted:
                for item in predicted:
                    began = time.perf_counter()
                    activations = item.activations if others is None else others.joined(item)
                    values, confidence = _shaped(activations, options)
                    self._done += 1
                    seconds = item.seconds + time.perf_counter() - began
                    yield SliceResult(item.index, values, seconds, confidence=confidence)

    def _other_directions(self) -> OtherDirections:
        request, spec = self._request, self._predictor.plan.spec
        return OtherDirections(
            self._source,
            request.directions[1:],
            request.links.anisotropy,
            spec.out_channels if spec.output == "classes" else 1,
            self._look,
            self._token,
            self._on_status,
        )

    def _look(self, view: SliceSource) -> Generator[Predicted]:
        """Return what the network says of all slices of a turned stack."""
        indices = tuple((position,) for position in range(view.leading_shape[0]))
        plan = resolve(
            replace(self._request, indices=indices), self._model.spec, view, self._policy
        )
        predictor = Predictor(
            plan, self._model, self._policy, self._token, self._note_fallback, self._cache
        )
        return ActivationStream(predictor, view, self._token, self._intensities).of(indices)

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
                "objects": self._counted() if self._request.output == "labels" else None,
                "slices_remembered": self._predictor.remembered,
                **self._formats(),
                **({"parents": self._later.parents} if self._later and self._later.parents else {}),
                "model_sha256": self._model.sha256,
                "version": version("napari-slicewise"),
                # torch's own str subclass would drag torch along into the desktop's process.
                "torch": str(torch.__version__),
                "date": datetime.now(UTC).isoformat(timespec="seconds"),
                "seconds_a_slice": seconds / self._done if self._done else None,
            },
        )

    def _counted(self) -> int:
        """Return how many objects there are so far."""
        return self._linker.count if self._later is None else self._later.count

    def _formats(self) -> dict[str, dict[str, int]]:
        """Say how many slices were computed in each number format, where there were several."""
        formats = self._predictor.formats
        return {"slices_by_precision": dict(formats)} if len(formats) > 1 else {}

    def _note_fallback(self, text: str) -> None:
        self._fallbacks.append(text)
        self._on_status(text)


def _linker(request: Request, after: NumberedSlices, least: int) -> SliceLinker:
    """Return what links the slices of a run, knowing what an interrupted one has written."""
    options = replace(request.links, least_slices=least)
    link = request.objects.link
    linker = SliceLinker(request.indices, link=link, options=options, largest=after.largest)
    for index in sorted(after.slices):
        linker.prime(index, after.slices[index])
    return linker


def _later_numbers(request: Request, source: SliceSource) -> LaterNumbers | None:
    """Return what numbers objects in the end, where nothing can be said before."""
    objects = request.objects
    if objects.link and (objects.track or objects.links.by_volume):
        return LaterNumbers(request.indices, source.slice_shape, objects)
    return None


def _shaped(
    activations: NDArray[np.float32], options: ShapeOptions | None
) -> tuple[NDArray[Any], dict[int, float]]:
    """Return what is asked for of one slice, and how sure the network is of its objects."""
    if options is None:
        if len(activations) > MOST_HEADS:
            raise RequestError(
                f"Models with more than {MOST_HEADS} outputs have no preview.", "Press Segment."
            )
        return np.ascontiguousarray(activations), {}
    values = shape_slice(activations, options)
    if options.output != "labels":
        return values, {}
    means = object_confidence(values, foreground_probability(activations, options.heads))
    return values, dict(enumerate(means[1:].tolist(), start=1))
