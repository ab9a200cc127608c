"""What can be asked for of objects: what is left open is decided once, and sizes are counted."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from napari_slicewise.errors import RequestError
from napari_slicewise.inference.request import Request
from napari_slicewise.instances.options import ImageGrid, ObjectOptions
from napari_slicewise.instances.sizes import Size

STACK = ImageGrid("z", 20, pixel_um2=0.25, step_um=2.0)


@pytest.mark.parametrize(
    ("grid", "least"),
    [
        (ImageGrid("z", 5), 2),
        (ImageGrid("Z", 5), 2),
        (ImageGrid("z", 4), 1),
        (ImageGrid("t", 50), 1),
        (ImageGrid("t", 50, 0.25, 1.0), 1),  # a time axis whose unit is a mistake
        (ImageGrid("c", 50), 1),
        (ImageGrid("", 50), 1),
        (ImageGrid("-3", 50, 0.25, 2.0), 2),  # no name, but steps of a length
        (ImageGrid(), 1),
        (None, 1),
    ],
)
def test_specks_of_one_slice_are_left_out_of_what_is_known_to_be_a_z_stack(grid, least):
    assert ObjectOptions().settled(grid).least_slices == least
    assert ObjectOptions().settled(grid).links.least_slices == least
    assert ObjectOptions(least_slices=4).settled(grid).least_slices == 4
    assert ObjectOptions(least_slices=1).settled(grid).least_slices == 1


def test_settling_twice_changes_nothing():
    options = ObjectOptions(smallest="20um2", largest="900 µm³", holes="1um2").settled(STACK)
    assert options.settled() == options.settled(STACK) == options


def test_the_anisotropy_is_the_images_unless_it_is_given():
    assert ObjectOptions().settled(STACK).links.anisotropy == 4.0
    assert ObjectOptions(anisotropy=2.0).settled(STACK).links.anisotropy == 2.0
    assert ObjectOptions().settled(ImageGrid("z", 20, pixel_um2=0.25)).links.anisotropy == 1.0
    assert ObjectOptions().links.anisotropy == 1.0


@pytest.mark.parametrize(("slices", "gap"), [(0, 0), (3, 3), (50, 9)])
def test_a_gap_is_no_wider_than_the_stack(slices, gap):
    assert ObjectOptions(gap=9).settled(ImageGrid("z", slices)).links.gap == gap
    assert ObjectOptions(gap=9).settled().links.gap == 9


@pytest.mark.parametrize(
    ("size", "areas", "volume"),
    [
        (40, (40, None), 0),
        ("40", (40, None), 0),
        ("40 px", (40, None), 0),
        (Size(40.0), (40, None), 0),
        ("20um2", (80, None), 0),
        ("20 µm²", (80, None), 0),
        ("50um3", (0, None), 100),
        ("5e1 um3", (0, None), 100),
        ("70 voxels", (0, None), 70),
        (0, (0, None), 0),
    ],
)
def test_a_size_is_counted_in_pixels_of_a_slice_or_voxels_of_an_object(size, areas, volume):
    options = ObjectOptions(smallest=size).settled(STACK)
    assert options.areas == areas
    assert options.links.smallest == volume
    assert options.links.by_volume == (volume > 0)
    assert Request("m", ((0,),), objects=options).links.smallest == volume


def test_the_largest_sizes_are_counted_too():
    assert ObjectOptions(largest="100um2").settled(STACK).areas == (16, 400)
    options = ObjectOptions(largest="100um3").settled(STACK)
    assert options.areas == (16, None)
    assert options.links.largest == 200
    assert ObjectOptions(holes="10um2").settled(STACK).hole_pixels == 40


@pytest.mark.parametrize(
    ("options", "grid", "words"),
    [
        ({"smallest": "20um2"}, ImageGrid("z", 20), "does not tell its pixel size.*px"),
        ({"smallest": "20um2"}, None, "pixel size"),
        ({"smallest": "20um3"}, ImageGrid("z", 20, 0.25), "no depth, or does not tell.*um2"),
        ({"smallest": "20um3"}, ImageGrid(pixel_um2=0.25), "no depth"),
        ({"largest": "20um3"}, ImageGrid("t", 20, 0.25, 1.0), "no depth"),
        ({"largest": "20um3", "link": False}, STACK, "linked objects"),
        ({"holes": "20um2"}, ImageGrid("z", 20), "pixel size"),
        ({"largest": "3um2"}, STACK, "at most 12 pixels and at least 16"),
        ({"largest": "0.1um2"}, STACK, "has 1 pixel or more"),
    ],
)
def test_a_size_that_cannot_be_counted_is_refused_with_what_to_do(options, grid, words):
    with pytest.raises(RequestError, match=words):
        ObjectOptions(**options).settled(grid)


@pytest.mark.parametrize("size", [1e-300, 1e-600, 1e200, float("inf"), float("nan")])
def test_a_pixel_size_that_none_can_have_counts_as_not_known(size):
    options = ObjectOptions().settled(ImageGrid("z", 5, size, 1.0))
    assert (options.areas, options.anisotropy) == ((16, None), 1.0)
    assert ObjectOptions().settled(ImageGrid("z", 5, 1.0, size)).anisotropy == 1.0
    with pytest.raises(RequestError, match="pixel size"):
        ObjectOptions(smallest="20um2").settled(ImageGrid("z", 5, size, 1.0))


def test_a_single_slice_is_no_movie():
    with pytest.raises(RequestError, match="single slice"):
        ObjectOptions(track=True).settled(ImageGrid())


def test_no_request_goes_out_with_a_size_that_nobody_has_counted():
    with pytest.raises(RequestError, match="pixel size"):
        Request("m", ((0,),), objects=ObjectOptions(smallest="20um2"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"smallest": "many"},
        {"smallest": "20um4"},
        {"smallest": "-3px"},
        {"smallest": "1.2.3um2"},
        {"smallest": ""},
        {"smallest": -1},
        {"largest": 0},
        {"largest": "3um2", "smallest": "4um2"},
        {"holes": "3um3"},
        {"threshold": 2.0},
        {"threshold": "high"},
        {"split_strength": 1.5},
        {"smoothing": float("nan")},
        {"least_slices": 0},
        {"gap": -1},
        {"smallest": float("nan")},
        {"smallest": float("inf")},
        {"smallest": [1]},
        {"smoothing": "much"},
        {"gap": 1.5},
        {"gap": None},
        {"least_slices": 1.5},
        {"least_iou": "much"},
        {"anisotropy": "much"},
    ],
)
def test_impossible_options_are_refused(wrong):
    with pytest.raises(RequestError):
        ObjectOptions(**wrong)


def test_slices_for_themselves_are_shaped_alike_and_lose_nothing_by_their_volume():
    options = ObjectOptions(threshold=0.3, smallest="50um3", least_slices=3).settled(STACK)
    alone = options.alone()
    assert not alone.link
    assert (alone.links.least_slices, alone.links.by_volume) == (1, False)
    changed = {"link", "least_slices", "smallest"}
    before, after = asdict(options), asdict(alone)
    assert {name for name in before if before[name] != after[name]} == changed
