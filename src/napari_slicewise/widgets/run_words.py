"""How a run ended, in one line."""

from __future__ import annotations

from napari_slicewise.editing.wording import counted
from napari_slicewise.inference.request import RunReport

__all__ = ["closing_words"]


def closing_words(report: RunReport, total: int, over: int = 0) -> str:
    """Say how a run ended.

    Parameters
    ----------
    report
        Of the run.
    total
        The slices that were asked for.
    over
        Those of them that held a result of an earlier run.
    """
    device = str(report.details.get("device", "")).partition(" (")[0]  # without its threads
    where = f" on {device}" if device else ""
    if report.outcome == "completed":
        found = counted(report.slices, "slice")
        if (objects := report.details.get("objects")) is not None:
            found += f", {counted(objects, 'object')}"
        return f"Done: {found} in {report.seconds:.1f} s{where}"
    kept = f"{report.slices} of {total} slices are kept"
    if over:
        kept = f"{report.slices} of {total} slices are new, the others as before"
    return f"Stopped: {kept}" if report.outcome == "cancelled" else f"Failed: {kept}"
