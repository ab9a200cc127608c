"""How much memory is free, and where large temporary files belong."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from platformdirs import user_cache_path

__all__ = ["available_memory", "in_memory", "scratch_place"]

_UNKNOWN = 2 << 30
_MOUNTS = Path("/proc/self/mounts")
_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def available_memory() -> int:
    """Return the bytes that can be had without swapping; 2 GiB where nobody says.

    A container's limit counts, not only what its host has.
    """
    free = [size for size in (_of_system(), _of_container()) if size is not None]
    return max(0, min(free)) if free else _UNKNOWN


def in_memory(folder: Path) -> bool:
    """Say whether a folder lies in a file system that is itself memory (tmpfs)."""
    try:
        lines = _MOUNTS.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return False  # no Linux
    mounts = [line.split(" ")[1:3] for line in lines if line.count(" ") >= 2]
    path = folder.resolve()
    above = [
        (len(Path(point).parts), kind)
        for point, kind in ((_unescape(point), kind) for point, kind in mounts)
        if path.is_relative_to(point)
    ]
    return bool(above) and max(above)[1] in ("tmpfs", "ramfs")


def scratch_place() -> Path:
    """Return a folder for large temporary files.

    The system's own one (``TMPDIR``), unless that is memory under another name, as
    ``/tmp`` is on many a Linux.
    """
    usual = Path(tempfile.gettempdir())
    cache = user_cache_path("napari-slicewise")
    for place in (usual, Path("/var/tmp"), cache):  # noqa: S108 - files get unforeseeable names
        try:
            if place is cache:
                place.mkdir(parents=True, exist_ok=True)
            if place.is_dir() and os.access(place, os.W_OK) and not in_memory(place):
                return place
        except OSError:
            continue
    return usual


def _unescape(point: str) -> str:
    r"""Read a mount point: blanks are written as ``\040``."""
    return point.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")


def _of_system() -> int | None:
    try:
        for line in _MEMINFO.read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # no Linux
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows, and some small systems
        return None


def _of_container() -> int | None:
    """Return what a control group leaves, its reclaimable file cache counted as free."""
    try:
        limit = (_CGROUP / "memory.max").read_text("ascii").strip()
        if limit == "max":
            return None
        used = int((_CGROUP / "memory.current").read_text("ascii"))
        statistics = (_CGROUP / "memory.stat").read_text("ascii").split()
    except OSError:
        return None
    cached = dict(zip(statistics[::2], statistics[1::2], strict=False)).get("inactive_file", "0")
    return int(limit) - used + int(cached)
