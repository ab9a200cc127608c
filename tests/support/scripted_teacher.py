"""A worker that learns nothing and says what a test has it say."""

from __future__ import annotations

import numpy as np
from support.scripted_panel import Desk, ScriptedController

from napari_slicewise.editing.edits import Edit
from napari_slicewise.editing.locks import Locks
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.training.messages import (
    BeginLearning,
    LearningBegan,
    LearningEnded,
    StopLearning,
)
from napari_slicewise.training.request import LearnReport
from napari_slicewise.widgets.edit_layer import edit_layer_of


class ScriptedTeacher(ScriptedController):
    """Begins each training at once, and ends it when it is asked to stop."""

    def __init__(self):
        super().__init__()
        self.told, self.held_out = [], ()

    def tell(self, message):
        self.told.append(message)
        if isinstance(message, BeginLearning):
            self.heard.emit(LearningBegan(ModelSpec("new"), self.held_out))
        elif isinstance(message, StopLearning):
            self.end("stopped")

    def of(self, kind):
        return [message for message in self.told if isinstance(message, kind)]

    def step(self, step, **facts):
        facts = {"seconds": float(step), "seconds_left": 60.0 - step, "loss": 1.0 / step, **facts}
        self.heard.emit(LearnReport(step, **facts))

    def end(self, outcome, *words, draft="/drafts/model.safetensors"):
        self.heard.emit(LearningEnded(outcome, *words, draft=draft, folder="/drafts"))


class LearnDesk(Desk):
    """A viewer with a stack of six slices, an object drawn by a run on each, and the Learn tab."""

    def __init__(self, viewer, qtbot):
        super().__init__(viewer, ScriptedTeacher(), qtbot)
        pixels = np.random.default_rng(0).integers(0, 4096, (6, 24, 32), dtype=np.uint16)
        self.image = viewer.add_image(pixels, name="cells")
        self.labels = self.run()
        self.session = edit_layer_of(self.labels).session
        self.panel.show_tab("Learn")
        self.learn = self.panel.learn

    def wait(self, condition):
        super().wait(lambda: bool(condition()))

    def mark_done(self, *slices):
        edit_layer_of(self.labels).session.set_locks(Locks(done={(z,) for z in slices}))

    def paint(self, z, rows, columns, number, layer=None):
        edits = edit_layer_of(layer or self.labels)
        box = (slice(z, z + 1), rows, columns)
        edits.apply(Edit.of_box(box, None, edits.session.labels.data[box], number))

    def text(self, name):
        return self.find(name).text()

    def wait_for_words(self, words):
        self.wait(lambda: self.text("learn_words") == f"Learns from {words}")

    def begin(self, *slices):
        """Mark slices as done, and press Learn."""
        self.mark_done(*slices)
        self.wait(lambda: self.find("learn_button").isEnabled())
        self.press("learn_button")
        self.wait(lambda: self.text("learn_status") == "Learning: the first step")
