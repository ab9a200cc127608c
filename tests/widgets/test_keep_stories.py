"""Random stories on a real labels layer: strokes, tools, runs, undo, renaming, saves.

25 stories belong to every run of the tests; ``SLICEWISE_STORIES=500`` tells more.
"""

from __future__ import annotations

import os
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel
from napari.layers import Labels
from skimage.draw import disk

from napari_slicewise.editing.errors import EditError, WideningError
from napari_slicewise.editing.identity import ImageIdentity
from napari_slicewise.editing.journal import Journal
from napari_slicewise.editing.journal_replay import replay
from napari_slicewise.editing.session import EditSession
from napari_slicewise.editing.tools import delete_object, merge_objects
from napari_slicewise.editing.tools_shape import fill_holes, grow, shrink, smooth
from napari_slicewise.editing.tools_split import split_by_line
from napari_slicewise.editing.tuned_slice import TunedSlice
from napari_slicewise.io.layer_writer import write_labels_layer
from napari_slicewise.io.source import ArraySource
from napari_slicewise.widgets.edit_layer import edit_layer_of

SHAPE = (3, 14, 16)
STORIES = int(os.environ.get("SLICEWISE_STORIES", "25"))
NOBODY = -1
ACTIONS = (
    "paint", "erase", "fill", "polygon", "setitem", "merge", "split", "delete", "grow", "shrink",
    "smooth", "holes", "run", "run", "rename", "undo", "undo", "redo", "layer name", "save",
    "tune", "tune", "widen",
)  # fmt: skip
STEPS = st.lists(
    st.tuples(st.sampled_from(ACTIONS), st.integers(0, 2**31)), min_size=5, max_size=25
)


class Story:
    """A layer in a viewer, and beside it a plain account of what is the human's."""

    def __init__(self, folder):
        self.viewer, self.folder = ViewerModel(), folder
        self.layer = Labels(np.zeros(SHAPE, np.uint8), name="story")
        self.tuned = None  # as long as no run comes in between
        self.session = EditSession(ArraySource(self.layer.data))
        self.edits = edit_layer_of(self.layer, self.session)
        self.viewer.add_layer(self.layer)
        self.human = np.full(SHAPE, NOBODY, np.int64)
        self.done, self.undone = [], []
        self.image = ImageIdentity.of(ArraySource(np.ones(SHAPE, np.uint8)))
        self.journal = Journal(self.session, self.image, folder, attach=self.edits.listeners.append)

    @property
    def labels(self):
        return self.layer.data

    def tell(self, action, seed):
        rng = np.random.default_rng(seed)
        before = self.labels.copy()
        if action in ("undo", "redo"):
            self.go(action)
        elif action == "run":
            self.run(rng)
        elif action == "rename":
            self.rename(rng)
        elif action == "tune":
            self.tune(rng)
        elif action == "widen":
            self.edits.widen(np.uint32)
        elif action == "layer name":
            self.layer.name = f"story {seed}"
        elif action == "save":
            path = self.folder / "saved.ome.tif"
            data, meta, _ = self.layer.as_layer_data_tuple()
            write_labels_layer(str(path), data, meta)
            np.testing.assert_array_equal(tifffile.imread(path), self.labels)
        else:
            steps = len(self.layer._undo_history)
            self.edit(action, rng)
            if len(self.layer._undo_history) > steps:
                self.account(before)

    def edit(self, action, rng):
        layer = self.layer
        z, row, column = (int(rng.integers(n)) for n in SHAPE)
        number = int(rng.choice([*range(1, 9), self.session.next_free]))
        self.edits.make_room(number)
        self.viewer.dims.set_current_step(0, z)
        layer.brush_size = int(rng.integers(1, 7))
        if action in ("paint", "erase"):
            with layer.block_history():
                for step in range(3):
                    layer.paint((z, row, column + step), 0 if action == "erase" else number)
        elif action == "fill":
            layer.fill((z, row, column), number)
        elif action == "polygon":
            corners = [(row - 3, column - 3), (row - 3, column + 4), (row + 4, column)]
            layer.paint_polygon([(z, *corner) for corner in corners], number)
        elif action == "setitem":
            layer.data_setitem((np.array([z]), np.array([row]), np.array([column])), number)
        else:
            try:
                self.edits.apply(self.tool(action, (z, row, column), rng))
            except EditError:
                return

    def tool(self, action, at, rng):
        work = self.session.workpiece()
        z, row, _ = at
        under = int(self.labels[at])
        if action == "merge":
            return merge_objects(work, rng.permutation(work.objects.numbers())[:3].tolist())
        if action == "split":
            return split_by_line(work, (z,), [(row, -1), (SHAPE[1] - row, SHAPE[2])])
        tools = {"delete": delete_object, "grow": grow, "shrink": shrink, "smooth": smooth}
        return tools.get(action, fill_holes)(work, under)

    def account(self, before):
        """Note which voxels the last step has changed, by napari's own account and by looking."""
        touched = np.zeros(SHAPE, bool)
        for atom in self.layer._undo_history[-1]:
            if hasattr(atom, "slice_key"):
                whole = atom.mask is None
                touched[atom.slice_key] |= True if whole else atom.mask
            else:
                touched[tuple(np.asarray(axis) for axis in atom[0])] = True
        assert touched[before != self.labels].all()
        self.done.append((touched, self.human.copy(), self.labels.copy()))
        self.human = np.where(touched, self.labels.astype(np.int64), self.human)
        self.undone.clear()

    def go(self, action):
        if action == "undo":
            self.layer.undo()
            if self.done:
                touched, earlier, after = self.done.pop()
                self.undone.append((touched, self.human.copy(), after))
                self.human = np.where(touched, earlier, self.human)
        else:
            self.layer.redo()
            if self.undone:
                touched, later, after = self.undone.pop()
                self.done.append((touched, self.human.copy(), after))
                self.human = np.where(touched, later, self.human)

    def run(self, rng):
        """Some slices, in any order, with other objects under other numbers."""
        self.session.begin_run()
        self.tuned = None
        radius, numbers = rng.integers(2, 5), rng.permutation(np.arange(1, 7))
        centres = rng.integers(0, 14, (6, 2)) // 5 * 5 + 2
        for z in rng.permutation(SHAPE[0])[: rng.integers(1, 4)]:
            plane = np.zeros(SHAPE[1:], np.uint32)
            for number, centre in zip(numbers, centres, strict=True):
                plane[disk(centre, radius, shape=plane.shape)] = number
            held = self.human != NOBODY
            before = self.labels.copy()
            self.fitting(partial(self.session.merge, (int(z),), plane))
            self.follow(before, held)

    def tune(self, rng):
        """A slice that a run has written is shaped anew, some of its objects away."""
        written = sorted(self.session.ownership.machine)
        if not written:
            return
        index = written[rng.integers(len(written))]
        if self.tuned is None or self.tuned.index != index:
            self.tuned = TunedSlice(self.session, index)
        machine = self.session.ownership.machine.get(index)
        kept = rng.permutation(np.unique(machine))[: rng.integers(1, 5)]
        plane = np.where(np.isin(machine, kept), machine, 0)
        plane[disk(rng.integers(3, 10, 2), 2, shape=plane.shape)] = 900
        held, before = self.human != NOBODY, self.labels.copy()
        self.fitting(partial(self.tuned.write, plane))
        self.follow(before, held)

    def fitting(self, write):
        """Write; labels whose type is too small become of a larger one, as in a run."""
        try:
            write()
        except WideningError as error:
            self.edits.widen(error.needed)
            write()

    def rename(self, rng):
        """An object of the machine's gets another number; strokes that continue it follow."""
        self.tuned = None
        old, new = (int(n) for n in rng.permutation(np.arange(1, 7))[:2])
        numbering = self.session.numbering
        if not (numbering.knows(old) and numbering.knows(new)):
            return
        pair = numbering.written(old), numbering.written(new)
        self.session.rename({old: new})
        swap = lambda values: np.where(values == pair[0], pair[1], values)  # noqa: E731
        self.human = swap(self.human)
        self.done = [(t, swap(h), a) for t, h, a in self.done]
        self.undone = [(t, swap(h), a) for t, h, a in self.undone]

    def follow(self, before, held):
        """A run may give objects other numbers, everywhere at once, but no human voxel a shape."""
        pairs = set(zip(before[held].tolist(), self.labels[held].tolist(), strict=True))
        mapping = {old: new for old, new in pairs if old != new}
        assert all(old == 0 or new != 0 for old, new in pairs)
        assert len({old for old, _ in pairs}) == len(pairs), "one object became two"
        if mapping:
            renamed = lambda v: np.vectorize(lambda n: mapping.get(int(n), int(n)))(v)  # noqa: E731
            self.human = renamed(self.human)
            self.done = [(t, renamed(h), a) for t, h, a in self.done]
            self.undone = [(t, renamed(h), a) for t, h, a in self.undone]

    def check(self):
        own = self.session.ownership.machine
        machine = np.stack([own.get((z,)) for z in range(SHAPE[0])])
        np.testing.assert_array_equal(
            self.labels, np.where(self.human == NOBODY, machine, self.human)
        )

    def end(self):
        assert self.journal.flush()
        again = EditSession(ArraySource(np.zeros(SHAPE, np.uint32)))
        replay(self.journal.path, again, self.image)
        np.testing.assert_array_equal(again.labels.data, self.labels)
        for z in range(SHAPE[0]):
            np.testing.assert_array_equal(again.edited((z,)), self.session.edited((z,)))
        while self.layer._undo_history:
            self.go("undo")
            self.check()
        assert (self.human == NOBODY).all()


@settings(
    max_examples=STORIES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(STEPS)
def test_no_voxel_of_the_humans_is_lost_and_undo_leads_back_to_the_start(steps):
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Path(folder))
        try:
            for action, seed in steps:
                story.tell(action, seed)
                story.check()
            story.end()
        finally:
            story.journal.close(delete=True)
