"""Hearing what a controller says, and small things to run it on."""

from __future__ import annotations

import threading

import numpy as np

from napari_slicewise.inference.request import Request


class Listener:
    """Hears a controller, and waits for it."""

    def __init__(self, controller):
        self.results, self.progress, self.statuses, self.reports = [], [], [], []
        self.inspected, self.changed = [], threading.Condition()
        for signal_, store in (
            (controller.slice_finished, self.results),
            (controller.progressed, self.progress),
            (controller.status_changed, self.statuses),
            (controller.run_finished, self.reports),
            (controller.model_inspected, self.inspected),
        ):
            signal_.connect(self._keep(store), check_nargs=False)

    def _keep(self, store):
        def keep(*values):
            with self.changed:
                store.append(values[0] if len(values) == 1 else values)
                self.changed.notify_all()

        return keep

    def wait(self, condition):
        with self.changed:
            assert self.changed.wait_for(condition, timeout=60), "nothing came in 60 s"

    def report(self, number=1):
        self.wait(lambda: len(self.reports) >= number)
        return self.reports[number - 1]


def stack(*shape):
    rng = np.random.default_rng(1)
    return (rng.normal(size=shape).cumsum(-1) * 100 + 2000).astype(np.uint16)


def everything(model, source, **options):
    return Request(str(model), tuple(source.indices()), **options)
