"""Random stories of editing: no run, undo or crash takes from the human what is the human's.

50 stories belong to every run of the tests; ``SLICEWISE_STORIES=500`` tells more.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.draw import disk
from skimage.segmentation import flood

from napari_slicewise.editing.edits import Edit
from napari_slicewise.editing.errors import EditError
from napari_slicewise.editing.identity import ImageIdentity
from napari_slicewise.editing.journal import Journal
from napari_slicewise.editing.journal_replay import replay
from napari_slicewise.editing.locks import Locks
from napari_slicewise.editing.session import EditSession
from napari_slicewise.editing.tools import delete_object, merge_objects
from napari_slicewise.editing.tools_shape import fill_holes, grow, shrink, smooth
from napari_slicewise.editing.tools_split import split_by_line
from napari_slicewise.io.source import ArraySource

SHAPE = (3, 14, 16)
STORIES = int(os.environ.get("SLICEWISE_STORIES", "50"))
NOBODY = -1

Step = tuple[str, int]
ACTIONS = (
    "stroke", "erase", "fill", "merge", "split", "delete", "grow", "shrink", "smooth", "holes",
    "run", "run", "undo", "undo", "redo", "restore", "lock", "unlock",
)  # fmt: skip
STEPS = st.lists(
    st.tuples(st.sampled_from(ACTIONS), st.integers(0, 2**31)), min_size=5, max_size=25
)


@dataclass
class Story:
    """A session, and beside it a plain account of which voxel is the human's and holds what."""

    session: EditSession
    human: NDArray[np.int64] = field(default_factory=lambda: np.full(SHAPE, NOBODY))
    done: list[tuple[Edit, NDArray[np.bool_], NDArray[np.int64]]] = field(default_factory=list)
    undone: list[Edit] = field(default_factory=list)

    @property
    def labels(self) -> NDArray[np.uint32]:
        return self.session.labels.data

    def tell(self, action: str, seed: int) -> None:
        rng = np.random.default_rng(seed)
        if action in ("undo", "redo"):
            self.go_back_or_forth(action)
        elif action == "run":
            self.run(rng)
        elif action in ("lock", "unlock"):
            self.lock(rng, locked=action == "lock")
        else:
            try:
                edit = self.edit(action, rng)
            except EditError:
                return
            self.session.apply(edit)
            self.account(edit)
            self.undone.clear()

    def edit(self, action: str, rng: np.random.Generator) -> Edit:
        z, row, column = (int(rng.integers(n)) for n in SHAPE)
        number = int(rng.choice([*range(1, 9), self.session.next_free]))
        plane = self.labels[z]
        under = int(plane[row, column])
        if action in ("stroke", "erase", "fill"):
            mask = np.zeros(plane.shape, bool)
            mask[disk((row, column), 3, shape=plane.shape)] = True
            if action == "fill":
                mask = flood(plane, (row, column))
            new = 0 if action == "erase" else number
            mask &= plane != new
            rows, columns = np.nonzero(mask)
            if not rows.size:
                raise EditError("Nothing changes.")
            points = (np.full(rows.shape, z), rows, columns)
            return Edit.of_points(points, plane[mask], new)
        if action == "restore":
            return self.session.restore([(z,)], box=(slice(row), slice(column)))
        work = self.session.workpiece()
        if action == "merge":
            return merge_objects(work, rng.permutation(work.objects.numbers())[:3].tolist())
        if action == "split":
            return split_by_line(work, (z,), [(row, -1), (SHAPE[1] - row, SHAPE[2])])
        tools = {"delete": delete_object, "grow": grow, "shrink": shrink, "smooth": smooth}
        return tools.get(action, fill_holes)(work, under)

    def account(self, edit: Edit) -> None:
        touched = np.zeros(SHAPE, bool)
        before = self.human.copy()
        for patch in edit.patches:
            touched[patch.points()] = True
            self.human[patch.points()] = patch.new if edit.by_hand else NOBODY
        self.done.append((edit, touched, before))

    def go_back_or_forth(self, action: str) -> None:
        if action == "undo":
            assert (self.session.undo() is not None) == bool(self.done)
            if self.done:
                edit, touched, before = self.done.pop()
                self.human[touched] = before[touched]
                self.undone.append(edit)
        else:
            assert (self.session.redo() is not None) == bool(self.undone)
            if self.undone:
                self.account(self.undone.pop())

    def run(self, rng: np.random.Generator) -> None:
        """Some slices, in any order, with other objects under other numbers."""
        locked = np.isin(self.labels, list(self.session.locks.objects))
        for z in self.session.locks.slices:
            locked[z] = True
        before = self.labels.copy()
        self.session.begin_run()
        radius, numbers = rng.integers(2, 5), rng.permutation(np.arange(1, 7))
        centres = rng.integers(0, 14, (6, 2)) // 5 * 5 + 2
        for z in rng.permutation(SHAPE[0])[: rng.integers(1, 4)]:
            plane = np.zeros(SHAPE[1:], np.uint32)
            for number, centre in zip(numbers, centres, strict=True):
                plane[disk(centre, radius, shape=plane.shape)] = number
            self.session.merge((int(z),), plane)
        np.testing.assert_array_equal(self.labels[locked], before[locked])

    def lock(self, rng: np.random.Generator, *, locked: bool) -> None:
        numbers = self.session.workpiece().objects.numbers()
        chosen = set(rng.permutation(numbers)[:1].tolist()) if locked else set()
        slices = {(int(rng.integers(SHAPE[0])),)} if locked and rng.random() < 0.3 else set()
        self.session.set_locks(Locks(objects=chosen, slices=slices))

    def check(self) -> None:
        own = self.session.ownership.machine
        machine = np.stack([own.get((z,)) for z in range(SHAPE[0])])
        np.testing.assert_array_equal(self.labels, np.where(self.human < 0, machine, self.human))
        edited = np.stack([self.session.edited((z,)) for z in range(SHAPE[0])])
        np.testing.assert_array_equal(edited, self.human != NOBODY)
        assert self.session.numbering.human.isdisjoint(self.session.numbering.machine)
        assert self.session.next_free > self.labels.max()


@settings(
    max_examples=STORIES,
    deadline=None,
    derandomize=STORIES == 50,  # the same stories in every run of the tests
    suppress_health_check=[HealthCheck.too_slow],
)
@given(STEPS)
def test_every_story_keeps_what_the_human_gave(steps: list[Step]):
    image = ImageIdentity.of(ArraySource(np.zeros(SHAPE, np.uint8)))
    with tempfile.TemporaryDirectory() as folder:
        story = Story(EditSession(ArraySource(np.zeros(SHAPE, np.uint32))))
        journal = Journal(story.session, image, Path(folder))
        try:
            for action, seed in steps:
                story.tell(action, seed)
                story.check()
        finally:
            journal.close(delete=False)
        again = EditSession(ArraySource(np.zeros(SHAPE, np.uint32)))
        assert replay(journal.path, again, image).lost == 0
    np.testing.assert_array_equal(again.labels.data, story.labels)
    assert again.locks == story.session.locks
    for z in range(SHAPE[0]):
        np.testing.assert_array_equal(again.edited((z,)), story.session.edited((z,)))
    while story.done:
        story.tell("undo", 0)
        story.check()
    assert (story.human == NOBODY).all()  # so the labels are the machine's own: the start
