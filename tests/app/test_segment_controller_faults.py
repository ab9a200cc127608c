"""Sources, listeners and slow disks that misbehave: the run ends in words, the next one works."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from support.listening import Listener, everything, stack

from napari_slicewise.errors import ImageError
from napari_slicewise.io.source import ArraySource


class Odd(ArraySource):
    """A source whose slice 3 fails in a way of its own."""

    def read_slice(self, index):
        if index == (3,):
            self.fail()
        return super().read_slice(index)


class UnpicklableError(ImageError):
    def __init__(self, text):
        super().__init__(text)
        self.lock = threading.Lock()


class MuteError(Exception):
    def __str__(self):
        raise ValueError("no words")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (UnpicklableError("it holds a lock"), "it holds a lock"),
        (MuteError(), "MuteError"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (SystemExit(3), "3"),
    ],
    ids=["unpicklable", "mute", "interrupt", "exit"],
)
def test_whatever_a_source_raises_ends_the_run_with_words(
    controller, random_model_path, error, text
):
    class Failing(Odd):
        def fail(self):
            raise error

    heard = Listener(controller)
    source = Failing(stack(5, 32, 32))
    controller.start(everything(random_model_path, source, intensity_range="slice"), source)
    report = heard.report()
    assert report.outcome == "failed"
    assert text in report.message
    good = ArraySource(stack(2, 32, 32))
    controller.start(everything(random_model_path, good), good)
    assert heard.report(2).outcome == "completed"


def test_a_slice_of_another_shape_than_promised_ends_the_run(controller, random_model_path):
    class Shrunk(ArraySource):
        def read_slice(self, index):
            return super().read_slice(index)[:, :20, :20]

    heard = Listener(controller)
    source = Shrunk(stack(3, 32, 32))
    controller.start(everything(random_model_path, source), source)
    report = heard.report()
    assert report.outcome == "failed"
    assert "(1, 20, 20), not (1, 32, 32)" in report.message


def test_a_listener_that_fails_does_not_end_the_run(controller, random_model_path, capsys):
    def bad(_result):
        raise ZeroDivisionError("a fault of the listener's")

    controller.slice_finished.connect(bad)
    heard = Listener(controller)
    source = ArraySource(stack(3, 32, 32))
    controller.start(everything(random_model_path, source), source)
    assert heard.report().outcome == "completed"
    assert "a fault of the listener's" in capsys.readouterr().err


def test_a_start_that_fails_leaves_the_controller_ready(controller, random_model_path):
    class Shapeless(ArraySource):
        @property
        def dtype(self):
            raise OSError("the share is gone")

    heard = Listener(controller)
    source = ArraySource(stack(2, 32, 32))
    with pytest.raises(OSError, match="share"):
        controller.start(
            everything(random_model_path, source), Shapeless(np.zeros((2, 32, 32), np.uint8))
        )
    controller.start(everything(random_model_path, source), source)
    assert heard.report().outcome == "completed"


def test_stop_is_heard_while_intensities_are_measured(controller, random_model_path):
    class Slow(ArraySource):
        def read_slice(self, index):
            time.sleep(0.5)
            return super().read_slice(index)

    heard = Listener(controller)
    source = Slow(stack(50, 32, 32))
    controller.start(everything(random_model_path, source), source)
    heard.wait(lambda: any("Measuring" in text for text in heard.statuses))
    began = time.monotonic()
    controller.stop()
    assert heard.report().outcome == "cancelled"
    assert time.monotonic() - began < 2.5  # all eight samples would take four seconds


def test_an_unreadable_slice_among_the_measured_ones_loses_none_of_the_others(
    controller, random_model_path
):
    class Broken(ArraySource):
        def read_slice(self, index):
            if index == (8,):
                raise ImageError("page 8 is broken")
            return super().read_slice(index)

    heard = Listener(controller)
    source = Broken(stack(9, 32, 32))  # the last slice is always measured
    controller.start(everything(random_model_path, source), source)
    report = heard.report()
    assert (report.outcome, report.message, report.slices) == ("failed", "page 8 is broken", 8)


def test_a_listener_that_waits_for_another_thread_freezes_nobody(controller, random_model_path):
    """As the panel's inbox does: it holds the sender up until the GUI thread has caught up."""
    asked = threading.Event()
    answered = threading.Event()

    def wait_for_the_other_thread(_phase):
        asked.set()
        assert answered.wait(20), "the other thread could not get through"

    source = ArraySource(stack(3, 32, 32))
    heard = Listener(controller)
    controller.warm_up()

    def other_thread():
        asked.wait(20)
        _ = controller.worker_pid  # takes the controller's lock
        answered.set()

    other = threading.Thread(target=other_thread)
    other.start()
    controller.phase_changed.connect(wait_for_the_other_thread)
    controller.start(everything(random_model_path, source), source)
    assert heard.report().outcome == "completed"
    other.join(20)
    assert not other.is_alive()
