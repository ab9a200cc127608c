"""Each tool changes what it says, leaves neighbours and locked voxels, and can be taken back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import zarr
from support.drawn_labels import check, picture, work_on

from napari_slicewise.editing.edits import Edit
from napari_slicewise.editing.errors import EditError, WideningError
from napari_slicewise.editing.locks import Locks
from napari_slicewise.editing.session import EditSession
from napari_slicewise.editing.tools import (
    delete_object,
    merge_objects,
    objects_under,
    relabel_sequentially,
)
from napari_slicewise.editing.tools_shape import (
    fill_holes,
    grow,
    interpolate,
    keep_largest_piece,
    shrink,
    smooth,
)
from napari_slicewise.editing.tools_split import split_by_line
from napari_slicewise.editing.workpiece import Workpiece
from napari_slicewise.io.source import ArraySource


def test_merge_makes_one_object_of_several_on_all_slices():
    work = work_on("1123\n\n.22.\n\n3..4")
    assert objects_under(work, (0,), [(0, 0), (0, 1), (0, 2), (9, 9), (0, 3)]) == [1, 2, 3]
    edit = merge_objects(work, [2, 1, 3])
    assert edit.words == "merged 3 objects into 2 on 2 slices"
    check(work, edit, "2222\n\n.22.\n\n2..4")


def test_merge_needs_two_objects_and_leaves_locked_slices():
    work = work_on("12\n\n12", Locks(done={(1,)}))
    with pytest.raises(EditError, match="two objects"):
        merge_objects(work, [1, 1, 0])
    check(work, merge_objects(work, [1, 2]), "11\n\n12")


@pytest.mark.parametrize("locked", [1, 2])
def test_merge_refuses_a_locked_object(locked: int):
    with pytest.raises(EditError, match=f"Object {locked} is locked"):
        merge_objects(work_on("12", Locks(objects={locked})), [1, 2])


def test_delete_takes_an_object_from_one_slice_or_from_all():
    work = work_on("11.2\n\n.112")
    edit = delete_object(work, 1, [(1,)])
    assert edit.words == "deleted object 1 on 1 slice"
    check(work, edit, "11.2\n\n...2")
    with pytest.raises(EditError, match="no object 7"):
        delete_object(work, 7)
    with pytest.raises(EditError, match="no object there"):
        delete_object(work, 0)


def test_relabel_counts_from_one_and_leaves_locked_numbers():
    work = work_on("7.9\n\n.37", Locks(objects={1, 9}))
    edit = relabel_sequentially(work)
    check(work, edit, "3.9\n\n.23")
    work.objects.forget()
    with pytest.raises(EditError, match="already"):
        relabel_sequentially(work)


CUP = """
.1111.
.1..1.
.1.21.
.1111.
1.....
"""


def test_fill_fills_background_and_leaves_the_object_in_the_hole():
    edit = fill_holes(work_on(CUP), 1)
    check(work_on(CUP), edit, ".1111.\n.1111.\n.1121.\n.1111.\n1.....")
    with pytest.raises(EditError, match="whole"):
        fill_holes(work_on("11"), 1)


def test_grow_stops_at_neighbours_and_shrink_at_nothing():
    work = work_on(".....\n.112.\n.....")
    check(work, grow(work, 1), ".11..\n1112.\n.11..")
    work = work_on("......\n.1111.\n.1111.\n.1111.\n......")
    edit = shrink(work, 1)
    assert edit.words == "shrank object 1 by 1 pixel on 1 slice"
    check(work, edit, "......\n......\n..11..\n......\n......")
    work.objects.forget()
    with pytest.raises(EditError, match="Nothing would be left"):
        shrink(work, 1)
    with pytest.raises(EditError, match="no room"):
        grow(work_on("12"), 1)


def test_the_edge_of_the_image_is_no_border_to_shrink_from():
    check(w := work_on("11112\n11112\n11112"), shrink(w, 1), "111.2\n111.2\n111.2")


def test_smooth_takes_a_spike_and_keeps_neighbours_and_thin_objects():
    values = np.zeros((1, 30, 40), np.uint32)
    values[0, 5:25, 5:25] = 1
    values[0, 14, 25:35] = 1  # a spike
    values[0, 5:25, 36:] = 2
    work = Workpiece(ArraySource(values))
    edit = smooth(work, 1)
    edit.apply(values)
    assert not values[0, 14, 28:35].any()
    assert (values[0, 8:22, 8:22] == 1).all()
    assert np.count_nonzero(values == 2) == 80
    with pytest.raises(EditError, match="as smooth as it gets"):
        smooth(work_on("......\n.1111.\n......"), 1)


def test_the_largest_piece_stays_in_the_slice_or_in_the_stack():
    text = "11..1\n\n1...1\n\n....1\n\n....1"
    work = work_on(text)
    check(work, keep_largest_piece(work, 1), "....1\n\n....1\n\n....1\n\n....1")
    work = work_on(text)
    edit = keep_largest_piece(work, 1, within="slice")
    assert edit.words == "kept the largest piece of object 1 on 2 slices"
    assert picture(text)[1].tolist() == [[1, 0, 0, 0, 1]]
    with pytest.raises(EditError, match="one piece"):
        keep_largest_piece(work_on("11"), 1)


def disks(radii: list[int], centre: int = 20, size: int = 41) -> np.ndarray:
    rows, columns = np.ogrid[:size, :size]
    away = np.hypot(rows - centre, columns - centre)
    return np.stack([away <= radius if radius else np.zeros_like(away, bool) for radius in radii])


def test_interpolation_between_two_disks_gives_the_disks_between():
    truth = disks([4, 6, 8, 10, 12])
    values = truth.astype(np.uint32) * 5
    values[1:4] = 0
    values[2, 20, 20:23] = 9  # a neighbour in the way
    work = Workpiece(ArraySource(values))
    edit = interpolate(work, 5, (4,), (0,))
    assert edit.words == "interpolated object 5 on 3 slices"
    edit.apply(values)
    for z in range(5):
        drawn = (values[z] == 5) | (values[z] == 9)
        overlap = (drawn & truth[z]).sum() / (drawn | truth[z]).sum()
        assert overlap > 0.9, z
    assert (values[2, 20, 20:23] == 9).all()
    with pytest.raises(EditError, match="no slice between"):
        interpolate(work, 5, (0,), (1,))
    with pytest.raises(EditError, match="not on both"):
        interpolate(work, 9, (0,), (2,))


def test_new_objects_beyond_the_type_ask_for_wider_labels():
    values = np.full((1, 3, 5), 255, np.uint8)
    with pytest.raises(WideningError):
        split_by_line(Workpiece(ArraySource(values)), (0,), [(0, 2), (2, 2)])


TOOLS: list[Callable[[Workpiece], Edit]] = [
    lambda work: merge_objects(work, [2, 1]),
    lambda work: delete_object(work, 1),
    lambda work: grow(work, 1),
    lambda work: shrink(work, 1),
    lambda work: smooth(work, 1),
    lambda work: relabel_sequentially(work),
    lambda work: keep_largest_piece(work, 1),
    lambda work: split_by_line(work, (1,), [(0, 2), (9, 2)]),
    lambda work: interpolate(work, 1, (0,), (2,)),
]


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("stored", ["numpy", "zarr", "rolled"])
def test_tools_never_change_locked_voxels_and_undo_brings_all_back(
    tool: Callable[[Workpiece], Edit], stored: str
):
    values = np.random.default_rng(3).integers(0, 5, (3, 10, 9)).astype(np.uint32) * 2
    values[:, 2:8, 1:5] = 1
    values[:2, 0, 0] = 7
    values[1, 0, 8] = 1
    data = values.transpose(2, 1, 0).copy() if stored == "rolled" else values
    if stored == "zarr":
        data = zarr.create_array({}, shape=values.shape, dtype="uint32", chunks=(1, 10, 9))
        data[:] = values
    session = EditSession(ArraySource(data, plane=(1, 0) if stored == "rolled" else (-2, -1)))
    session.set_locks(Locks(objects={4}, slices={(2,)}))
    before = np.asarray(data[:]).copy()
    session.apply(tool(session.workpiece()))
    after = np.asarray(data[:])
    stack = (lambda a: a.transpose(2, 1, 0)) if stored == "rolled" else (lambda a: a)
    assert (stack(before) != stack(after)).any()
    np.testing.assert_array_equal(stack(before)[2], stack(after)[2])
    np.testing.assert_array_equal(before == 4, after == 4)
    session.undo()
    np.testing.assert_array_equal(np.asarray(data[:]), before)


def test_an_edit_is_told_as_flat_positions_for_the_viewers_history():
    work = work_on("11..\n22..")
    edit = merge_objects(work, [1, 2])
    ((points, old, new),) = edit.atoms()
    assert [axis.tolist() for axis in points] == [[0, 0], [1, 1], [0, 1]]
    assert (old == 2).all()
    assert (new == 1).all()
    again = Edit.of_points(points[::1], old, new)
    again.apply(work.labels.data)
    np.testing.assert_array_equal(work.labels.data, picture("11..\n11.."))
    assert len(again) == 2
