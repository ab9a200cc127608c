"""Draw the sample stacks and their true labels: ``python sample_data/draw.py [FOLDER]``.

Everything is seeded, and every voxel's noise hangs on one random number of its own, so
that a difference in the last bit between two processors stays where it is. Lengths are
in um for the nuclei and in pixels for the membranes; axes are (z, y, x).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter
from scipy.spatial import cKDTree
from scipy.stats import poisson

Floats = NDArray[np.float32]
Labels = NDArray[np.uint16]

NUCLEI_SHAPE = (32, 256, 256)
NUCLEI_VOXEL_UM = (1.0, 0.3, 0.3)
FOCUS = (0.5, 0.8, 0.8)  # the microscope's blur, sigma in voxels: 0.5 um in z, 0.24 um across
VISIBLE = 0.25  # stain in focus, of which 1 is that of a common nucleus
MEMBRANES_SHAPE = (8, 256, 256)
MEMBRANES_VOXEL_NM = (50.0, 4.0, 4.0)


@dataclass(frozen=True)
class Nucleus:
    """An ellipsoid with a few low waves on its surface.

    Parameters
    ----------
    centre, radii
        In um, (z, y, x); the radii lie along the rows of ``axes``.
    axes
        Orthonormal directions, one a row.
    waves
        ``(n, 5)``: wave vector (z, y, x), phase and amplitude of each wave.
    brightness
        Of the stain, about 1.
    """

    centre: Floats
    radii: Floats
    axes: Floats
    waves: Floats
    brightness: float

    def depth(self, points_um: Floats) -> Floats:
        """How far inside the points lie: 1 at the centre, 0 on the surface, below 0 outside."""
        local = (points_um - self.centre) @ self.axes.T / self.radii
        radius = np.linalg.norm(local, axis=-1)
        direction = local / np.maximum(radius, 1e-6)[..., None]
        vectors, phases, amplitudes = self.waves[:, :3], self.waves[:, 3], self.waves[:, 4]
        bumps = np.sin(direction @ vectors.T + phases) @ amplitudes
        return np.asarray(1 - radius / (1 + bumps), np.float32)


def smooth_noise(
    random: np.random.Generator, shape: tuple[int, ...], sigma: tuple[float, ...] | float
) -> Floats:
    """Gaussian noise of the given grain, scaled to mean 0 and deviation 1."""
    noise = gaussian_filter(random.standard_normal(shape, np.float32), sigma, mode="wrap")
    return np.asarray((noise - noise.mean()) / noise.std(), np.float32)


def place_nuclei(random: np.random.Generator, tries: int = 260) -> list[Nucleus]:
    """Drop nuclei into the volume until it is crowded: some touch, none overlap."""
    size = np.multiply(NUCLEI_SHAPE, NUCLEI_VOXEL_UM)
    placed: list[Nucleus] = []
    for _ in range(tries):
        radii = random.uniform(3.5, 5.2) * random.uniform((0.8, 0.7, 1.0), (0.95, 0.9, 1.5))
        axes, _ = np.linalg.qr(random.standard_normal((3, 3)) + np.diag([4.0, 0.0, 0.0]))
        waves = np.column_stack(
            [
                random.standard_normal((4, 3)) * 2,
                random.uniform(0, 2 * np.pi, 4),
                random.uniform(0.01, 0.06, 4),
            ]
        )
        brightness = float(np.exp(random.normal(0, 0.36)))
        centre = random.uniform((3.5, -2, -2), size - (4.5, -2, -2))
        gaps = [
            np.linalg.norm(centre - other.centre) - radii.mean() - other.radii.mean()
            for other in placed
        ]
        if min(gaps, default=1.0) > -0.35:
            as_float = (np.asarray(part, np.float32) for part in (centre, radii, axes, waves))
            placed.append(Nucleus(*as_float, brightness))
    return placed


def draw_nucleus(nucleus: Nucleus, texture: Floats) -> tuple[tuple[slice, ...], Floats, Floats]:
    """One nucleus in its own box: where, its stain, and the share of it that reaches the focus."""
    reach = float(nucleus.radii.max()) * 1.25 + 1.5
    low = np.floor((nucleus.centre - reach) / NUCLEI_VOXEL_UM).astype(int)
    high = np.ceil((nucleus.centre + reach) / NUCLEI_VOXEL_UM).astype(int) + 1
    low, high = np.maximum(low, 0), np.minimum(high, NUCLEI_SHAPE)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    grid = np.meshgrid(
        *(np.arange(a, b) * voxel for a, b, voxel in zip(low, high, NUCLEI_VOXEL_UM, strict=True)),
        indexing="ij",
    )
    depth = nucleus.depth(np.stack(grid, axis=-1).astype(np.float32))
    coverage = np.clip(depth / 0.06 + 0.5, 0, 1)  # a soft edge, about a pixel wide
    rim = 1 + 0.18 * np.exp(-(((depth - 0.12) / 0.1) ** 2))  # heterochromatin under the envelope
    stain = nucleus.brightness * coverage * rim * np.clip(1 + 0.22 * texture[box], 0.35, 1.9)
    in_focus = gaussian_filter(coverage, FOCUS, mode="nearest")
    return box, np.asarray(stain, np.float32), np.asarray(in_focus, np.float32)


def stained_volume(random: np.random.Generator) -> tuple[Floats, Labels]:
    """Stain the tissue, and number each voxel by the nucleus that it shows.

    A voxel shows a nucleus where ``VISIBLE`` of its stain is in focus: a quarter to nearly
    half of what that nucleus holds, as a bright one is seen farther out than a dim one. The
    fainter ghost that it leaves in the slices above and below is no nucleus.
    """
    chromatin = smooth_noise(random, NUCLEI_SHAPE, (0.7, 2.0, 2.0))
    # Nucleoli: the highest peaks of a coarser noise take no stain.
    nucleoli = smooth_noise(random, NUCLEI_SHAPE, (1.3, 4.0, 4.0))
    texture = chromatin - 2.2 / (1 + np.exp(-(nucleoli - 1.7) * 6))
    stain = np.zeros(NUCLEI_SHAPE, np.float32)
    clearest = np.zeros(NUCLEI_SHAPE, np.float32)
    labels = np.zeros(NUCLEI_SHAPE, np.uint16)
    for number, nucleus in enumerate(place_nuclei(random), start=1):
        box, own, in_focus = draw_nucleus(nucleus, texture)
        np.maximum(stain[box], own, out=stain[box])
        faintest = np.clip(VISIBLE / nucleus.brightness, 0.25, 0.45)
        labels[box][(in_focus > faintest) & (in_focus > clearest[box])] = number
        np.maximum(clearest[box], in_focus, out=clearest[box])
    return stain, labels


def look_through_microscope(random: np.random.Generator, stain: Floats) -> Floats:
    """Blur, haze, dimming with depth and uneven light: expected photons per voxel."""
    planes = np.arange(NUCLEI_SHAPE[0], dtype=np.float32)[:, None, None]
    sharp = gaussian_filter(stain, FOCUS, mode="nearest")
    deep = gaussian_filter(stain, (0.65, 1.5, 1.5), mode="nearest")
    haze = gaussian_filter(stain, (3.5, 9.0, 9.0), mode="nearest")
    share = 0.75 * planes / NUCLEI_SHAPE[0]  # deeper planes scatter more
    focused = (1 - share) * sharp + share * deep
    cytoplasm = 1 + 0.35 * smooth_noise(random, NUCLEI_SHAPE, (2.5, 9.0, 9.0))
    tissue = 0.82 * focused + 0.18 * haze + 0.04 * np.clip(cytoplasm, 0, None)
    y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in NUCLEI_SHAPE[1:])
    light = 1 - 0.16 * ((y[:, None] - 0.15) ** 2 + (x[None, :] + 0.1) ** 2)
    return np.asarray(150 * light * np.exp(-planes / 32) * tissue, np.float32)


def drop_specks(labels: Labels, smallest: int = 25) -> Labels:
    """Leave out what no one would see: pieces of a nucleus under 25 pixels in a slice."""
    kept = labels.copy()
    for plane in kept:
        sizes = np.bincount(plane.ravel())
        plane[sizes[plane] < smallest] = 0
    numbers = np.unique(kept)  # sorted, background first
    return np.searchsorted(numbers, kept).astype(np.uint16)


def draw_nuclei(seed: int = 20151118) -> tuple[NDArray[np.uint16], Labels]:
    """Nuclei in tissue as a confocal microscope gives them, and their true labels."""
    random = np.random.default_rng(seed)
    stain, labels = stained_volume(random)
    photons = look_through_microscope(random, stain)
    counted = poisson.ppf(random.random(NUCLEI_SHAPE), photons)
    read_noise = 1.6 * random.standard_normal(NUCLEI_SHAPE)
    camera = 100 + 2.0 * (counted + read_noise)  # offset and gain of a 12-bit camera
    return np.clip(np.rint(camera), 0, 4095).astype(np.uint16), drop_specks(labels)


def cells_of_tissue(random: np.random.Generator, cells: int = 46) -> tuple[Labels, Floats]:
    """Which cell each pixel lies in, and its distance in pixels to the wall between two cells.

    Voronoi cells on a bent grid; their seeds drift from slice to slice, as neurites do.
    """
    depth, rows, columns = MEMBRANES_SHAPE
    seeds = random.uniform(-24, (rows + 24, columns + 24), (cells, 2))
    drift = random.normal(0, 2.2, (cells, 2))
    grid = np.stack(np.mgrid[:rows, :columns], axis=-1).astype(np.float32)
    bend = [
        8 * smooth_noise(random, MEMBRANES_SHAPE, (2.0, 15.0, 15.0))
        + 1.1 * smooth_noise(random, MEMBRANES_SHAPE, (0.8, 3.0, 3.0))
        for _ in range(2)
    ]
    owner = np.zeros(MEMBRANES_SHAPE, np.uint16)
    wall = np.zeros(MEMBRANES_SHAPE, np.float32)
    for z in range(depth):
        points = grid + np.stack([b[z] for b in bend], axis=-1)
        owner[z] = cKDTree(seeds + z * drift).query(points)[1] + 1
        edges = (owner[z][1:, 1:] != owner[z][:-1, 1:]) | (owner[z][1:, 1:] != owner[z][1:, :-1])
        wall[z] = distance_transform_edt(~np.pad(edges, ((1, 0), (1, 0))))
    return owner, wall


def draw_mitochondria(random: np.random.Generator, wall: Floats, count: int = 16) -> Floats:
    """Darkness of the mitochondria, 0..1: ovals with a dark border and folds inside."""
    depth, rows, columns = MEMBRANES_SHAPE
    y, x = (a.astype(np.float32) for a in np.mgrid[:rows, :columns])
    dark = np.zeros(MEMBRANES_SHAPE, np.float32)
    roomy = np.argwhere(wall > 15)
    for z, row, column in roomy[random.choice(len(roomy), count)]:
        angle, long, short = random.uniform((0, 11, 6), (np.pi, 19, 9))
        lasts, phase = int(random.integers(2, 5)), random.uniform(0, 6)
        for plane in range(max(z - lasts, 0), min(z + lasts + 1, depth)):
            size = np.sqrt(1 - ((plane - z) / (lasts + 1)) ** 2)
            along = (y - row) * np.sin(angle) + (x - column) * np.cos(angle)
            across = (y - row) * np.cos(angle) - (x - column) * np.sin(angle)
            radius = np.hypot(along / (long * size), across / (short * size))
            inside = (radius < 1) & (wall[plane] > 4)
            folds = 0.5 + 0.35 * np.sin(along * 1.1 + 0.6 * np.sin(across * 0.5) + phase)
            shade = np.where(radius > 0.78, 0.95, folds)
            dark[plane] = np.where(inside, np.maximum(dark[plane], shade), dark[plane])
    return dark


def draw_vesicles(random: np.random.Generator, wall: Floats, count: int = 900) -> Floats:
    """Darkness of small round vesicles, 0..1, crowded in a few places."""
    crowd = smooth_noise(random, MEMBRANES_SHAPE, (1.0, 12.0, 12.0))
    places = np.argwhere((wall > 7) & (crowd > 0.9))
    dots = np.zeros(MEMBRANES_SHAPE, np.float32)
    dots[tuple(places[random.choice(len(places), count)].T)] = 1
    rings = gaussian_filter(dots, (0, 1.9, 1.9)) - 1.25 * gaussian_filter(dots, (0, 1.0, 1.0))
    return np.asarray(np.clip(rings * 30, -0.5, 1), np.float32)


def draw_membranes(seed: int = 20120301) -> tuple[NDArray[np.uint8], Labels]:
    """Cells of nervous tissue in an electron microscope; label 0 is the membrane between them."""
    random = np.random.default_rng(seed)
    owner, wall = cells_of_tissue(random)
    slant = smooth_noise(random, MEMBRANES_SHAPE, (0.7, 16.0, 16.0))  # cut obliquely: wide and pale
    width = 2.0 + 0.9 * np.clip(slant, -0.5, 2.0)
    membrane = np.exp(-((wall / width) ** 2)) * (1 - 0.17 * np.clip(slant, 0, 2))
    cytoplasm = random.normal(176, 9, int(owner.max()) + 1).astype(np.float32)[owner]
    cytoplasm += 15 * smooth_noise(random, MEMBRANES_SHAPE, (0.3, 1.4, 1.4))
    cytoplasm += 8 * smooth_noise(random, MEMBRANES_SHAPE, (0.4, 5.0, 5.0))
    organelles = np.maximum(draw_mitochondria(random, wall), 0.8 * draw_vesicles(random, wall))
    grey = cytoplasm - 88 * organelles - 128 * membrane * (1 - 0.3 * np.clip(organelles, 0, 1))
    grey = gaussian_filter(grey, (0, 0.8, 0.8))
    shading = 1 + 0.04 * smooth_noise(random, MEMBRANES_SHAPE, (0.6, 60.0, 60.0))
    noisy = grey * shading + 11 * random.standard_normal(MEMBRANES_SHAPE)
    labels = np.where(wall > 2, owner, 0).astype(np.uint16)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8), drop_specks(labels)


def write_stack(
    path: Path, stack: NDArray[np.generic], voxel: tuple[float, ...], unit: str
) -> None:
    """Write a TIFF that ImageJ reads, with voxel size and unit."""
    tifffile.imwrite(
        path,
        stack,
        imagej=True,
        compression="zlib",
        predictor=stack.dtype == np.uint16,
        resolution=(1 / voxel[2], 1 / voxel[1]),
        metadata={"axes": "ZYX", "spacing": voxel[0], "unit": unit},
    )


def main(folder: Path) -> None:
    """Write the four files."""
    image, labels = draw_nuclei()
    write_stack(folder / "nuclei3d.tif", image, NUCLEI_VOXEL_UM, "um")
    write_stack(folder / "nuclei3d_labels.tif", labels, NUCLEI_VOXEL_UM, "um")
    tissue, cells = draw_membranes()
    write_stack(folder / "membranes.tif", tissue, MEMBRANES_VOXEL_NM, "nm")
    write_stack(folder / "membranes_labels.tif", cells, MEMBRANES_VOXEL_NM, "nm")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
