"""Whether a run goes on in int8: asked for, remembered, or worth the time it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from napari_slicewise.inference.backends import UnfitError
from napari_slicewise.inference.calibration import Agreement, pays_off
from napari_slicewise.inference.device import is_out_of_memory
from napari_slicewise.inference.loading import LoadedModel
from napari_slicewise.inference.openvino_backend import CompiledBackend
from napari_slicewise.inference.plan import Plan
from napari_slicewise.inference.quantization import Int8Store, StoppedError, quantize_and_check
from napari_slicewise.inference.stream import CancelToken

__all__ = ["Int8Choice"]


class Int8Choice:
    """Decides on int8 for one run, at its start or after its first slices.

    On request the network is quantised before the first slice, so that the whole stack
    has one format. With ``auto`` nobody waits: a network that is known from an earlier
    run serves from the start. Else the run begins in the plan's own format, is timed,
    and changes once, where the slices left repay the seconds. Then the first slices are
    in a finer format than the others; the check bounds what that can change, and the
    report says how many they are.

    Parameters
    ----------
    model
        The network.
    token
        Looked at between the tiles of a calibration.
    on_status, on_fallback
        Told in words what is done, and why int8 is not used although it was asked for.
    store
        Of quantised networks; None takes the user's cache folder.
    """

    def __init__(
        self,
        model: LoadedModel,
        token: CancelToken,
        on_status: Callable[[str], None],
        on_fallback: Callable[[str], None],
        store: Int8Store | None = None,
    ) -> None:
        self._model = model
        self._token = token
        self._on_status = on_status
        self._on_fallback = on_fallback
        self._store = store or Int8Store()
        self._decided = False
        self._fastest: float | None = None
        self._groups = 0
        self._before = 0  # slices in the plan's own format

    def begin(self, plan: Plan) -> Plan:
        """Return the plan to begin with."""
        if plan.quantize == "never":
            self._decided = True
            return plan
        if not plan.tiles.enough:
            self._decided = True
            if plan.quantize == "asked":
                return self._refuse(plan, "the image is too small to check it on")
            return plan
        known = self._known(plan)
        if known is not None:
            return self._judge(plan, *known)
        return self._make(plan) if plan.quantize == "asked" else plan

    def go_on(self, plan: Plan, seconds: float, done: int, left: int) -> Plan:
        """Return the plan to go on with, after a group of slices.

        Parameters
        ----------
        seconds
            In the network, for one slice of the group.
        done
            Slices of the run so far, remembered ones included.
        left
            Slices of the run that are still to come.
        """
        self._groups += 1
        if self._decided or self._groups < 2:  # the first group compiles the network
            return plan
        height, width = plan.padded
        pace = seconds / (height * width)
        self._fastest = pace if self._fastest is None else min(pace, self._fastest)
        tiles = plan.tiles
        if self._token.cancelled or not pays_off(
            self._fastest,
            left * height * width,
            sum(tile[0].size for tile in tiles.calibration),
            sum(tile[0].size for tile in tiles.held_out),
        ):
            return plan
        self._before = done
        return self._make(plan)

    def _known(self, plan: Plan) -> tuple[CompiledBackend, Agreement] | None:
        name = self._store.name(self._model.sha256, self._model.spec, plan.tiles)
        return self._model.quantized.get(name) or self._store.find(name)

    def _make(self, plan: Plan) -> Plan:
        """Quantise, check and judge; whatever fails leaves the plan as it is."""
        self._decided = True
        self._on_status("Calibrating int8 on tiles of this image")
        model = self._model
        try:
            backend, agreement = quantize_and_check(
                model.network, model.spec, model.sha256, plan.tiles, self._token, self._store
            )
        except StoppedError:
            return plan
        except UnfitError as error:
            return self._refuse(plan, str(error))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return self._refuse(plan, "there is not enough memory to calibrate it")
        return self._judge(plan, backend, agreement)

    def _judge(self, plan: Plan, backend: CompiledBackend, agreement: Agreement) -> Plan:
        """Take int8 where its check passed for what this run asks."""
        self._decided = True
        name = self._store.name(self._model.sha256, self._model.spec, plan.tiles)
        self._model.quantized.clear()
        self._model.quantized[name] = backend, agreement
        output = plan.request.output
        fault = agreement.fault(plan.threshold, output)
        if fault:
            return self._refuse(plan, fault)
        share = f"{100 * agreement.share(plan.threshold, output):.2f} %"
        check = f"checked: {share} of the pixels differ"
        before = f", the first {self._before} slices in {plan.precision}" if self._before else ""
        chosen = replace(plan, precision="int8", check=check + before)
        self._on_status(f"{plan.device.title}, int8 ({check})")
        return chosen

    def _refuse(self, plan: Plan, why: str) -> Plan:
        """Stay with the plan; with ``auto`` nothing was promised that must be excused."""
        self._decided = True
        text = f"Not int8: {why}."
        if plan.quantize == "asked":
            self._on_fallback(f"{text} Going on with {plan.describe()}.")
        else:
            self._on_status(f"{plan.describe()}. {text}")
        return replace(plan, check=text)
