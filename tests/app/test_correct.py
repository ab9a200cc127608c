"""What the tools are aimed at, and the thread that they run on; no window is needed."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from napari_slicewise.app.correct import Aim, ToolRunner, perform
from napari_slicewise.editing.errors import EditError
from napari_slicewise.editing.workpiece import Workpiece
from napari_slicewise.io.source import ArraySource


def movie():
    """Object 1 at both times on slices 0, 1 and 4 of five."""
    data = np.zeros((2, 5, 8, 9), np.uint16)
    data[:, [0, 1, 4], 2:6, 2:6] = 1
    return data


@pytest.mark.parametrize(
    ("where", "gone"),
    [
        ("slice", [(1, 1)]),
        ("stack", [(1, 0), (1, 1), (1, 4)]),
        ("all", [(t, z) for t in (0, 1) for z in (0, 1, 4)]),
    ],
)
def test_a_tool_acts_on_this_slice_this_stack_or_everything(where, gone):
    data = movie()
    edit = perform("delete", Workpiece(ArraySource(data)), Aim((1, 1), (1,), where=where))
    edit.apply(data)
    changed = np.argwhere((movie() != data).any(axis=(2, 3)))
    assert [tuple(index) for index in changed.tolist()] == gone


@pytest.mark.parametrize("z", [1, 2, 3, 4])
def test_interpolation_fills_the_gap_beside_or_around_the_slice_on_show(z):
    data = movie()
    perform("interpolate", Workpiece(ArraySource(data)), Aim((1, z), (1,))).apply(data)
    expected = movie()
    expected[1, 2:4, 2:6, 2:6] = 1
    np.testing.assert_array_equal(data, expected)


def test_without_a_gap_interpolation_says_what_to_do():
    with pytest.raises(EditError, match="no gap"):
        perform("interpolate", Workpiece(ArraySource(movie())), Aim((1, 0), (1,)))


def results_of(runner):
    heard, arrived = [], threading.Event()

    def hear(ticket, result):
        heard.append((ticket, result))
        arrived.set()

    runner.finished.connect(hear)
    return hear, heard, arrived


def test_a_result_is_taken_once():
    runner = ToolRunner()
    _keep, heard, arrived = results_of(runner)
    ticket = runner.start(lambda: 5)
    assert arrived.wait(10)
    assert heard == [(ticket, 5)]
    assert runner.busy
    assert runner.take(ticket)
    assert not runner.busy
    assert not runner.take(ticket)


def test_nothing_comes_of_what_was_cancelled():
    runner = ToolRunner()
    _keep, heard, arrived = results_of(runner)
    go_on = threading.Event()
    first = runner.start(lambda: go_on.wait(10))
    runner.cancel()
    assert not runner.busy
    second = runner.start(lambda: "second")
    assert arrived.wait(10)
    go_on.set()
    assert not runner.take(first)
    assert runner.take(second)
    assert [result for _, result in heard] == ["second"]


@pytest.mark.parametrize("error", [EditError("no"), OSError("gone"), MemoryError("full")])
def test_errors_arrive_as_words(error):
    runner = ToolRunner()
    _keep, heard, arrived = results_of(runner)

    def fail():
        raise error

    runner.start(fail)
    assert arrived.wait(10)
    assert isinstance(heard[0][1], EditError)
    assert str(error) in str(heard[0][1])
