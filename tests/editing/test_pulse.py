"""Tools say how far they are, and end where nobody waits any more."""

from __future__ import annotations

import numpy as np
import pytest

from napari_slicewise.app.correct import Aim, perform
from napari_slicewise.editing.pulse import GivenUpError, Pulse
from napari_slicewise.editing.workpiece import Workpiece
from napari_slicewise.io.source import ArraySource


def deep():
    """Object 1 and, beside it, object 2 on twelve slices."""
    data = np.zeros((12, 20, 20), np.uint16)
    data[:, 2:9, 2:9] = 1
    data[:, 2:9, 9:16] = 2
    data[3:5, 4:6, 4:6] = 0
    return data


class Impatient(Pulse):
    """Is given up after so many steps."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def check(self):
        self.left -= 1
        if self.left < 0:
            self.give_up()
        super().check()


AIMS = {
    "delete": Aim((0,), (1,), where="all"),
    "merge": Aim((0,), (1, 2), where="all"),
    "smooth": Aim((0,), (1,), where="all", pixels=2),
    "fill": Aim((0,), (1,), where="all"),
    "grow": Aim((0,), (1,), where="all"),
}


@pytest.mark.parametrize("tool", AIMS)
@pytest.mark.parametrize("steps", [0, 1, 8, 20])
def test_a_tool_that_is_given_up_changes_nothing_and_works_the_next_time(tool, steps):
    data = deep()
    work = Workpiece(ArraySource(data))
    with pytest.raises(GivenUpError):
        perform(tool, work.heeding(Impatient(steps)), AIMS[tool])
    np.testing.assert_array_equal(data, deep())
    expected = perform(tool, Workpiece(ArraySource(data)), AIMS[tool])
    again = perform(tool, work.heeding(Pulse()), AIMS[tool])
    assert [patch.start for patch in again.patches] == [patch.start for patch in expected.patches]
    assert len(again) == len(expected)


def test_slices_are_counted():
    pulse = Pulse()
    perform("delete", Workpiece(ArraySource(deep())).heeding(pulse), AIMS["delete"])
    assert (pulse.done, pulse.total) == (12, 12)
