"""What the network said of its objects follows them, and goes when they are drawn anew."""

from __future__ import annotations

from support.edit_sessions import blank, machine

from napari_slicewise.editing.confidence import Confidence


def test_it_follows_other_numbers_and_is_forgotten_with_its_slice():
    session = blank()
    sure = session.ownership.confidence
    for z in range(2):
        session.merge((z,), machine(z))
        sure.put((z,), {1: 0.9, 2: 0.6})
    session.rename({1: 7}, [(0,)])
    assert sure.known() == {(0,): {7: 0.9, 2: 0.6}, (1,): {1: 0.9, 2: 0.6}}
    session.merge((1,), machine(3))
    assert sure.known() == {(0,): {7: 0.9, 2: 0.6}}


def test_it_goes_through_json_and_what_is_none_is_nothing():
    sure = Confidence()
    sure.put((0, 3), {5: 0.25, 2: 1.0})
    assert Confidence.of_plain(sure.plain()).known() == sure.known()
    for nonsense in (None, 3, [[1]], "words"):
        assert Confidence.of_plain(nonsense).known() == {}
