"""A pipeline stage on a thread: order, errors and endings are those of the plain loop."""

from __future__ import annotations

import threading
import time

import pytest

from napari_slicewise.inference.stream import in_background


def alive(name):
    return [t for t in threading.enumerate() if t.name == name]


def test_items_arrive_in_order_and_the_thread_ends():
    assert list(in_background(iter(range(100)), 2, "stage")) == list(range(100))
    assert not alive("stage")


def test_an_error_comes_after_the_items_before_it():
    def items():
        yield 1
        raise KeyError("broken page")

    stage = in_background(items(), 2, "stage")
    assert next(stage) == 1
    with pytest.raises(KeyError, match="broken page"):
        next(stage)
    assert not alive("stage")


def test_a_consumer_that_leaves_early_closes_the_producer():
    closed = threading.Event()

    def items():
        try:
            n = 0
            while True:
                yield (n := n + 1)
        finally:
            closed.set()

    stage = in_background(items(), 1, "stage")
    assert next(stage) == 1
    stage.close()
    assert closed.is_set()
    assert not alive("stage")


def test_work_goes_on_while_the_consumer_is_busy():
    def items():
        for n in range(4):
            time.sleep(0.05)
            yield n

    began = time.perf_counter()
    for _ in in_background(items(), 2, "stage"):
        time.sleep(0.05)
    assert time.perf_counter() - began < 0.38  # one after the other takes 0.4
