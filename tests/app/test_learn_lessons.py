"""What a human's work on labels says of each pixel, and what it is called in words."""

from __future__ import annotations

import numpy as np
import pytest

from napari_slicewise.app.learn_book import LessonBook, common_pixel_um, survey_of
from napari_slicewise.app.learn_lessons import RIM, Lesson, marked_slice
from napari_slicewise.editing.edits import Edit
from napari_slicewise.editing.locks import Locks
from napari_slicewise.editing.session import EditSession
from napari_slicewise.io.source import ArraySource

SHAPE = (4, 40, 60)


def machine():
    """Objects 1 and 2, far from each other."""
    values = np.zeros(SHAPE[1:], np.uint32)
    values[5:12, 5:12] = 1
    values[25:35, 40:50] = 2
    return values


@pytest.fixture
def session():
    """All slices written by a run."""
    session = EditSession(ArraySource(np.zeros(SHAPE, np.uint32)))
    for z in range(SHAPE[0]):
        session.merge((z,), machine())
    return session


def stroke(session, z, rows, columns, number):
    box = (slice(z, z + 1), rows, columns)
    session.apply(Edit.of_box(box, None, session.labels.data[box], number))


def lesson(session=None, **options):
    image = ArraySource(np.arange(np.prod(SHAPE), dtype=np.uint16).reshape(SHAPE))
    return Lesson("7", "cells labels", "cells", image, session, **options)


def strokes(*places):
    data = np.zeros(SHAPE, np.uint8)
    for z, rows, columns, value in places:
        data[z, rows, columns] = value
    return ArraySource(data)


def test_a_slice_that_nobody_touched_teaches_nothing(session):
    assert marked_slice(lesson(session), (0,)) is None


def test_a_slice_marked_as_done_counts_with_every_pixel(session):
    session.set_locks(Locks(done={(1,)}))
    found = marked_slice(lesson(session), (1,))
    assert found.kind == "done"
    assert found.known is None
    np.testing.assert_array_equal(found.labels, machine())
    assert found.sides == (True, True)


def test_of_a_corrected_slice_count_the_object_that_was_mended_and_its_rim(session):
    stroke(session, 2, slice(12, 14), slice(5, 12), 1)  # object 1 grows downwards
    found = marked_slice(lesson(session), (2,))
    mended = np.zeros(SHAPE[1:], bool)
    mended[5:14, 5:12] = True
    rim = np.zeros_like(mended)
    rim[5 - RIM : 14 + RIM, 5 - RIM : 12 + RIM] = True
    np.testing.assert_array_equal(found.labels, mended)
    np.testing.assert_array_equal(found.known, rim)


def test_an_object_that_was_erased_is_known_to_be_background(session):
    stroke(session, 2, slice(25, 35), slice(40, 50), 0)
    found = marked_slice(lesson(session), (2,))
    assert found.known[25:35, 40:50].all()
    assert not found.labels.any()
    assert found.sides == (True, False)


def test_a_neighbour_that_only_the_machine_drew_stays_unknown(session):
    stroke(session, 2, slice(12, 33), slice(5, 40), 9)  # painted up to object 2
    found = marked_slice(lesson(session), (2,))
    assert not found.known[26:34, 41:49].any()
    assert found.known[20, 20]


def test_labels_that_no_run_made_count_as_whole_slices_where_there_are_any():
    data = np.zeros(SHAPE, np.uint16)
    data[3] = machine()
    own = EditSession(ArraySource(data))
    taught = lesson(own, whole=True)
    assert marked_slice(taught, (0,)) is None
    found = marked_slice(taught, (3,))
    assert found.kind == "whole"
    assert found.known is None


def test_strokes_alone_say_nothing_of_the_pixels_beside_them():
    taught = lesson(strokes=strokes((1, 5, slice(5, 20), 2), (1, 30, slice(5, 20), 1)))
    found = marked_slice(taught, (1,))
    assert found.kind == "scribbled"
    assert found.known.sum() == 30
    assert found.labels[5, 5] == 1
    assert found.labels[30, 5] == 0
    assert found.sides == (True, True)
    assert not found.objects.size


def test_strokes_win_over_the_labels_under_them(session):
    session.set_locks(Locks(done={(0,)}))
    taught = lesson(session, strokes=strokes((0, 8, slice(0, 60), 1), (0, 20, slice(0, 60), 2)))
    found = marked_slice(taught, (0,))
    assert not found.labels[8].any()
    assert (found.labels[20] == 3).all()  # an object of its own
    assert found.labels[30, 45] == 2


def test_the_survey_says_what_there_is_in_words(session):
    session.set_locks(Locks(done={(0,), (1,)}))
    stroke(session, 2, slice(12, 14), slice(5, 12), 1)
    book = LessonBook(lesson(session, strokes=strokes((3, 0, slice(0, 9), 1))))
    book.look()
    survey = survey_of([book])
    assert survey.words == "2 whole slices, 1 corrected, 1 scribbled, 2 objects"
    assert survey.by_lesson == {"7": survey.words}
    assert survey.marked == {"7": ((0,), (1,), (2,), (3,))}
    assert not survey.reason_against


@pytest.mark.parametrize(
    ("places", "reason"),
    [
        ((), "Nothing is marked yet"),
        (((0, 5, 5, 2),), "Only objects"),
        (((0, 5, 5, 1),), "Only background"),
    ],
)
def test_the_survey_says_why_nothing_can_be_learned(places, reason):
    book = LessonBook(lesson(strokes=strokes(*places)))
    book.look()
    assert survey_of([book]).reason_against.startswith(reason)


def test_only_what_has_changed_is_sent_again(session):
    session.set_locks(Locks(done={(0,)}))
    book = LessonBook(lesson(session))
    book.look()
    assert [a.name for a in book.news()] == ["cells labels 0"]
    assert not book.news()
    stroke(session, 2, slice(12, 14), slice(5, 12), 1)
    book.forget([(2,)])
    book.look()
    (news,) = book.news()
    assert news.name == "cells labels 2"
    assert news.group == "cells"
    np.testing.assert_array_equal(news.image[0], book.lesson.image.data[2])


def test_marking_as_done_is_seen_though_no_pixel_changes_and_taken_back_too(session):
    book = LessonBook(lesson(session))
    book.look()
    session.set_locks(Locks(done={(3,)}))
    book.look()
    assert book.slices == {(3,): "done"}
    book.news()
    session.set_locks(Locks())
    book.look()
    (news,) = book.news()
    assert not news.known.any()  # nothing of it is known any more


@pytest.mark.parametrize(
    ("sizes", "common"),
    [
        ([(0.4, 0.4)], 0.4),
        ([(0.4, 0.4), (0.4, 0.41)], pytest.approx(0.4025, abs=1e-3)),
        ([(0.4, 0.4), (0.8, 0.8)], None),
        ([(0.4, 0.4), None], None),
        ([None], None),
    ],
)
def test_the_model_gets_the_pixel_size_that_all_images_have(sizes, common):
    books = []
    for size in sizes:
        image = ArraySource(np.zeros(SHAPE, np.uint8), pixel_um=size)
        taught = Lesson("1", "a", "b", image, strokes=strokes((0, 5, 5, 1)))
        books.append(LessonBook(taught))
        books[-1].look()
    assert common_pixel_um(books) == common
